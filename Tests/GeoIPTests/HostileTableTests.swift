import Glibc
import Linux
import Synchronization
import TestSupport
import Testing

@testable import GeoIP

/// Country files that somebody has made wrong, by accident or not.
@Suite struct HostileTableTests {
    private let folder: TestFolder
    private var path: String { folder.path + "/countries.mmdb" }

    init() throws { folder = try TestFolder() }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = try File.open(path, .createOrTruncate)
        try bytes.withUnsafeBytes { try File.writeWhole($0, to: file, path: path) }
    }

    /// Some 400 bytes.
    private func sample(_ country: String = "KR") -> [UInt8] {
        var writer = MaxMindWriter(ipVersion: 4)
        writer.add(writer.ipv4(0x0100_0000, 8), country)
        writer.add(writer.ipv4(0x0200_0000, 7), "JP")
        writer.add(writer.ipv4(0x8000_0000, 1), "US")
        return writer.bytes
    }

    /// Whatever the table was made from, each of these has an answer, soon.
    private func ask(_ table: CountryTable) {
        for high in [0, 1, 0x2001_0E60_0000_0000, .max] as [UInt64] {
            for low in [0, 0xFFFF_0100_0000, 0xFFFF_FFFF_FFFF, .max] as [UInt64] {
                _ = table.country(high: high, low: low)
            }
        }
    }

    /// - Returns: whether it was taken for a table.
    private func load(_ bytes: [UInt8]) throws -> Bool {
        try write(bytes, to: path)
        do throws(GeoIPError) {
            ask(try CountryTable(contentsOf: path))
            return true
        } catch {
            return false
        }
    }

    @Test func `each bit of a file flipped is a table or a refusal, and never a crash`() throws {
        let whole = sample()
        var taken = 0
        for place in whole.indices {
            for bit in 0..<8 {
                var bytes = whole
                bytes[place] ^= 1 << UInt8(bit)
                if try load(bytes) { taken += 1 }
            }
        }
        #expect(taken > 0 && taken < whole.count * 8, "\(taken) of \(whole.count * 8)")
    }

    @Test func `each byte may be each extreme, from the front and from the end`() throws {
        let whole = sample()
        for place in whole.indices {
            for value in [0, 0xFF] as [UInt8] {
                var bytes = whole
                bytes[place] = value
                _ = try load(bytes)
            }
            _ = try load(Array(whole[place...]))
        }
        #expect(try load(whole))
    }

    /// Where a number of the metadata begins, behind its name and its kind.
    private func place(of name: String, in bytes: [UInt8]) throws -> Int {
        let key = Array(name.utf8)
        let at = bytes.indices.last { bytes[$0...].starts(with: key) }
        return try #require(at) + key.count + 1
    }

    @Test(arguments: [
        ("node_count", 4), ("record_size", 2), ("ip_version", 2),
        ("binary_format_major_version", 2), ("build_epoch", 8),
    ])
    func `a count may be anything up to the largest`(name: String, size: Int) throws {
        let whole = sample()
        let at = try place(of: name, in: whole)
        for value in [0, 1, 2, 23, 24, 25, 28, 32, 33, 64, 255, 256, 65_535, 65_536, 1 << 31] {
            for sign in [0, 1] {
                var bytes = whole
                let number = UInt64(value) &- UInt64(sign)
                for index in 0..<size {
                    bytes[at + index] = UInt8(
                        truncatingIfNeeded: number >> (8 * UInt64(size - 1 - index)))
                }
                _ = try load(bytes)
            }
        }
    }

    @Test func `a tree that is all circles ends each walk`() throws {
        let whole = sample()
        let at = try place(of: "node_count", in: whole)
        let nodes = whole[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
        var random = SplitMix(state: 7)
        for _ in 0..<50 {
            var bytes = whole
            for record in 0..<nodes * 2 {
                let target = Int(random.next() % UInt64(nodes))
                bytes[record * 3] = UInt8(target >> 16)
                bytes[record * 3 + 1] = UInt8(target >> 8 & 0xFF)
                bytes[record * 3 + 2] = UInt8(target & 0xFF)
            }
            _ = try load(bytes)
        }
    }

    @Test func `data that points at itself, or is nested without end, ends the reading`() throws {
        let whole = sample()
        let at = try place(of: "node_count", in: whole)
        let nodes = whole[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
        let data = nodes * 6 + 16
        // A pointer to where it stands; a map and an array of as many entries as can be said.
        let shapes: [[UInt8]] = [
            [0x20, 0x00], [0xFF, 0xFF, 0xFF, 0xFF], [0x1F, 0x04, 0xFF, 0xFF, 0xFF],
            [0xE1, 0x20, 0x00, 0x20, 0x00], [UInt8](repeating: 0xE1, count: 24),
            [0x01, 0x04, 0x01, 0x04, 0x01, 0x04, 0x20, 0x00],
        ]
        for shape in shapes {
            var bytes = whole
            bytes.replaceSubrange(data..<data + shape.count, with: shape)
            _ = try load(bytes)
        }
        #expect(try load(whole))
    }

    @Test func `a file replaced and overwritten while it is read is one of those it was`() throws {
        let isOver = Atomic<Bool>(false)
        let (korean, german) = (sample("KR"), sample("DE"))
        try write(korean, to: path)
        let path = path
        let failed = Atomic<Int>(0)
        let replacing = SystemThread(name: "replacing") {
            var turn = 0
            while !isOver.load(ordering: .relaxed) {
                turn += 1
                let bytes = turn % 2 == 0 ? korean : german
                do {
                    try self.write(bytes, to: path + ".new")
                    try File.rename(path + ".new", to: path)
                    if turn % 3 == 0 { _ = truncate(path, turn % bytes.count) }
                } catch {
                    failed.add(1, ordering: .relaxed)
                }
            }
        }
        var countries: Set<UInt16> = []
        for _ in 0..<500 {
            // A cut file is refused; what is taken is whole.
            guard let table = try? CountryTable(contentsOf: path) else { continue }
            countries.insert(table.country(high: 0, low: 0xFFFF_0100_0000))
        }
        isOver.store(true, ordering: .relaxed)
        replacing.join()
        #expect(failed.load(ordering: .relaxed) == 0)
        #expect(countries.isSubset(of: [0x4B52, 0x4445]) && !countries.isEmpty, "\(countries)")
    }
}
