// What live views are told of committed clicks, on its way to Redis. Pumps add, the publisher
// takes; nobody waits for the other. Sums of one gonggu that wait are added up, so what Redis
// cannot take as fast as it comes becomes fewer and larger messages first, and is dropped at the
// bound.

import Clicks
import Linux
import Synchronization

/// Requests of one gonggu by verdict, and when the last of them were committed.
struct LiveCounts: Equatable, Sendable {
    /// Index: a verdict's number.
    var clicks = SIMD16<Int64>()
    /// Microseconds since 1970.
    var committedMicros: Int64 = 0

    mutating func add(_ other: LiveCounts) {
        clicks &+= other.clicks
        committedMicros = max(committedMicros, other.committedMicros)
    }
}

/// The committed clicks that no live view was told of yet. Shared; held for a moment.
final class LiveFeed: Sendable {
    /// For /metrics.
    struct Tally: Equatable, Sendable {
        /// Messages that Redis has taken, one a gonggu.
        var messages = 0
        /// Requests that no message will tell: the feed was full, or Redis went away with them.
        var clicksDropped = 0
        /// Requests too old to be live.
        var clicksLate = 0
        var isConnected = false
        var gonggusWaiting = 0
    }

    private struct State {
        var waiting: [Identifier: LiveCounts] = [:]
        var tally = Tally()
    }

    /// Some 4 MB.
    static let gonggusMax = 20_000
    /// A batch whose newest click is older is a backlog's: live views show what happens now, and
    /// telling them costs as much as storing it.
    static let freshMicroseconds: Int64 = 60_000_000

    private let gonggusMax: Int
    private let state = Mutex(State())

    init(gonggusMax: Int = LiveFeed.gonggusMax) {
        self.gonggusMax = gonggusMax
    }

    var tally: Tally {
        state.withLock { state in
            var tally = state.tally
            tally.gonggusWaiting = state.waiting.count
            return tally
        }
    }

    /// Takes what a batch has added to the ledger. Cost: a look-up a line, and none for a backlog.
    func offer(_ deltas: [StatisticsDelta], newest: Timestamp?, now: Int64 = Clock.now()) {
        guard let newest, now - newest.microseconds <= LiveFeed.freshMicroseconds else {
            let late = deltas.reduce(0) { $0 + Int($1.clicks) }
            state.withLock { $0.tally.clicksLate += late }
            return
        }
        var sums: [Identifier: LiveCounts] = [:]
        for delta in deltas {
            sums[delta.gongguID, default: LiveCounts(committedMicros: now)]
                .clicks[Int(delta.verdict)] &+= delta.clicks
        }
        giveBack(sums)
    }

    /// All that waits.
    func take() -> [Identifier: LiveCounts] {
        state.withLock { state in
            defer { state.waiting = [:] }
            return state.waiting
        }
    }

    /// Adds sums, of a batch or of what was taken and not sent; at the bound, new gonggus' are
    /// dropped.
    func giveBack(_ sums: [Identifier: LiveCounts]) {
        state.withLock { state in
            for (gonggu, counts) in sums {
                if state.waiting[gonggu] != nil || state.waiting.count < gonggusMax {
                    state.waiting[gonggu, default: LiveCounts()].add(counts)
                } else {
                    state.tally.clicksDropped += Int(counts.clicks.wrappedSum())
                }
            }
        }
    }

    func noteSent(_ messages: Int) {
        state.withLock { state in
            state.tally.messages += messages
            state.tally.isConnected = true
        }
    }

    /// - Parameter lost: what may or may not have reached Redis; not sent again, as live views
    ///   would then count it twice.
    func noteDown(_ lost: [(Identifier, LiveCounts)]) {
        state.withLock { state in
            state.tally.clicksDropped += lost.reduce(0) { $0 + Int($1.1.clicks.wrappedSum()) }
            state.tally.isConnected = false
        }
    }
}
