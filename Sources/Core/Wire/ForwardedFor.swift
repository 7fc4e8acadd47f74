// HOT for requests that come by a proxy.
import Clicks

/// Finds the client behind trusted proxies.
public enum ForwardedFor {
    /// More hops than this are not looked at: no site has so many proxies of its own.
    public static var hopsMax: Int { 32 }

    /// The right-most hop that is no trusted proxy. Each proxy adds on the right whom it got the
    /// request from, so from the right every hop was named by somebody trusted, up to the first
    /// who is not; whatever is left of that one anybody can write.
    ///
    /// Where a hop is no address the walk ends, and the last good one counts: the proxy that took
    /// the request from there. The same where all hops are trusted, and behind ``hopsMax`` hops.
    /// Empty elements are stepped over (RFC 9110, 5.6.1.2).
    ///
    /// Several lines are one list in their order (RFC 9110, 5.3): HAProxy, for one, adds a line
    /// where others add an element.
    ///
    /// - Parameters:
    ///   - header: ``RequestHead/forwardedFor``, empty if there is none.
    ///   - peer: the socket's. If it is not trusted, it is the client.
    ///   - isTrusted: whether it is, which does not change while the connection lasts.
    /// - Complexity: linear in the header, without allocation or lock.
    @inlinable
    @inline(always)
    public static func client(
        _ header: UnsafeRawBufferPointer, trusted: NetworkSet,
        peer: @autoclosure () -> NetworkAddress, isTrusted: Bool
    ) -> NetworkAddress {
        guard isTrusted else { return peer() }
        // What one proxy in front of us sends. Alone, it is the client whoever it is.
        if let only = NetworkAddress(dottedDecimal: header) { return only }
        return walk(header, trusted: trusted, peer: peer())
    }

    @usableFromInline
    static func walk(
        _ header: UnsafeRawBufferPointer, trusted: NetworkSet, peer: NetworkAddress
    ) -> NetworkAddress {
        var walk = Walk(client: peer)
        var end = header.count
        while end >= 0, !walk.isOver {
            var start = end
            while start > 0, header[start &- 1] != Ascii.lineFeed { start &-= 1 }
            let line = UnsafeRawBufferPointer(rebasing: header[start..<end])
            // The first line's name is not in it.
            if let value = start == 0 ? line : value(of: line) {
                walk.take(value, trusted: trusted)
            }
            // Before the line feed is its carriage return, as the parser takes no other line ends.
            end = start &- 2
        }
        return walk.client
    }

    /// What stands behind the name of a line that is an X-Forwarded-For; nil for any other.
    private static func value(of line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let name: StaticString = "x-forwarded-for:"
        guard line.count >= name.utf8CodeUnitCount else { return nil }
        for index in 0..<name.utf8CodeUnitCount {
            let isLetter = (line[index] | 0x20) &- UInt8(ascii: "a") < 26
            let byte = isLetter ? line[index] | 0x20 : line[index]
            guard byte == name.utf8Start[index] else { return nil }
        }
        return UnsafeRawBufferPointer(rebasing: line[name.utf8CodeUnitCount...])
    }

    /// A walk from the right, line by line.
    private struct Walk {
        /// The last hop that was named by somebody trusted.
        var client: NetworkAddress
        private var hops = 0
        /// Nothing further left is looked at.
        private(set) var isOver = false

        init(client: NetworkAddress) {
            self.client = client
        }

        mutating func take(_ header: UnsafeRawBufferPointer, trusted: NetworkSet) {
            var end = header.count
            while end >= 0, !isOver {
                guard hops < hopsMax, trusted.contains(client) else {
                    isOver = true
                    return
                }
                var start = end
                while start > 0, header[start &- 1] != UInt8(ascii: ",") { start &-= 1 }
                var first = start
                var last = end
                while first < last, Ascii.isBlank(header[first]) { first &+= 1 }
                while last > first, Ascii.isBlank(header[last &- 1]) { last &-= 1 }
                if first < last {
                    let hop = UnsafeRawBufferPointer(rebasing: header[first..<last])
                    guard let address = NetworkAddress(hop: hop) else {
                        isOver = true
                        return
                    }
                    client = address
                }
                // Empty elements count too, or a header of commas would cost without bound.
                hops &+= 1
                end = start &- 1
            }
        }
    }
}
