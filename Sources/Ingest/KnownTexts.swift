import Clicks
import Judging
import Linux

/// What the pumps remember of texts from batch to batch, and where a batch's lines of statistics
/// are summed. Of one batch at a time.
///
/// At ``bytesMax`` it forgets everything and asks the ledger again: simple, and once in a long
/// while cheap. Whoever sends a new text with every click makes that happen more often, and no more
/// than that. A batch's own texts come on top while it is under way: at most 1,544 bytes and four
/// entries a click.
///
/// It forgets everything once a day as well: agents that are not looked up are deleted some day,
/// see ``IngestQueries/userAgentIDs(_:in:)``.
///
/// Unchecked: used by whoever reads, one at a time, see ``PumpTurns``.
final class KnownTexts: @unchecked Sendable {
    let userAgents: TextPlaces
    let referers: TextPlaces
    /// Of the referers, as ``RefererHost`` tells them.
    let hosts: TextPlaces
    let channels: TextPlaces
    let dimensions = KnownDimensions()
    let bound = StatisticsBound()
    /// The lines of the batch under way, with their sums.
    let lines = WordTable()
    /// Of the last batch: the next is as large, where there is a backlog.
    var clicksExpected = 0
    private let bytesMax: Int
    /// When it last knew nothing. Not monotonic: that clock stops while a machine sleeps.
    private var emptiedAt = Clock.now()
    private static let dayMicroseconds: Int64 = 86_400 * 1_000_000

    init(bytesMax: Int = 64 << 20) {
        let hosts = TextPlaces()
        self.hosts = hosts
        self.bytesMax = bytesMax
        channels = TextPlaces()
        userAgents = TextPlaces { agent in
            Int32(AgentTraits(of: agent).device.rawValue)
        }
        referers = TextPlaces { referer in
            var host = RefererHost.of(TextPlaces.repaired(referer))
            return host.withUTF8 { hosts.place(of: UnsafeRawBufferPointer($0)) }
        }
        addFixed()
    }

    /// The place of the empty channel, and of no host.
    static let none: Int32 = 0
    /// The place of ``StatisticsBound/otherHost``.
    static let otherHost: Int32 = 1

    private func addFixed() {
        for texts in [hosts, channels] {
            _ = texts.place(of: UnsafeRawBufferPointer(start: nil, count: 0))
        }
        var other = StatisticsBound.otherHost
        other.withUTF8 { _ = hosts.place(of: UnsafeRawBufferPointer($0)) }
    }

    var bytes: Int {
        userAgents.bytes + referers.bytes + hosts.bytes + channels.bytes + dimensions.bytes
    }

    /// Makes ready for the next batch; places of the last are void.
    func beginBatch(now: Int64 = Clock.now()) {
        lines.removeAll()
        let age = now - emptiedAt
        for texts in [userAgents, referers] { texts.learnNumbers() }
        dimensions.learnNumbers()
        if bytes > bytesMax || !(0...KnownTexts.dayMicroseconds ~= age) { removeAll() }
    }

    func removeAll() {
        for texts in [userAgents, referers, hosts, channels] { texts.removeAll() }
        // Their pairs are places.
        bound.removeAll()
        emptiedAt = Clock.now()
        dimensions.removeAll()
        addFixed()
    }
}
