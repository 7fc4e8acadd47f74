import Glibc
import Linux
import TestSupport
import Testing

@testable import GeoIP

@Suite struct CountryTableTests {
    private let folder: TestFolder
    private var path: String { folder.path + "/countries.mmdb" }

    init() throws { folder = try TestFolder() }

    private struct Network {
        let bits: [Bool]
        let country: String
    }

    private func write(_ bytes: [UInt8]) throws {
        let file = try File.open(path, .createOrTruncate)
        try bytes.withUnsafeBytes { try File.writeWhole($0, to: file, path: path) }
    }

    private func text(_ country: UInt16) -> String {
        String(decoding: [UInt8(country >> 8), UInt8(country & 0xFF)], as: UTF8.self)
    }

    private func country(_ table: CountryTable, ipv4 address: UInt32) -> String {
        text(table.country(high: 0, low: 0xFFFF_0000_0000 | UInt64(address)))
    }

    private static let codes = ["KR", "JP", "US", "DE", "BR"]

    /// Networks that do not overlap: each leaf of a random tree, most of them left out.
    private func networks(_ random: inout SplitMix, bitsMax: Int) -> [[Bool]] {
        var leaves: [[Bool]] = [[]]
        for _ in 0..<200 {
            let index = Int.random(in: 0..<leaves.count, using: &random)
            guard leaves[index].count < bitsMax else { continue }
            let leaf = leaves.remove(at: index)
            leaves += [leaf + [false], leaf + [true]]
        }
        return leaves.filter { !$0.isEmpty && random.next() % 3 > 0 }
    }

    @Test(arguments: [4, 6])
    func `every address has the country of its network, and none where there is none`(
        ipVersion: Int
    ) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        for _ in 0..<20 {
            var writer = MaxMindWriter(ipVersion: ipVersion)
            let front = [Bool](repeating: false, count: ipVersion == 6 ? 96 : 0)
            var known: [Network] = []
            for bits in networks(&random, bitsMax: 32) {
                known.append(
                    Network(bits: bits, country: Self.codes.randomElement(using: &random)!))
                writer.add(front + bits, known[known.count - 1].country)
            }
            try write(writer.bytes)
            let table = try CountryTable(contentsOf: path)
            for _ in 0..<2000 {
                let address = UInt32(truncatingIfNeeded: random.next())
                // Half of them at an edge of a network.
                var bits = (0..<32).map { address >> (31 - UInt32($0)) & 1 == 1 }
                if random.next() % 2 == 0, let near = known.randomElement(using: &random) {
                    bits.replaceSubrange(0..<near.bits.count, with: near.bits)
                }
                let asked = bits.reduce(UInt32(0)) { $0 << 1 | ($1 ? 1 : 0) }
                let expected = known.first { bits.starts(with: $0.bits) }?.country ?? "ZZ"
                #expect(country(table, ipv4: asked) == expected)
            }
        }
    }

    @Test func `addresses of IPv6 are walked to their last bit, and IPv4 files know none`() throws {
        var writer = MaxMindWriter()
        writer.add(writer.ipv6(0x2001_0E60_0000_0000, 32), "KR")
        writer.add(writer.ipv6(0x2A02_0000_0000_0001, 64), "DE")
        writer.add(writer.ipv6(0x2A03_0000_0000_0000, 128), "JP")
        writer.add(writer.ipv4(0x0A00_0000, 8), "US")
        try write(writer.bytes)
        let table = try CountryTable(contentsOf: path)
        #expect(text(table.country(high: 0x2001_0E60_FFFF_0000, low: .max)) == "KR")
        #expect(text(table.country(high: 0x2001_0E61_0000_0000, low: 0)) == "ZZ")
        #expect(text(table.country(high: 0x2A02_0000_0000_0001, low: 7)) == "DE")
        #expect(text(table.country(high: 0x2A02_0000_0000_0000, low: 7)) == "ZZ")
        #expect(text(table.country(high: 0x2A03_0000_0000_0000, low: 0)) == "JP")
        #expect(text(table.country(high: 0x2A03_0000_0000_0000, low: 1)) == "ZZ")
        #expect(country(table, ipv4: 0x0A01_0203) == "US")
        #expect(table.builtAtSeconds == 1_795_230_000)
        var old = MaxMindWriter(ipVersion: 4)
        old.add(old.ipv4(0, 1), "KR")
        try write(old.bytes)
        let ipv4 = try CountryTable(contentsOf: path)
        #expect(text(ipv4.country(high: 0x2001_0E60_0000_0000, low: 0)) == "ZZ")
        #expect(country(ipv4, ipv4: 1) == "KR")
    }

    private func sample() -> [UInt8] {
        var writer = MaxMindWriter()
        for number in 0..<40 {
            writer.add(writer.ipv4(UInt32(number) << 24, 8), Self.codes[number % 5])
        }
        writer.add(writer.ipv6(0x2001_0E60_0000_0000, 32), "KR")
        return writer.bytes
    }

    /// What any table must withstand, whatever it was made from.
    private func ask(_ table: CountryTable, _ random: inout SplitMix) {
        for _ in 0..<50 {
            _ = table.country(high: random.next(), low: random.next())
            _ = country(table, ipv4: UInt32(truncatingIfNeeded: random.next()))
        }
    }

    @Test func `a file cut anywhere is refused or read, and never more than that`() throws {
        let whole = sample()
        var random = SplitMix(state: 1)
        for count in 0..<whole.count {
            try write(Array(whole[..<count]))
            do throws(GeoIPError) {
                ask(try CountryTable(contentsOf: path), &random)
            } catch {
                #expect("\(error)" != "")
            }
        }
        try write(whole)
        #expect(country(try CountryTable(contentsOf: path), ipv4: 1) == "KR")
    }

    @Test func `any byte may be any other`() throws {
        let whole = sample()
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        var refused = 0
        for place in whole.indices {
            var bytes = whole
            bytes[place] = UInt8(truncatingIfNeeded: random.next())
            if random.next() % 4 == 0 {
                let other = Int(random.next() % UInt64(bytes.count))
                bytes[other] = UInt8(truncatingIfNeeded: random.next())
            }
            try write(bytes)
            do throws(GeoIPError) {
                ask(try CountryTable(contentsOf: path), &random)
            } catch {
                refused += 1
            }
        }
        #expect(refused > 0 && refused < whole.count)
    }

    @Test func `a tree that leads back to itself ends a walk`() throws {
        var bytes = sample()
        // The root's left record: the root.
        bytes[0] = 0
        bytes[1] = 0
        bytes[2] = 0
        try write(bytes)
        var random = SplitMix(state: 2)
        if let table = try? CountryTable(contentsOf: path) { ask(table, &random) }
    }

    @Test func `what is no file is refused at once`() throws {
        for other in [folder.path, "/dev/zero", "/dev/null", folder.path + "/absent"] {
            #expect(throws: GeoIPError.self) { try CountryTable(contentsOf: other) }
        }
        let pipe = folder.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(throws: GeoIPError.self) { try CountryTable(contentsOf: pipe) }
    }

    @Test func `a file that shrinks and is overwritten under a table changes nothing in it`() throws
    {
        try write(sample())
        let table = try CountryTable(contentsOf: path)
        #expect(truncate(path, 3) == 0)
        #expect(country(table, ipv4: 1) == "KR")
        try write([UInt8](repeating: 0xFF, count: 100_000))
        #expect(country(table, ipv4: 0x0100_0000) == "JP")
    }
}
