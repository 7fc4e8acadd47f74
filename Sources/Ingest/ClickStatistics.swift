// What a batch adds to the statistics. Channel and referer come from clients, so their number is
// bounded here: whoever invents a new one with every click fills one line, not the table.

import Clicks
import Postgres

/// What tells one line of the hourly statistics from another.
struct StatisticsKey: Hashable {
    let gongguID: Identifier
    let hour: Timestamp
    let verdict: Verdict
    let channel: String
    let refererHost: String
}

/// Which pairs of channel and referer host have lines of their own: the first
/// ``pairsMax`` that are seen of a gonggu, hour and verdict. All others are summed in one line,
/// with no channel and the referer host ``otherHost``, so totals are exact whatever a client sends.
///
/// Remembered from batch to batch, as hours have many; at ``rememberedMax`` pairs all is forgotten,
/// and so it is when the process ends. Then the next of that hour are taken as the first, so an
/// hour can have a multiple of the bound, never one line a click.
struct StatisticsBound {
    static let pairsMax = 200
    /// Bounds the memory, some 100 bytes each.
    static let rememberedMax = 200_000
    /// No host: a name has no parentheses.
    static let otherHost = "(other)"

    private struct Group: Hashable {
        let gongguID: Identifier
        let hour: Timestamp
        let verdict: Verdict
    }

    private struct Pair: Hashable {
        let channel: String
        let refererHost: String
    }

    private var groups: [Group: Set<Pair>] = [:]
    private var remembered = 0

    /// The key itself if its pair is among the first, else the group's line for the others.
    mutating func admitted(_ key: StatisticsKey) -> StatisticsKey {
        let group = Group(gongguID: key.gongguID, hour: key.hour, verdict: key.verdict)
        let pair = Pair(channel: key.channel, refererHost: key.refererHost)
        let known = groups[group]
        if known?.contains(pair) == true { return key }
        guard (known?.count ?? 0) < StatisticsBound.pairsMax else {
            return StatisticsKey(
                gongguID: key.gongguID, hour: key.hour, verdict: key.verdict, channel: "",
                refererHost: StatisticsBound.otherHost)
        }
        if remembered >= StatisticsBound.rememberedMax {
            groups.removeAll()
            remembered = 0
        }
        groups[group, default: []].insert(pair)
        remembered += 1
        return key
    }
}

extension ClickBatch {
    /// A line before it has texts, so that a click costs one look-up.
    private struct Place: Hashable {
        let gongguID: Identifier
        let hour: Timestamp
        let verdict: Verdict
        let channel: Int32
        let host: Int32
    }

    /// How many requests fall on each line of the hourly statistics: the sums of the clicks'
    /// counts, with no more lines than the bound admits.
    func statistics(within bound: inout StatisticsBound) -> [StatisticsKey: Int64] {
        var hosts = TextTable()
        let noHost = hosts.index(of: UnsafeRawBufferPointer(start: nil, count: 0))
        let hostOfReferer = referers.texts.map { referer in
            var host = RefererHost.of(referer)
            return host.withUTF8 { hosts.index(of: UnsafeRawBufferPointer($0)) }
        }
        var counts: [Place: Int64] = [:]
        // The order of appearance decides who is among the first.
        var places: [Place] = []
        for batched in clicks {
            let place = Place(
                gongguID: batched.click.gongguID, hour: batched.click.time.startOfHour,
                verdict: batched.click.verdict, channel: batched.channel,
                host: batched.referer < 0 ? noHost : hostOfReferer[Int(batched.referer)])
            let before = counts.updateValue(0, forKey: place)
            if before == nil { places.append(place) }
            counts[place] = (before ?? 0) + Int64(batched.count)
        }
        var lines: [StatisticsKey: Int64] = [:]
        for place in places {
            let key = StatisticsKey(
                gongguID: place.gongguID, hour: place.hour, verdict: place.verdict,
                channel: channels.texts[Int(place.channel)],
                refererHost: hosts.texts[Int(place.host)])
            lines[bound.admitted(key), default: 0] += counts[place]!
        }
        return lines
    }
}
