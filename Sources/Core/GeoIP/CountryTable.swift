// Countries of addresses, from a MaxMind DB file that anybody may have made, cut short or be
// replacing at this moment. libmaxminddb reads it, once and from a sealed copy in memory: it maps
// the file it is given, and a mapped file that shrinks ends the process (SIGBUS). What it says is
// kept as a tree of our own; after loading, neither the file nor the library is asked anything.
//
// The tree is a MaxMind DB's (format 2.0): a bit of the address a node, from the most significant;
// IPv4 lies below ::/96. Invariant: each of the `2 × nodeCount` words is a node's number below
// `nodeCount`, or the negative of a country's index less one. A walk takes at most 128 of them,
// whatever they say.

import CMaxMindDB
import Glibc

/// Why a file gives no table. The one before serves on.
package enum GeoIPError: Error, Equatable, CustomStringConvertible {
    case system(String, code: Int32)
    case tooLarge(bytes: Int)
    /// libmaxminddb's word for what is wrong.
    case corrupt(String)
    /// It takes longer to read than any honest file.
    case tooSlow

    package var description: String {
        switch self {
        case .system(let call, let code): "\(call): \(String(cString: strerror(code)))"
        case .tooLarge(let bytes): "\(bytes) bytes are too many"
        case .corrupt(let reason): "it is no sound MaxMind DB: \(reason)"
        case .tooSlow: "it takes too long to read"
        }
    }
}

/// Addresses to countries. Immutable.
///
/// Unchecked: its memory is written by `init` alone.
package final class CountryTable: @unchecked Sendable {
    /// "ZZ", which ISO 3166 leaves to users: unknown.
    package static let unknown: UInt16 = 0x5A5A
    /// Today's largest files have some 120 MB.
    package static let fileBytesMax = 1 << 30
    /// 0.3 s were measured for a million nodes.
    static let loadSecondsMax = 20

    private let nodes: UnsafeMutablePointer<Int32>
    private let countries: [UInt16]
    /// Where the first 16 bits of an IPv4 address lead.
    private let ipv4Jumps: UnsafeMutablePointer<Int32>
    private let hasIPv6: Bool
    package let nodeCount: Int
    /// When the file says it was built, seconds since 1970.
    package let builtAtSeconds: UInt64

    /// Reads a whole file; blocks for some tenths of a second.
    package init(contentsOf path: String) throws(GeoIPError) {
        let tree = try MaxMindFile.read(path)
        nodeCount = tree.nodes.count / 2
        builtAtSeconds = tree.builtAtSeconds
        hasIPv6 = tree.isIPv6
        countries = tree.countries
        let nodes = UnsafeMutablePointer<Int32>.allocate(capacity: tree.nodes.count)
        nodes.initialize(from: tree.nodes, count: tree.nodes.count)
        self.nodes = nodes
        var start: Int32 = 0
        for _ in 0..<(tree.isIPv6 ? 96 : 0) where start >= 0 { start = nodes[2 * Int(start)] }
        ipv4Jumps = .allocate(capacity: 1 << 16)
        for front in 0..<(1 << 16) {
            var place = start
            for bit in 0..<16 where place >= 0 {
                place = nodes[2 * Int(place) + front >> (15 - bit) & 1]
            }
            ipv4Jumps[front] = place
        }
    }

    deinit {
        nodes.deallocate()
        ipv4Jumps.deallocate()
    }

    /// The country of an address of two words, IPv4 in its mapped form: two letters, the first in
    /// the upper byte; ``unknown`` where the file says nothing.
    package func country(high: UInt64, low: UInt64) -> UInt16 {
        var place: Int32
        if high == 0 && low >> 32 == 0xFFFF {
            let address = UInt32(truncatingIfNeeded: low)
            place = ipv4Jumps[Int(address >> 16)]
            var rest = UInt32(address << 16)
            for _ in 0..<16 where place >= 0 {
                place = nodes[2 * Int(place) + Int(rest >> 31)]
                rest <<= 1
            }
        } else {
            guard hasIPv6 else { return CountryTable.unknown }
            place = walk(low, from: walk(high, from: 0))
        }
        return place < 0 ? countries[Int(-(place + 1))] : CountryTable.unknown
    }

    private func walk(_ word: UInt64, from start: Int32) -> Int32 {
        var place = start
        var rest = word
        for _ in 0..<64 where place >= 0 {
            place = nodes[2 * Int(place) + Int(rest >> 63)]
            rest <<= 1
        }
        return place
    }
}
