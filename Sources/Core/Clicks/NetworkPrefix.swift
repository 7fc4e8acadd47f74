/// A network: all addresses that share their first bits.
///
/// The two families stay apart: an IPv6 network shorter than `::ffff:0:0/96` has no IPv4 address in
/// it, so `::/0` is all of IPv6 and `0.0.0.0/0` all of IPv4.
public struct NetworkPrefix: Hashable, Sendable, BitwiseCopyable {
    /// The first address of it.
    public let first: NetworkAddress
    /// How many bits of the 128 all its addresses share; of IPv4, 96 more than one writes.
    public let bits: Int

    /// - Parameter bits: of 128. The bits of `first` behind them are zero.
    public init(first: NetworkAddress, bits: Int) {
        precondition(
            (0...128).contains(bits)
                && first.high & ~NetworkPrefix.mask(bits).high == 0
                && first.low & ~NetworkPrefix.mask(bits).low == 0,
            "a network's address has no bits behind its prefix")
        self.first = first
        self.bits = bits
    }

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or an address, which is a network of one. Nil for all
    /// else: `10.0.0.1/8` is more likely a mistake than a network, so it is none.
    public init?(text: UnsafeRawBufferPointer) {
        var end = 0
        while end < text.count, text[end] != UInt8(ascii: "/") { end += 1 }
        let address = UnsafeRawBufferPointer(rebasing: text[..<end])
        guard let first = NetworkAddress(text: address) else { return nil }
        guard end < text.count else {
            self.init(first: first, bits: 128)
            return
        }
        let isDotted = !address.contains(UInt8(ascii: ":"))
        guard let length = NetworkPrefix.length(text[(end + 1)...]), length <= (isDotted ? 32 : 128)
        else { return nil }
        let bits = isDotted ? 96 + length : length
        let mask = NetworkPrefix.mask(bits)
        guard first.high & ~mask.high == 0, first.low & ~mask.low == 0 else { return nil }
        self.init(first: first, bits: bits)
    }

    public init?(_ text: some StringProtocol) {
        var copy = String(text)
        guard let prefix = copy.withUTF8({ NetworkPrefix(text: UnsafeRawBufferPointer($0)) })
        else { return nil }
        self = prefix
    }

    /// The last address of it.
    public var last: NetworkAddress {
        let mask = NetworkPrefix.mask(bits)
        return NetworkAddress(high: first.high | ~mask.high, low: first.low | ~mask.low)
    }

    public func contains(_ address: NetworkAddress) -> Bool {
        let mask = NetworkPrefix.mask(bits)
        return address.high & mask.high == first.high && address.low & mask.low == first.low
            && (bits >= 96 || address.ipv4 == nil)
    }

    private static func mask(_ bits: Int) -> (high: UInt64, low: UInt64) {
        // `<<` shifts everything out where the count is 64.
        bits <= 64 ? (~0 << UInt64(64 - bits), 0) : (~0, ~0 << UInt64(128 - bits))
    }

    /// One to three digits, without leading zeros.
    private static func length(_ digits: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard (1...3).contains(digits.count), digits.allSatisfy({ $0 &- 0x30 < 10 }) else {
            return nil
        }
        if digits.count > 1, digits.first == UInt8(ascii: "0") { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
}

extension NetworkPrefix: CustomStringConvertible {
    /// As it is written, the length also of a single address.
    public var description: String {
        bits >= 96 && first.ipv4 != nil ? "\(first)/\(bits - 96)" : "\(first)/\(bits)"
    }
}
