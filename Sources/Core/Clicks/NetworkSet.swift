// HOT: one look-up a click.
//
// Networks as sorted ranges that neither touch nor overlap, so that a look-up is one binary search.
// IPv4 is searched apart: its numbers fit half a word, four times as many a cache line, and nearly
// all clicks come from it.
//
// Of IPv4 an index by the first byte leaves a handful of ranges to search: without it, each of nine
// steps among the embedded list's 380 ranges is a branch that nobody predicts (51 ns a look-up of
// random addresses; with it 15).

/// A fixed set of addresses, made from networks.
///
/// Immutable. Memory: 8 bytes a range of IPv4, 32 of IPv6.
public final class NetworkSet: Sendable {
    // Written by init only. Bounds: `ipv4Count` and `ipv6Count` elements in each of the two.
    private nonisolated(unsafe) let ipv4Starts: UnsafeMutablePointer<UInt32>
    private nonisolated(unsafe) let ipv4Ends: UnsafeMutablePointer<UInt32>
    /// How many ranges begin before each first byte, 0 to 256.
    private nonisolated(unsafe) let ipv4Index: UnsafeMutablePointer<Int32>
    private nonisolated(unsafe) let ipv6Starts: UnsafeMutablePointer<NetworkAddress>
    private nonisolated(unsafe) let ipv6Ends: UnsafeMutablePointer<NetworkAddress>
    private let ipv4Count: Int
    private let ipv6Count: Int

    public init(_ prefixes: some Sequence<NetworkPrefix>) {
        var ipv4: [(UInt32, UInt32)] = []
        var ipv6: [(NetworkAddress, NetworkAddress)] = []
        for prefix in prefixes {
            if let first = prefix.first.ipv4, let last = prefix.last.ipv4 {
                ipv4.append((first, last))
            } else {
                ipv6.append((prefix.first, prefix.last))
            }
        }
        // The wider of two that begin together comes first, and holds the other.
        ipv4.sort { $0.0 != $1.0 ? $0.0 < $1.0 : $0.1 > $1.1 }
        ipv6.sort { $0.0 != $1.0 ? $0.0.isBelow($1.0) : $1.1.isBelow($0.1) }
        let joined4 = NetworkSet.joined(
            ipv4, isInside: { $0 <= $1 }, isNext: { $0 &- 1 == $1 })
        let joined6 = NetworkSet.joined(
            ipv6, isInside: { !$1.isBelow($0) }, isNext: { $0.predecessor == $1 })
        ipv4Count = joined4.count
        ipv6Count = joined6.count
        ipv4Starts = .allocate(capacity: max(ipv4Count, 1))
        ipv4Ends = .allocate(capacity: max(ipv4Count, 1))
        ipv4Index = .allocate(capacity: 257)
        ipv6Starts = .allocate(capacity: max(ipv6Count, 1))
        ipv6Ends = .allocate(capacity: max(ipv6Count, 1))
        for (index, range) in joined4.enumerated() {
            (ipv4Starts + index).initialize(to: range.0)
            (ipv4Ends + index).initialize(to: range.1)
        }
        var before: Int32 = 0
        for block in 0...256 {
            while before < ipv4Count, joined4[Int(before)].0 >> 24 < block { before += 1 }
            (ipv4Index + block).initialize(to: before)
        }
        for (index, range) in joined6.enumerated() {
            (ipv6Starts + index).initialize(to: range.0)
            (ipv6Ends + index).initialize(to: range.1)
        }
    }

    deinit {
        ipv4Starts.deallocate()
        ipv4Ends.deallocate()
        ipv4Index.deallocate()
        ipv6Starts.deallocate()
        ipv6Ends.deallocate()
    }

    public static let empty = NetworkSet([])

    public var isEmpty: Bool { rangeCount == 0 }

    /// How many ranges are left after joining those that touch.
    public var rangeCount: Int { ipv4Count + ipv6Count }

    /// Whether one of the networks holds the address.
    ///
    /// - Complexity: logarithmic in the ranges, without allocation or lock.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func contains(_ address: NetworkAddress) -> Bool {
        if let ipv4 = address.ipv4 {
            return Search.isIn(ipv4, ipv4Starts, ipv4Ends, index: ipv4Index)
        }
        return Search.isIn(address, ipv6Starts, ipv6Ends, count: ipv6Count)
    }

    /// Joins ranges sorted by their starts. Networks nest or are apart, so one that begins inside
    /// of the last one ends there too.
    private static func joined<Bound>(
        _ sorted: [(Bound, Bound)], isInside: (_ start: Bound, _ end: Bound) -> Bool,
        isNext: (_ start: Bound, _ end: Bound) -> Bool
    ) -> [(Bound, Bound)] {
        var joined: [(Bound, Bound)] = []
        for range in sorted {
            if let last = joined.last {
                if isInside(range.0, last.1) { continue }
                if isNext(range.0, last.1) {
                    joined[joined.count - 1].1 = range.1
                    continue
                }
            }
            joined.append(range)
        }
        return joined
    }
}

/// Not the class's own: to name its type might allocate, for all that the compiler knows.
private enum Search {
    @inline(always)
    static func isIn(
        _ address: UInt32, _ starts: UnsafePointer<UInt32>, _ ends: UnsafePointer<UInt32>,
        index: UnsafePointer<Int32>
    ) -> Bool {
        // The ranges that begin before the block of the address's first byte, and up to its end.
        let block = Int(address &>> 24)
        var first = Int(index[block])
        var left = Int(index[block &+ 1]) &- first
        while left > 0 {
            let half = left &>> 1
            if starts[first &+ half] <= address {
                first &+= half &+ 1
                left &-= half &+ 1
            } else {
                left = half
            }
        }
        // `first` ranges begin at or before the address; only the last can reach it.
        return first > 0 && address <= ends[first &- 1]
    }

    @inline(always)
    static func isIn(
        _ address: NetworkAddress, _ starts: UnsafePointer<NetworkAddress>,
        _ ends: UnsafePointer<NetworkAddress>, count: Int
    ) -> Bool {
        guard count > 0 else { return false }
        var first = 0
        var left = count
        while left > 1 {
            let half = left &>> 1
            first = address.isBelow(starts[first &+ half]) ? first : first &+ half
            left &-= half
        }
        return !address.isBelow(starts[first]) && !ends[first].isBelow(address)
    }
}

extension NetworkAddress {
    fileprivate func isBelow(_ other: NetworkAddress) -> Bool {
        high < other.high || high == other.high && low < other.low
    }

    /// The address before this one, of `::` the last of all.
    fileprivate var predecessor: NetworkAddress {
        NetworkAddress(high: low == 0 ? high &- 1 : high, low: low &- 1)
    }
}
