// What the edge's tables remember, without their bounds: for judging again, when there is time and
// one thread, and when nothing may be forgotten early. The same questions have the same answers as
// those of ``DedupeWindow`` and ``FloodGuard`` wherever these have not had to evict anybody;
// GuardsTests holds the two against each other.
//
// Both are fed in the order of time and forget what no later question can be about, so they hold
// one window's visitors and one minute's addresses, however long the period is.

import Clicks

/// When each visitor's last valid click on each gonggu was.
public struct ExactWindows: Sendable {
    private struct Pair: Hashable {
        let visitor: UInt64
        let gonggu: Identifier
    }

    private let windowMicroseconds: Int64
    private var starts: [Pair: Int64] = [:]
    private var lastSweep = Int64.min

    public init(windowSeconds: Int) {
        precondition(windowSeconds > 0, "a window has a length")
        windowMicroseconds = Int64(windowSeconds) * 1_000_000
    }

    /// Pairs remembered: those of at most two windows.
    public var count: Int { starts.count }

    /// Whether a valid click of the pair is less than a window ago.
    public func isOpen(visitor: UInt64, gonggu: Identifier, now: Timestamp) -> Bool {
        guard let start = starts[Pair(visitor: visitor, gonggu: gonggu)] else { return false }
        return now.microseconds - start < windowMicroseconds
    }

    /// Starts a window, whether or not one is open: the click is valid.
    public mutating func start(visitor: UInt64, gonggu: Identifier, at time: Timestamp) {
        starts[Pair(visitor: visitor, gonggu: gonggu)] = time.microseconds
    }

    /// Lets go of windows that are over, once a window's time has passed since it last did.
    /// Constant cost a click, spread over all.
    public mutating func forget(before now: Timestamp) {
        guard lastSweep != .min else {
            lastSweep = now.microseconds
            return
        }
        guard now.microseconds - lastSweep >= windowMicroseconds else { return }
        lastSweep = now.microseconds
        starts = starts.filter { now.microseconds - $0.value < windowMicroseconds }
    }
}

/// How many clicks each address has made in the last minute, by whole seconds as the edge counts.
public struct ExactMinutes: Sendable {
    private struct Second {
        let second: Int64
        var clicks: Int
    }

    private struct Minute {
        /// In the order of time; those before `first` are over.
        var seconds: [Second] = []
        var first = 0
        var sum = 0

        mutating func add(_ clicks: Int, at second: Int64) -> Int {
            while first < seconds.count,
                seconds[first].second <= second - ExactMinutes.windowSeconds
            {
                sum -= seconds[first].clicks
                first += 1
            }
            if first > 64 {
                seconds.removeFirst(first)
                first = 0
            }
            if let last = seconds.indices.last, seconds[last].second == second {
                seconds[last].clicks += clicks
            } else {
                seconds.append(Second(second: second, clicks: clicks))
            }
            sum += clicks
            return sum
        }
    }

    /// Clicks of this second and the 59 before it count.
    public static let windowSeconds: Int64 = 60

    private var minutes: [NetworkAddress: Minute] = [:]
    private var lastSweep = Int64.min

    public init() {}

    /// Addresses remembered: those of at most two minutes.
    public var count: Int { minutes.count }

    /// Counts clicks of an address, which is cut to the subscriber's.
    ///
    /// - Returns: its clicks of the last minute, these included.
    public mutating func count(
        _ clicks: Int, from address: NetworkAddress, now: Timestamp
    ) -> Int {
        let second = now.microseconds / Timestamp.microsecondsPerSecond
        if lastSweep == .min { lastSweep = second }
        if second - lastSweep >= ExactMinutes.windowSeconds {
            lastSweep = second
            minutes = minutes.filter { _, minute in
                minute.seconds.last.map { second - $0.second < ExactMinutes.windowSeconds } ?? false
            }
        }
        return minutes[address.subscriber, default: Minute()].add(clicks, at: second)
    }
}
