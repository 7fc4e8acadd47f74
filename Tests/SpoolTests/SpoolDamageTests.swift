import Checksum
import Clicks
import Glibc
import Linux
import Testing

@testable import Spool

/// What reading makes of a segment that is not as it was written.
@Suite struct SpoolDamageTests {
    @Test func `what goes in comes out, whatever bytes the texts have`() throws {
        var random = SeededRandom()
        let bench = try SpoolBench()
        let frames = (0..<60).map { _ in
            (0..<Int.random(in: 1...40, using: &random)).map { _ in WholeClick.random(&random) }
        }
        var expected = SegmentContents()
        expected.clicks = frames.flatMap { $0 }.map(\.kept)
        let name = try bench.segment(frames)
        #expect(try SegmentContents(bench.intake, name) == expected, "seed \(random.seed)")
    }

    @Test func `one wrong byte costs its own frame and the texts that only it has`() throws {
        let bench = try SpoolBench()
        let frames: [[WholeClick]] = [
            [.numbered(1)], [.numbered(2), .numbered(3)], [.numbered(4)], [.numbered(5)],
        ]
        let name = try bench.segment(frames)
        let bytes = try bench.bytes(of: name)
        let starts = try frameStarts(bench, name)
        var random = SeededRandom()
        for place in bytes.indices {
            var damaged = bytes
            damaged[place] ^= UInt8.random(in: 1...255, using: &random)
            try bench.replace(name, with: damaged)
            let contents = try SegmentContents(bench.intake, name)
            let hit = starts.lastIndex { $0 <= place }
            var expected = frames
            if let hit { expected.remove(at: hit) }
            // The first frame has all texts.
            if hit == 0 { expected = expected.map { $0.map(\.withoutTexts) } }
            let hint: Comment = "byte \(place), seed \(random.seed)"
            #expect(contents.clicks == expected.flatMap { $0 }, hint)
            #expect(contents.damages.count == 1 && contents.tornBytes == 0, hint)
            #expect(contents.textsLost == (hit == 0 ? 8 : 0), hint)
            let ends = starts.dropFirst() + [bytes.count]
            let lost = hit.map { ends[ends.startIndex + $0] - starts[$0] } ?? 128
            #expect(contents.damagedBytes == lost, hint)
        }
    }

    @Test func `a file cut anywhere gives its whole frames`() throws {
        let bench = try SpoolBench()
        let frames: [[WholeClick]] = [
            [.numbered(1)], [.numbered(2), .numbered(3)], [.numbered(4)],
        ]
        let name = try bench.segment(frames)
        let bytes = try bench.bytes(of: name)
        let ends = try frameStarts(bench, name).dropFirst() + [bytes.count]
        for count in 0...bytes.count {
            try bench.replace(name, with: Array(bytes[..<count]))
            let whole = ends.filter { $0 <= count }.count
            var expected = SegmentContents()
            expected.clicks = frames[..<whole].flatMap { $0 }
            #expect(try SegmentContents(bench.intake, name, isClosed: false) == expected)
            let begin = whole > 0 ? ends[ends.startIndex + whole - 1] : count < 128 ? 0 : 128
            expected.tornBytes = count - begin
            #expect(try SegmentContents(bench.intake, name, isClosed: true) == expected)
        }
    }

    @Test func `a damaged header in an open segment waits for the frame that ends it`() throws {
        let bench = try SpoolBench()
        let name = try bench.segment([[.numbered(1)], [.numbered(2)], [.numbered(3)]])
        var bytes = try bench.bytes(of: name)
        let starts = try frameStarts(bench, name)
        bytes[starts[1] + 5] ^= 1
        for count in starts[2]..<bytes.count {
            try bench.replace(name, with: Array(bytes[..<count]))
            let reader = try bench.intake.reader(of: name)
            guard case .waiting = try reader.next(at: starts[1], isClosed: false) else {
                Issue.record("\(count) bytes are enough to tell")
                return
            }
            // The same reader finds it once it is there.
            try bench.replace(name, with: bytes)
            guard case .damaged(let range, _) = try reader.next(at: starts[1], isClosed: false)
            else {
                Issue.record("the next frame is not found")
                return
            }
            #expect(range == starts[1]..<starts[2])
        }
    }

    /// A frame as the format wants it, checksums included, of any payload.
    private func frame(
        _ payload: [UInt8], count: UInt32, at offset: Int, firstText: UInt32 = 1
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 32) + payload
        bytes.withUnsafeMutableBytes { all in
            let start = all.baseAddress!
            let body = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(all)[32...])
            start.store(SpoolFormat.frameMagic, at: 0)
            start.store(UInt32(payload.count), at: 4)
            start.store(count, at: 8)
            start.store(CRC32C.of(body), at: 12)
            start.store(firstText, at: 16)
            start.store(UInt32(offset), at: 24)
            start.store(CRC32C.of(UnsafeRawBufferPointer(start: start, count: 28)), at: 28)
        }
        return bytes
    }

    @Test func `a frame inside a client's text is no frame`() throws {
        let bench = try SpoolBench()
        let plain = try bench.segment([[.numbered(1)]])
        let record = Array(try bench.bytes(of: plain)[160...])
        let inner = frame(record, count: 1, at: 128 + 32 + 64 + 4 + 2)
        var carrier = WholeClick.numbered(2)
        carrier.userAgent = inner
        let other = try SpoolBench()
        let name = try other.segment([[carrier], [.numbered(3)]])
        #expect(try SegmentContents(other.intake, name).clicks == [carrier, .numbered(3)])
        // Copied elsewhere, it does not even pass after damage.
        var moved = WholeClick.numbered(2)
        moved.userAgent = [0x41] + inner
        let third = try SpoolBench()
        let movedName = try third.segment([[moved], [.numbered(3)]])
        var bytes = try third.bytes(of: movedName)
        bytes[128] ^= 1
        try third.replace(movedName, with: bytes)
        var left = WholeClick.numbered(3)
        left.referer = []
        #expect(try SegmentContents(third.intake, movedName).clicks == [left])
    }

    @Test(
        arguments: [
            ("verdict 10", 60, [10]), ("path 2", 61, [2]), ("an unknown bit", 62, [8]),
            ("count 0", 62, [4, 1, 0x7F, 0, 0, 1, 0, 0, 0, 0]), ("no room for a user", 62, [3]),
            ("user agent over its bound", 68, [1, 2]), ("user agent of no bytes", 68, [0, 0]),
            ("referer over its bound", 75, [0xE9, 3]), ("channel over its bound", 63, [33]),
            ("texts past the end", 63, [2]), ("a byte left over", 63, [0]),
            ("a number far from the first", 48, [1, 0, 1, 0x80]),
        ] as [(String, Int, [UInt8])])
    func `an impossible record damages its frame although its checksum is right`(
        what: String, place: Int, bytes: [UInt8]
    ) throws {
        let bench = try SpoolBench()
        let name = try bench.segment([[.numbered(1)], [.numbered(2)]])
        let whole = try bench.bytes(of: name)
        let starts = try frameStarts(bench, name)
        var payload = Array(whole[(starts[0] + 32)..<starts[1]])
        payload.replaceSubrange(place..<place + bytes.count, with: bytes)
        let forged = frame(payload, count: 1, at: 128)
        try bench.replace(name, with: whole[..<128] + forged + whole[starts[1]...])
        let contents = try SegmentContents(bench.intake, name)
        #expect(contents.clicks.map(\.click) == [WholeClick.numbered(2).click], "\(what)")
        #expect(contents.damages == [.record], "\(what)")
    }

    @Test func `a text numbered below its frame's first damages the frame`() throws {
        let bench = try SpoolBench()
        let name = try bench.segment([[.numbered(1)]])
        let whole = try bench.bytes(of: name)
        for (firstText, clicks) in [(1, 1), (2, 0)] as [(UInt32, Int)] {
            let forged = frame(Array(whole[160...]), count: 1, at: 128, firstText: firstText)
            try bench.replace(name, with: whole[..<128] + forged)
            #expect(try SegmentContents(bench.intake, name).clicks.count == clicks)
        }
    }

    @Test(
        arguments: [
            (0, 1), (63, 1), (64, 0), (64, 2), (64, .max), (SpoolFormat.payloadBytesMax + 1, 1),
        ] as [(Int, UInt32)])
    func `impossible lengths are not believed although their checksum is right`(
        payloadBytes: Int, count: UInt32
    ) throws {
        let bench = try SpoolBench()
        let name = try bench.segment([[.numbered(1)]])
        let head = Array(try bench.bytes(of: name)[..<128])
        let payload = [UInt8](repeating: 1, count: payloadBytes)
        try bench.replace(name, with: head + frame(payload, count: count, at: 128))
        let contents = try SegmentContents(bench.intake, name)
        #expect(contents.clicks.isEmpty && contents.damages == [.frameHeader])
        #expect(contents.damagedBytes == 32 + payloadBytes)
    }

    @Test func `random bytes never crash the reader nor come out as clicks`() throws {
        var random = SeededRandom()
        let bench = try SpoolBench()
        let name = try bench.segment([[.numbered(1)]])
        let head = Array(try bench.bytes(of: name)[..<128])
        for _ in 0..<200 {
            var noise = (0..<Int.random(in: 0...3000, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            for _ in 0..<Int.random(in: 0...20, using: &random) where noise.count > 4 {
                let place = Int.random(in: 0...noise.count - 4, using: &random)
                noise.replaceSubrange(
                    place..<place + 4,
                    with: Array((Bool.random(using: &random) ? "GGF1" : "GGF2").utf8))
            }
            try bench.replace(name, with: head + noise)
            let contents = try SegmentContents(bench.intake, name)
            #expect(contents.clicks.isEmpty, "seed \(random.seed)")
            #expect(contents.damagedBytes + contents.tornBytes == noise.count)
        }
    }

    @Test func `a damaged range is kept once, byte for byte`() throws {
        let bench = try SpoolBench()
        let name = try bench.segment([[.numbered(1)], [.numbered(2)]])
        let bytes = try bench.bytes(of: name)
        let note = QuarantineNote(reason: "two\nlines", time: "now")
        let path = try bench.intake.quarantine(name, 128..<200, .frameHeader, note)
        #expect(path.hasSuffix("/quarantine/\(name).128.frame-header"))
        #expect(try File.contents(of: path, bytesMax: 1000) == Array(bytes[128..<200]))
        try bench.replace(name, with: [])
        #expect(try bench.intake.quarantine(name, 128..<200, .frameHeader, note) == path)
        #expect(try File.contents(of: path, bytesMax: 1000) == Array(bytes[128..<200]))
        #expect(bench.intake.quarantine.files().map(\.offset) == [128])
        let text = String(
            decoding: try File.contents(of: path + ".txt", bytesMax: 4096), as: UTF8.self)
        for line in ["segment: \(name)", "offset: 128", "bytes: 72", "reason: two lines"] {
            #expect(text.split(separator: "\n").contains { $0 == line }, "\(line)")
        }
    }

    private func frameStarts(_ bench: SpoolBench, _ name: SegmentName) throws -> [Int] {
        let reader = try bench.intake.reader(of: name)
        var starts: [Int] = []
        var offset = SpoolFormat.segmentHeaderBytes
        while case .frame(_, let next) = try reader.next(at: offset, isClosed: true) {
            starts.append(offset)
            offset = next
        }
        return starts
    }
}
