// Writes MaxMind DB files (format 2.0) for tests, from the public specification and not from
// libmaxminddb's idea of it: a search tree of 24-bit records, 16 zero bytes, data, metadata.

/// A country database being made.
package struct MaxMindWriter {
    private enum Place {
        case empty
        case node(Int)
        case country(Int)
    }

    private var nodes: [(left: Place, right: Place)] = [(.empty, .empty)]
    private var countries: [String] = []
    private let ipVersion: Int

    /// - Parameter ipVersion: 4 or 6; in 6, IPv4 lies below ::/96.
    package init(ipVersion: Int = 6) { self.ipVersion = ipVersion }

    /// Adds a network; none may lie within another.
    /// - Parameter bits: of the address, in order, as many as the prefix is long.
    package mutating func add(_ bits: [Bool], _ country: String) {
        let index = countries.firstIndex(of: country) ?? countries.count
        if index == countries.count { countries.append(country) }
        var node = 0
        for bit in bits.dropLast() {
            switch bit ? nodes[node].right : nodes[node].left {
            case .node(let next): node = next
            case .empty:
                nodes.append((.empty, .empty))
                set(node, bit, .node(nodes.count - 1))
                node = nodes.count - 1
            case .country: preconditionFailure("networks of a test do not overlap")
            }
        }
        set(node, bits[bits.count - 1], .country(index))
    }

    /// The bits of an IPv4 network in this file.
    package func ipv4(_ address: UInt32, _ prefix: Int) -> [Bool] {
        [Bool](repeating: false, count: ipVersion == 6 ? 96 : 0)
            + (0..<prefix).map { address >> (31 - UInt32($0)) & 1 == 1 }
    }

    /// The bits of an IPv6 network, of which the lower half is zero.
    package func ipv6(_ high: UInt64, _ prefix: Int) -> [Bool] {
        (0..<prefix).map { $0 < 64 && high >> (63 - UInt64($0)) & 1 == 1 }
    }

    private mutating func set(_ node: Int, _ bit: Bool, _ place: Place) {
        if bit { nodes[node].right = place } else { nodes[node].left = place }
    }

    package var bytes: [UInt8] {
        var data: [UInt8] = []
        let offsets = countries.map { country in
            defer {
                data += map(1) + text("country") + map(1) + text("iso_code") + text(country)
            }
            return data.count
        }
        var bytes: [UInt8] = []
        for node in nodes {
            for place in [node.left, node.right] {
                let record =
                    switch place {
                    case .empty: nodes.count
                    case .node(let number): number
                    case .country(let index): nodes.count + 16 + offsets[index]
                    }
                bytes += [
                    UInt8(record >> 16 & 0xFF), UInt8(record >> 8 & 0xFF), UInt8(record & 0xFF),
                ]
            }
        }
        bytes += [UInt8](repeating: 0, count: 16) + data
        bytes += [0xAB, 0xCD, 0xEF] + Array("MaxMind.com".utf8) + metadata
        return bytes
    }

    private var metadata: [UInt8] {
        map(9) + text("node_count") + number(nodes.count, type: 6, bytes: 4)
            + text("record_size") + number(24, type: 5, bytes: 2)
            + text("ip_version") + number(ipVersion, type: 5, bytes: 2)
            + text("database_type") + text("Test-Country")
            + text("languages") + [0x01, 0x04] + text("en")
            + text("binary_format_major_version") + number(2, type: 5, bytes: 2)
            + text("binary_format_minor_version") + number(0, type: 5, bytes: 2)
            + text("build_epoch") + [0x08, 0x02] + big(1_795_230_000, 8)
            + text("description") + map(1) + text("en") + text("made by a test")
    }

    private func map(_ pairs: Int) -> [UInt8] { [7 << 5 | UInt8(pairs)] }

    private func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        precondition(bytes.count < 29, "a test's texts are short")
        return [2 << 5 | UInt8(bytes.count)] + bytes
    }

    private func number(_ value: Int, type: UInt8, bytes: Int) -> [UInt8] {
        [type << 5 | UInt8(bytes)] + big(value, bytes)
    }

    private func big(_ value: Int, _ bytes: Int) -> [UInt8] {
        (0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * (bytes - 1 - $0))) }
    }
}
