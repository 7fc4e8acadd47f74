import Clicks
import Glibc
import Wire

/// An X-Forwarded-For line names the client that the obvious walk names, an address is read as
/// inet_pton(3) reads it, and what is printed of it is read as the same.
package struct ForwardedProperty: FuzzProperty {
    package static let name = "forwarded"

    private static let networks = ["10.0.0.0/8", "fd00::/8", "192.0.2.1", "::ffff:172.16.0.0/108"]
    private let trusted = NetworkSet(networks.compactMap { NetworkPrefix($0) })

    package init(folder: String) {}

    package func check(_ bytes: UnsafeRawBufferPointer) throws(FuzzFinding) -> Bool {
        let header = Array(bytes)
        let exact = ExactBytes(header)
        var isTaken = false
        for peer in ["10.0.0.1", "fd00::1", "203.0.113.9"].compactMap({ NetworkAddress($0) }) {
            let client = ForwardedFor.client(
                exact.bytes, trusted: trusted, peer: peer, isTrusted: trusted.contains(peer))
            let expected = expected(header, peer)
            try hold(client == expected, "behind \(peer) it is \(client), not \(expected)")
            isTaken = isTaken || client != peer
        }
        for element in header.split(separator: UInt8(ascii: ",")) {
            try checkAddress(Array(element))
        }
        return isTaken
    }

    private func expected(_ header: [UInt8], _ peer: NetworkAddress) -> NetworkAddress {
        var client = peer
        let elements = header.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        for element in elements.reversed().prefix(32) {
            guard isTrusted(client) else { break }
            let hop = ForwardedProperty.trimmed(element)
            if hop.isEmpty { continue }
            guard let address = ForwardedProperty.address(ofHop: hop) else { break }
            client = address
        }
        return client
    }

    private func isTrusted(_ address: NetworkAddress) -> Bool {
        if let ipv4 = address.ipv4 {
            return ipv4 >> 24 == 10 || ipv4 == 0xC000_0201 || ipv4 >> 20 == 0xAC1
        }
        return address.high >> 56 == 0xFD
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> [UInt8] {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        return Array(text.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }

    // MARK: Addresses

    private func checkAddress(_ text: [UInt8]) throws(FuzzFinding) {
        let exact = ExactBytes(text)
        let address = NetworkAddress(text: exact.bytes)
        let expected = ForwardedProperty.address(text)
        try hold(
            address == expected,
            "as an address it is \(address as Any), not \(expected as Any)")
        if let address {
            let printed = address.description
            try hold(NetworkAddress(printed) == address, "\(printed) is read as another")
        }
    }

    /// By the C library.
    private static func address(_ text: some Collection<UInt8>) -> NetworkAddress? {
        guard !text.contains(0) else { return nil }
        let words = String(decoding: text, as: UTF8.self)
        var ipv4: UInt32 = 0
        if inet_pton(AF_INET, words, &ipv4) == 1 { return NetworkAddress(ipv4: ipv4.bigEndian) }
        var ipv6: (UInt64, UInt64) = (0, 0)
        guard inet_pton(AF_INET6, words, &ipv6) == 1 else { return nil }
        return NetworkAddress(high: ipv6.0.bigEndian, low: ipv6.1.bigEndian)
    }

    /// An address, perhaps with a port, which an IPv6 address has behind brackets only.
    private static func address(ofHop hop: [UInt8]) -> NetworkAddress? {
        if hop.first == UInt8(ascii: "[") {
            guard let close = hop.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            let inside = hop[1..<close]
            let rest = hop[(close + 1)...]
            guard inside.contains(UInt8(ascii: ":")), rest.isEmpty || isPort(rest) else {
                return nil
            }
            return address(inside)
        }
        if let whole = address(hop) { return whole }
        guard let colon = hop.firstIndex(of: UInt8(ascii: ":")), isPort(hop[colon...]) else {
            return nil
        }
        return address(hop[..<colon])
    }

    private static func isPort(_ text: ArraySlice<UInt8>) -> Bool {
        let digits = text.dropFirst()
        guard text.first == UInt8(ascii: ":"), 1...5 ~= digits.count,
            digits.allSatisfy({ 0x30...0x39 ~= $0 }), digits.count == 1 || digits.first != 0x30
        else { return false }
        return (Int(String(decoding: digits, as: UTF8.self)) ?? .max) <= 65_535
    }
}
