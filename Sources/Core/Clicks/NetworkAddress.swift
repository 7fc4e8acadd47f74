/// An IPv4 or IPv6 address, IPv4 in its mapped form `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2), so that
/// one value of two words covers both. Most significant word first, in host order.
public struct NetworkAddress: Hashable, Sendable, BitwiseCopyable {
    public let high: UInt64
    public let low: UInt64

    /// The longest text form, `ffff:…` eight groups of four.
    public static let textBytesMax = 39

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// - Parameter ipv4: in host order, so 127.0.0.1 is `0x7F00_0001`.
    @inlinable
    public init(ipv4: UInt32) {
        high = 0
        low = 0xFFFF_0000_0000 | UInt64(ipv4)
    }

    /// The IPv4 address in host order, if it is one.
    @inlinable
    public var ipv4: UInt32? {
        high == 0 && low >> 32 == 0xFFFF ? UInt32(truncatingIfNeeded: low) : nil
    }

    /// What stands for one household or handset: an IPv4 address whole, an IPv6 address cut to its
    /// /64, since a device changes the lower half at will.
    @inlinable
    public var subscriber: NetworkAddress {
        ipv4 == nil ? NetworkAddress(high: high, low: 0) : self
    }
}

extension NetworkAddress: CustomStringConvertible {
    /// Dotted decimal for IPv4, RFC 5952's form for IPv6.
    public var description: String {
        if let ipv4 {
            return (0..<4).map { String(ipv4 >> UInt32(24 - 8 * $0) & 0xFF) }.joined(separator: ".")
        }
        let groups = (0..<8).map { index -> UInt16 in
            let word = index < 4 ? high : low
            return UInt16(truncatingIfNeeded: word >> UInt64(48 - 16 * (index % 4)))
        }
        let zeros = NetworkAddress.longestZeroRun(in: groups)
        let text = { (part: ArraySlice<UInt16>) in
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard zeros.count > 1 else { return text(groups[...]) }
        return text(groups[..<zeros.lowerBound]) + "::" + text(groups[zeros.upperBound...])
    }

    /// The first of the longest runs of zero groups; empty if there is none.
    private static func longestZeroRun(in groups: [UInt16]) -> Range<Int> {
        var longest = 0..<0
        var start = 0
        for (index, group) in groups.enumerated() {
            if group != 0 {
                start = index + 1
            } else if index + 1 - start > longest.count {
                longest = start..<index + 1
            }
        }
        return longest
    }
}
