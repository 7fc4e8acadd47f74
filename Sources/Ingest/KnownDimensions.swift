// HOT: one look-up a line of the statistics; measured by Benchmarks/Ingest.

import Clicks

/// What tells lines of one gonggu and hour from another: verdict, device, country, channel and
/// referer host, with the number under which the ledger stores the five. Confined to one thread.
///
/// A place is an index from 0, and is good until ``removeAll()``. Channels and hosts are places in
/// ``KnownTexts``, so this is emptied with it.
final class KnownDimensions {
    private let places = WordTable()
    /// By place; 0 while the ledger has not told it.
    private var numbers: [Int32] = []
    private var unnumbered: [Int32] = []
    /// Given to a batch that asks for their numbers.
    private var asked: [Int32] = []
    /// What the batches have been told.
    private(set) var learnt = LedgerNumbers()

    /// Keeping one costs so much: its words, and slots for two.
    private static let entryBytes = 56

    var bytes: Int { places.count * KnownDimensions.entryBytes }

    /// The place of a line's dimensions, a new one if they were not seen before.
    func place(of line: StatisticsLine) -> Int32 {
        let place = places.add(0, to: line.dimensions)
        if place == numbers.count {
            numbers.append(0)
            unnumbered.append(Int32(place))
        }
        return Int32(truncatingIfNeeded: place)
    }

    /// What the ledger calls them; 0 before ``learnNumbers()`` has found it.
    func number(_ place: Int32) -> Int32 { numbers[Int(place)] }

    /// Those that have no number yet and that nobody was given before.
    /// - Parameter texts: those that the places belong to.
    func takeUnnumbered(of texts: KnownTexts) -> Unnumbered<StatisticsDimensions> {
        defer {
            asked += unnumbered
            unnumbered = []
        }
        let wanted = unnumbered.map {
            (StatisticsDimensions(StatisticsLine(dimensions: places[Int($0)].key), texts), $0)
        }
        return Unnumbered(wanted: wanted, numbers: learnt)
    }

    /// Takes note of the numbers that others have learnt meanwhile.
    func learnNumbers() {
        guard !asked.isEmpty else { return }
        learnt.read { number in
            asked.removeAll { place in
                numbers[Int(place)] = number(place)
                return numbers[Int(place)] != 0
            }
        }
    }

    /// Forgets everything; all places are void.
    func removeAll() {
        places.removeAll()
        numbers = []
        unnumbered = []
        asked = []
        learnt = LedgerNumbers()
    }
}

/// A line's dimensions as the ledger stores them.
struct StatisticsDimensions {
    let verdict: UInt8
    let device: UInt8
    /// ISO 3166's two letters.
    let country: String
    let channel: String
    /// Empty for none.
    let refererHost: String

    init(_ line: StatisticsLine, _ texts: KnownTexts) {
        verdict = line.verdict
        device = line.device
        let letters = [UInt8(line.country >> 8), UInt8(truncatingIfNeeded: line.country)]
        country = String(decoding: letters, as: UTF8.self)
        channel = texts.channels.text(line.channel)
        refererHost = texts.hosts.text(line.host)
    }

    /// Some total order, the same in every process.
    func precedes(_ other: StatisticsDimensions) -> Bool {
        if verdict != other.verdict { return verdict < other.verdict }
        if device != other.device { return device < other.device }
        let (own, others) = (
            [country, channel, refererHost],
            [
                other.country, other.channel, other.refererHost,
            ]
        )
        for (left, right) in zip(own, others) where !left.utf8.elementsEqual(right.utf8) {
            return left.utf8.lexicographicallyPrecedes(right.utf8)
        }
        return false
    }
}
