import Clicks
import Foundation
import HTTPTypes
import Hummingbird

// Whose address a request comes from: the socket's peer, unless that is a proxy we were told to
// trust. Then it is the right-most hop of `X-Forwarded-For` that is not a trusted proxy, since only
// what our own proxies wrote can be believed; whatever the client wrote stands further left.

/// The networks whose `X-Forwarded-For` is believed: `TRUSTED_PROXIES`, empty by default.
package struct TrustedProxies: Sendable {
    private struct Network: Sendable {
        let address: NetworkAddress
        /// Of 128, so that 96 and more where the address is IPv4.
        let prefixBits: Int

        func contains(_ other: NetworkAddress) -> Bool {
            let high = prefixBits >= 64 ? UInt64.max : ~(UInt64.max >> UInt64(prefixBits))
            let low = prefixBits <= 64 ? 0 : ~(UInt64.max >> UInt64(prefixBits - 64))
            return (address.high ^ other.high) & high == 0 && (address.low ^ other.low) & low == 0
        }
    }

    private let networks: [Network]
    /// Hops looked at from the right; a longer chain is a client's invention.
    private static let hopsMax = 16

    /// Nobody is believed.
    package static let none = TrustedProxies(networks: [])

    private init(networks: [Network]) {
        self.networks = networks
    }

    /// Reads `10.0.0.0/8, ::1, 192.0.2.7`; nil if an entry is no network.
    package init?(_ setting: String) {
        var networks: [Network] = []
        for entry in setting.split(separator: ",").map(\.trimmed) where !entry.isEmpty {
            let parts = entry.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count <= 2, let address = NetworkAddress(text: String(parts[0])) else {
                return nil
            }
            let bitsMax = parts[0].contains(":") ? 128 : 32
            var bits = bitsMax
            if parts.count == 2 {
                guard let given = Int(parts[1]), (0...bitsMax).contains(given) else { return nil }
                bits = given
            }
            networks.append(Network(address: address, prefixBits: bits + 128 - bitsMax))
        }
        self.networks = networks
    }

    func contains(_ address: NetworkAddress) -> Bool {
        networks.contains { $0.contains(address) }
    }

    /// The client's address, where the request came from `peer`.
    func client(peer: NetworkAddress, forwarded: [String]) -> NetworkAddress {
        guard contains(peer) else { return peer }
        var client = peer
        let hops = forwarded.flatMap { $0.split(separator: ",") }.suffix(TrustedProxies.hopsMax)
        for hop in hops.reversed() {
            // A hop that is no address was not written by a proxy of ours.
            guard let address = NetworkAddress(hop: hop.trimmed) else { break }
            client = address
            if !contains(address) { break }
        }
        return client
    }
}

extension NetworkAddress {
    /// Stands for a peer that has no address, such as a Unix socket's.
    package static let unknown = NetworkAddress(high: 0, low: 0)

    /// Reads dotted decimal or the forms of RFC 4291; nil for anything else.
    package init?(text: String) {
        var four = in_addr()
        var six = in6_addr()
        // Neither call may see a NUL that ends the text early for it alone.
        guard text.utf8.count <= NetworkAddress.textBytesMax + 16, !text.utf8.contains(0) else {
            return nil
        }
        if inet_pton(AF_INET, text, &four) == 1 {
            self.init(ipv4: UInt32(bigEndian: four.s_addr))
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            let words = withUnsafeBytes(of: &six) { bytes in
                (
                    bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
                    bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                )
            }
            self.init(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
        } else {
            return nil
        }
    }

    /// Reads a hop: an address, or one with a port as some proxies write it.
    fileprivate init?(hop: String) {
        if let address = NetworkAddress(text: hop) {
            self = address
        } else if hop.hasPrefix("["), let end = hop.firstIndex(of: "]") {
            self.init(text: String(hop[hop.index(after: hop.startIndex)..<end]))
        } else if let colon = hop.firstIndex(of: ":") {
            self.init(text: String(hop[..<colon]))
        } else {
            return nil
        }
    }
}

extension HTTPField.Name {
    static let xForwardedFor = HTTPField.Name("X-Forwarded-For")!
}
