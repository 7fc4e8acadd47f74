import Checksum
import Clicks
import Glibc
import Linux
import Testing

@testable import Spool

@Suite struct SpoolFormatTests {
    /// The clicks of `Golden`'s files, which were made from the specification alone, by other code
    /// than ours. They are never edited: what was written once must be read for ever.
    private static let golden: [[WholeClick]] = {
        let gonggu = Identifier(high: 0x0193_5D2A_7F00_7000, low: 0x8000_0000_0000_0001)
        let start: Int64 = 1_795_251_600_000_000
        func same(_ digits: UInt64, _ version: UInt64) -> Identifier {
            let word = digits * 0x1111_1111_1111_1111
            return Identifier(
                high: word & ~0xF000 | version << 12, low: word & ~(0xF << 60) | 8 << 60)
        }
        let plain = WholeClick(
            Click(
                id: same(1, 7), gongguID: gonggu, time: Timestamp(microseconds: start + 1),
                visitorKey: 0x0123_4567_89AB_CDEF, address: NetworkAddress(ipv4: 0xC000_0201),
                ruleSet: RuleSet(version: 1), verdict: .valid, path: .redirect))
        let texts = WholeClick(
            Click(
                id: same(2, 7), gongguID: gonggu, time: Timestamp(microseconds: start + 2),
                visitorKey: 1, userID: same(3, 7),
                address: NetworkAddress(high: 0x2001_0DB8_0000_0000, low: 1),
                ruleSet: RuleSet(version: 1), reason: 7, verdict: .duplicate, path: .report),
            Array("갤럭시 Mozilla/5.0".utf8), Array("https://www.instagram.com/".utf8),
            Array("insta_1-A".utf8))
        let all = Identifier(high: .max, low: .max)
        let largest = WholeClick(
            Click(
                id: same(4, 7), gongguID: all, time: Timestamp(microseconds: -1),
                visitorKey: .max, userID: all, address: NetworkAddress(high: .max, low: .max),
                count: .max, ruleSet: RuleSet(version: .max), reason: .max, verdict: .datacenter,
                path: .report),
            [UInt8](repeating: 0xFF, count: 512), [UInt8](repeating: 0x72, count: 1000),
            [UInt8](repeating: 0x63, count: 32))
        let folded = WholeClick(
            Click(
                id: same(5, 7), gongguID: gonggu, time: Timestamp(microseconds: start + 4),
                visitorKey: 3, address: NetworkAddress(ipv4: 0x7F00_0001), count: 600,
                ruleSet: RuleSet(version: 1), verdict: .flood, path: .redirect),
            [0, 0x0D, 0x0A], [], [0x78])
        var again = texts
        again.click.time = Timestamp(microseconds: start + 5)
        return [[plain], [texts, largest, folded], [again, texts]]
    }()

    private static func goldenBytes(version: Int) throws -> [UInt8] {
        let folder = #filePath.prefix(through: #filePath.lastIndex(of: "/")!)
        return try File.contents(
            of: folder + "Golden/version-\(version).clicks", bytesMax: 1 << 20)
    }

    @Test(arguments: [(1, 2), (2, 3)])
    func `each version is read as it was written`(version: Int, frames: Int) throws {
        let bench = try SpoolBench()
        let name = try #require(SegmentName("0003-1795251600000000-0000000001.clicks"))
        try bench.replace(name, with: try SpoolFormatTests.goldenBytes(version: version))
        var expected = SegmentContents()
        expected.clicks = SpoolFormatTests.golden[..<frames].flatMap { $0 }
        #expect(try SegmentContents(bench.intake, name) == expected)
    }

    @Test func `version 2 is written to the byte`() throws {
        let bench = try SpoolBench()
        let writer = bench.writer(try bench.folder(), worker: 3)
        for frame in SpoolFormatTests.golden {
            for click in frame { #expect(click.append(to: writer)) }
            #expect(writer.commit() == .written(records: frame.count))
        }
        let names = try bench.intake.segments()
        #expect(names.map(\.description) == ["0003-1795251600000000-0000000001.clicks"])
        #expect(try bench.bytes(of: names[0]) == SpoolFormatTests.goldenBytes(version: 2))
    }

    @Test func `a later version is refused by its number`() throws {
        let bench = try SpoolBench()
        let name = try bench.segment([[.numbered(1)]])
        var bytes = try bench.bytes(of: name)
        bytes[8] = 3
        bytes.withUnsafeMutableBytes { all in
            let covered = UnsafeRawBufferPointer(rebasing: all[..<124])
            all.baseAddress!.store(CRC32C.of(covered), at: 124)
        }
        try bench.replace(name, with: bytes)
        let error = #expect(throws: SpoolError.self) { try SegmentContents(bench.intake, name) }
        #expect(
            "\(error!)".contains("has spool format version 3, this build reads versions 1 to 2"))
    }

    @Test func `a segment under another's name is refused`() throws {
        let bench = try SpoolBench()
        let name = try bench.segment([[.numbered(1)]])
        let other = SegmentName(worker: 9, startMicros: name.startMicros, sequence: 1)
        try File.rename(bench.intake.path(of: name), to: bench.intake.path(of: other))
        let error = #expect(throws: SpoolError.self) { try SegmentContents(bench.intake, other) }
        #expect("\(error!)".contains("was written under another name"))
    }

    @Test func `file names sort as their numbers do`() {
        var random = SeededRandom()
        let names = (0..<200).map { _ in
            SegmentName(
                worker: Int.random(in: 0...9999, using: &random),
                startMicros: Int64.random(in: 0...9_999_999_999_999_999, using: &random),
                sequence: Int64.random(in: 1...9_999_999_999, using: &random))
        }
        #expect(
            names.sorted().map(\.description) == names.map(\.description).sorted(),
            "seed \(random.seed)")
        #expect(names.map { SegmentName($0.description) } == names, "seed \(random.seed)")
    }

    @Test(arguments: [
        "", "edge.lock", "0003-1795251600000000-0000000001.click",
        "003-1795251600000000-0000000001.clicks", "0003-1795251600000000-0000000000.clicks",
        "0003_1795251600000000-0000000001.clicks", "-003-1795251600000000-0000000001.clicks",
        "0003-17952516000000٠-0000000001.clicks", "0003-1795251600000000-0000000001.clicks.tmp",
    ])
    func `other names are no segments`(name: String) {
        #expect(SegmentName(name) == nil)
    }

    @Test func `a segment is closed by a later one of its worker or of a later process`() {
        func name(_ worker: Int, _ start: Int64, _ sequence: Int64) -> SegmentName {
            SegmentName(worker: worker, startMicros: start, sequence: sequence)
        }
        let segment = name(1, 100, 5)
        #expect(!segment.isClosed(among: [segment]))
        #expect(!segment.isClosed(among: [segment, name(1, 100, 4), name(2, 100, 9)]))
        #expect(!segment.isClosed(among: [segment, name(1, 99, 9), name(0, 99, 9)]))
        #expect(segment.isClosed(among: [segment, name(1, 100, 6)]))
        #expect(segment.isClosed(among: [segment, name(0, 101, 1)]))
    }

    @Test(arguments: ["", ".", "..", ".hidden", "a/b", "에지", String(repeating: "a", count: 65)])
    func `an edge id that is no plain file name is refused`(id: String) throws {
        let root = TestFolder()
        let error = #expect(throws: SpoolError.self) {
            _ = try SpoolFolder.open(root.path, edgeID: id, nowMicros: 1)
        }
        #expect("\(error!)".hasPrefix("edge id \"\(id)\" is not 1 to 64"))
    }
}
