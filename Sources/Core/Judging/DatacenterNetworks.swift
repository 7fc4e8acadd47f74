// Hosting networks: machines click from there, and people only through a VPN. So a click from one
// is held for a person to decide, not refused.
//
// The list is data, `Data/datacenters.txt`, embedded in the binary. Its form, line by line:
//
//     version 2026-11-21          first of all lines but blanks and comments
//     10.0.0.0/8 Name of owner    a network, white space, its owner (1 to 64 bytes of UTF-8)
//     # comment                   also behind a network's owner, after white space
//
// Never listed: carriers (their address translation hides thousands of shoppers behind one address)
// and relays that people browse by, such as iCloud Private Relay, whose egress lies with
// Cloudflare, Fastly and Akamai.

import Clicks

/// The networks of hosting companies.
public struct DatacenterNetworks: Sendable {
    /// As the file says it; part of what a verdict 8 was based on.
    public let version: String
    private let networks: NetworkSet

    /// The list this build came with.
    public static let embedded: DatacenterNetworks = {
        do {
            return try DatacenterNetworks(file: PackageResources.datacenters_txt)
        } catch {
            preconditionFailure("the embedded list of hosting networks is well-formed: \(error)")
        }
    }()

    /// Why a file is refused, all lines at fault together.
    public struct Fault: Error, Equatable, CustomStringConvertible {
        /// Line numbers from 1, each with what is wrong; at most ``linesMax``.
        public let lines: [(line: Int, problem: String)]
        public static let linesMax = 20

        public var description: String {
            lines.map { "line \($0.line): \($0.problem)" }.joined(separator: "; ")
        }

        public static func == (left: Fault, right: Fault) -> Bool {
            left.description == right.description
        }
    }

    public static let networksMax = 100_000

    /// - Parameter bytes: the whole file.
    public init(file bytes: [UInt8]) throws(Fault) {
        var version: String?
        var prefixes: [NetworkPrefix] = []
        var faults: [(line: Int, problem: String)] = []
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let words = DatacenterNetworks.words(of: line)
            guard let first = words.first, faults.count < Fault.linesMax else { continue }
            let number = index + 1
            if version == nil {
                guard words.count == 2, first == "version" else {
                    faults.append((number, "the first line says `version` and which"))
                    break
                }
                version = words[1]
            } else if words.count < 2 {
                faults.append((number, "a network's owner stands behind it"))
            } else if let prefix = NetworkPrefix(first) {
                prefixes.append(prefix)
            } else {
                faults.append((number, "\(first) is no network such as 10.0.0.0/8"))
            }
        }
        if prefixes.count > DatacenterNetworks.networksMax {
            faults.append((lines.count, "more than \(DatacenterNetworks.networksMax) networks"))
        }
        guard faults.isEmpty, let version else {
            throw Fault(lines: faults.isEmpty ? [(1, "the file has no version")] : faults)
        }
        self.version = version
        networks = NetworkSet(prefixes)
    }

    /// Whether the address is in a hosting network.
    ///
    /// - Complexity: one binary search, see ``NetworkSet``; no allocation, no lock.
    public func contains(_ address: NetworkAddress) -> Bool {
        networks.contains(address)
    }

    /// What stands between white space, up to a word that begins with `#`.
    private static func words(of line: ArraySlice<UInt8>) -> [String] {
        let words = line.split { $0 == UInt8(ascii: " ") || $0 == 0x09 || $0 == 0x0D }
            .map { String(decoding: $0, as: UTF8.self) }
        return Array(words.prefix { !$0.hasPrefix("#") })
    }
}
