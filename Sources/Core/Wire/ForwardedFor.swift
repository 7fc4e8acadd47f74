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
    /// - Parameters:
    ///   - header: the value of the last X-Forwarded-For line; earlier lines are not needed unless
    ///     a trusted proxy adds lines rather than elements.
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
        var client = peer
        var end = header.count
        var hops = 0
        while hops < hopsMax, trusted.contains(client) {
            var start = end
            while start > 0, header[start &- 1] != UInt8(ascii: ",") { start &-= 1 }
            var first = start
            var last = end
            while first < last, Ascii.isBlank(header[first]) { first &+= 1 }
            while last > first, Ascii.isBlank(header[last &- 1]) { last &-= 1 }
            if first < last {
                let hop = UnsafeRawBufferPointer(rebasing: header[first..<last])
                guard let address = NetworkAddress(hop: hop) else { return client }
                client = address
            }
            // Empty elements count too, or a header of commas would cost without bound.
            hops &+= 1
            guard start > 0 else { return client }
            end = start &- 1
        }
        return client
    }
}
