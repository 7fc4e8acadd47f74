import Checksum
import Clicks
import Glibc
import Linux
import Testing

@testable import Links

@Suite struct LinksFileTests {
    @Test(arguments: [1, 2, 3, 64, 65, 20_000])
    func `every link is found under its id and its code, and no other is`(count: Int) throws {
        var random = SeededRandom()
        let hint: Comment = "seed \(random.seed)"
        let links = LinkSource.random(count, &random)
        let folder = LinksFolder()
        try folder.write(links)
        let table = try LinkTable(path: folder.file)
        #expect(table.linkCount == count && table.generatedAt == Timestamp(microseconds: 5))
        let codes = Set(links.map(\.shortCode))
        for link in links {
            #expect(link.agrees(with: table.find(id: link.id)), hint)
            #expect(link.agrees(with: table.find(link.shortCode)), hint)
            let longer = link.shortCode + "a"
            #expect((table.find(longer) != nil) == codes.contains(longer), hint)
            let shorter = String(link.shortCode.dropLast())
            #expect((table.find(shorter) != nil) == codes.contains(shorter), hint)
            #expect(table.find(link.shortCode + "\0") == nil, hint)
            #expect(table.find(id: Identifier(high: link.id.low, low: link.id.high)) == nil, hint)
        }
    }

    @Test func `a code's words are its bytes padded with zeros, at every length`() {
        var random = SeededRandom()
        for _ in 0..<50 {
            for count in 0...20 {
                let code = (0..<count).map { _ in UInt8.random(in: 1...255, using: &random) }
                let padded = code + [UInt8](repeating: 0, count: max(0, 16 - count))
                let words = padded.withUnsafeBytes { bytes in
                    (bytes.number(at: 0, as: UInt64.self), bytes.number(at: 8, as: UInt64.self))
                }
                let key = code.withUnsafeBytes { LinkKey(code: $0) }
                let wanted =
                    1...16 ~= count
                    ? LinkKey(kind: .code, first: words.0, second: words.1) : nil
                #expect(key == wanted, "seed \(random.seed)")
            }
        }
    }

    @Test func `a file of no links finds none`() throws {
        let folder = LinksFolder()
        #expect(try folder.write([]) == 0)
        let table = try LinkTable(path: folder.file)
        #expect(table.linkCount == 0 && table.fileBytes == 192)
        #expect(
            table.find(id: .anonymous) == nil && table.find("") == nil && table.find("a") == nil)
        #expect(table.find(String(repeating: "a", count: 17)) == nil)
    }

    @Test func `the same links, seed and time make the same bytes`() throws {
        var random = SeededRandom()
        let links = LinkSource.random(100, &random)
        let folder = LinksFolder()
        let checksum = try folder.write(links, seed: (1, 2))
        let bytes = try folder.bytes()
        #expect(try folder.write(links, seed: (1, 2)) == checksum)
        #expect(try folder.bytes() == bytes)
        // In another order at another time it is another file of the same content.
        #expect(try folder.write(links.reversed(), at: 6, seed: (3, 4)) == checksum)
        #expect(try folder.bytes() != bytes)
        #expect(try LinkTable(path: folder.file).contentChecksum == checksum)
        for place in links.indices {
            var other = links
            switch place % 6 {
            case 0: other[place].isSuspended.toggle()
            case 1: other[place].location.append(0x61)
            case 2: other[place].location[0] ^= 1
            case 3: other[place].closesAt = other[place].closesAt.advanced(bySeconds: 1)
            case 4: other[place].influencerID = .anonymous
            default: other.remove(at: place)
            }
            #expect(try folder.write(other) != checksum, "link \(place), seed \(random.seed)")
        }
    }

    @Test func `a link given twice is named and the old file stands`() throws {
        var random = SeededRandom()
        let links = LinkSource.random(3000, &random)
        let folder = LinksFolder()
        try folder.write(links)
        let before = try folder.bytes()
        var again = LinkSource.random(&random)
        again.id = links[17].id
        let id = #expect(throws: LinksError.self) { try folder.write(links + [again]) }
        #expect("\(id!)" == "link \(again.id) was given twice")
        again.id = Identifier(high: 1, low: 1)
        again.shortCode = links[2999].shortCode
        let code = #expect(throws: LinksError.self) { try folder.write([again] + links) }
        #expect("\(code!)" == "short code \(again.shortCode) was given to two links")
        #expect(try folder.bytes() == before)
        #expect(try File.list(folder.path) == ["links"])
    }

    @Test(arguments: ["", "12345678901234567", "a b", "한글", "a/b", "a\0", "a.b"])
    func `a code that cannot stand in a link is refused and the rest goes on`(code: String) throws {
        var random = SeededRandom()
        var links = LinkSource.random(2, &random)
        let folder = LinksFolder()
        let writer = try LinksWriter(path: folder.file, generatedAt: Timestamp(microseconds: 1))
        try writer.add(links[0])
        links[1].shortCode = code
        let error = #expect(throws: LinksError.self) { try writer.add(links[1]) }
        #expect(
            "\(error!)".hasPrefix("short code \"\(code)\" of link \(links[1].id) is not 1 to 16"))
        for bytes in [0, 2001] {
            links[1].shortCode = "ok"
            links[1].location = [UInt8](repeating: 0x61, count: bytes)
            let error = #expect(throws: LinksError.self) { try writer.add(links[1]) }
            #expect("\(error!)".contains("has \(bytes) bytes, not 1 to 2000"))
        }
        #expect(try writer.finish().links == 1)
        let table = try LinkTable(path: folder.file)
        withExtendedLifetime(table) {
            #expect(links[0].agrees(with: table.find(id: links[0].id)))
        }
    }

    @Test func `a map outlives the file that replaces it`() throws {
        var random = SeededRandom()
        let links = LinkSource.random(500, &random)
        let folder = LinksFolder()
        try folder.write(Array(links[..<250]))
        let old = try LinkTable(path: folder.file)
        try folder.write(Array(links[250...]))
        let new = try LinkTable(path: folder.file)
        try File.remove(folder.file)
        for link in links[..<250] {
            #expect(link.agrees(with: old.find(id: link.id)) && new.find(id: link.id) == nil)
        }
        for link in links[250...] {
            #expect(link.agrees(with: new.find(link.shortCode)) && old.find(id: link.id) == nil)
        }
    }

    @Test func `what a killed writer left is swept by the next`() throws {
        let folder = LinksFolder()
        do { _ = try File.open(folder.file + ".tmp-1", .createNew) }
        do { _ = try File.open(folder.path + "/other.tmp-1", .createNew) }
        try folder.write([])
        #expect(try File.list(folder.path).sorted() == ["links", "other.tmp-1"])
    }
}

/// Files of known bytes, one of each version that was written. They were made from the
/// specification alone, by other code than this, and are never edited.
@Suite struct LinksFormatTests {
    private static func id(_ number: UInt64) -> Identifier {
        Identifier(high: 0x0190_F3A2_7C1B_7000, low: 0x8000_0000_0000_0000 | number)
    }

    /// What the files say: locations with our parameters, alone or behind others, or in front of a
    /// fragment, or of another link; the shortest and the longest; codes of all kinds.
    private static let golden: [LinkSource] = {
        let ours = "utm_source=gonggumoa&utm_campaign="
        func link(
            _ number: UInt64, _ code: String, _ opens: Int64, _ closes: Int64, _ location: String,
            kind: LinkKind = .gonggu, isSuspended: Bool = false
        ) -> LinkSource {
            let influencer = Identifier(high: 3, low: number)
            return LinkSource(
                kind: kind, id: id(number), influencerID: number == 3 ? .anonymous : influencer,
                shortCode: code, opensAt: Timestamp(microseconds: opens),
                closesAt: Timestamp(microseconds: closes), isSuspended: isSuspended,
                location: Array(location.utf8))
        }
        let shop = "https://shop.example/"
        let longest = String(repeating: "x", count: 1908)
        return [
            link(
                1, "a", 1_795_251_600_000_000, 1_795_338_000_000_000,
                shop + "p/1?" + ours + "\(id(1))"),
            link(
                2, "ABCDEFGH", 0, -1, shop + "p/2?a=%22&b=&" + ours + "\(id(2))",
                isSuspended: true),
            link(3, "", -5, 1 << 62, shop + "p/3?" + ours + "\(id(3))#top", kind: .banner),
            link(4, "0123456789abc_-Z", 7, 8, "h", kind: .banner, isSuspended: true),
            link(5, "abcdefgh1", 7, 8, shop + longest + "&" + ours + "\(id(5))"),
            link(6, "short", 7, 8, shop + "p/6?" + ours + "\(id(7))"),
        ]
    }()

    private static func goldenPath(version: Int) -> String {
        let folder = #filePath.prefix(through: #filePath.lastIndex(of: "/")!)
        return folder + "Golden/version-\(version).links"
    }

    @Test(arguments: [2, 3])
    func `each version is read as it was written`(version: Int) throws {
        let table = try LinkTable(path: LinksFormatTests.goldenPath(version: version))
        #expect(table.linkCount == LinksFormatTests.golden.count)
        for link in LinksFormatTests.golden {
            #expect(link.agrees(with: table.find(id: link.id)))
            #expect((table.find(id: link.id)?.isBanner == true) == (link.kind == .banner))
            guard !link.shortCode.isEmpty else { continue }
            #expect(link.agrees(with: table.find(link.shortCode)))
        }
    }

    @Test func `version 3 is written to the byte`() throws {
        let folder = LinksFolder()
        try folder.write(LinksFormatTests.golden, seed: (1, 2))
        let path = LinksFormatTests.goldenPath(version: 3)
        #expect(try folder.bytes() == File.contents(of: path, bytesMax: 1 << 20))
    }
}

/// Files that are not as they were written, by accident or by intent.
@Suite struct LinksDamageTests {
    @Test func `a file with any byte wrong is refused`() throws {
        var random = SeededRandom()
        let folder = LinksFolder()
        try folder.write(LinkSource.random(5, &random))
        let bytes = try folder.bytes()
        for place in bytes.indices {
            var damaged = bytes
            damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            try folder.replace(with: damaged)
            let error = #expect(throws: LinksError.self, "byte \(place), seed \(random.seed)") {
                _ = try LinkTable(path: folder.file)
            }
            let reason =
                switch place {
                case 0..<8: "is no links file"
                case 8..<128: "has a damaged header"
                default: "is damaged behind its header"
                }
            #expect(error?.description == "\(folder.file) \(reason)")
        }
    }

    @Test func `a file of any other length is refused`() throws {
        var random = SeededRandom()
        let folder = LinksFolder()
        try folder.write(LinkSource.random(2, &random))
        let bytes = try folder.bytes()
        for count in bytes.indices {
            try folder.replace(with: Array(bytes[..<count]))
            let error = #expect(throws: LinksError.self) { _ = try LinkTable(path: folder.file) }
            let reason =
                count < 128
                ? "is no links file" : "has \(count) bytes and says it has \(bytes.count)"
            #expect(error?.description == "\(folder.file) \(reason)")
        }
        try folder.replace(with: bytes + [0])
        #expect(throws: LinksError.self) { _ = try LinkTable(path: folder.file) }
        try File.remove(folder.file)
        let error = #expect(throws: LinksError.self) { _ = try LinkTable(path: folder.file) }
        #expect(error?.description == "open \(folder.file): No such file or directory")
    }

    @Test func `a later version is refused by its number`() throws {
        let folder = LinksFolder()
        try folder.write([])
        var bytes = try folder.bytes()
        bytes[8] = 4
        LinksDamageTests.seal(&bytes)
        try folder.replace(with: bytes)
        let error = #expect(throws: LinksError.self) { _ = try LinkTable(path: folder.file) }
        #expect(
            "\(error!)".hasSuffix("has links format version 4, this build reads versions 1 to 3"))
    }

    /// Makes both checksums right for whatever the bytes are now.
    private static func seal(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { all in
            let view = UnsafeRawBufferPointer(all)
            all.baseAddress!.store(
                CRC32C.of(UnsafeRawBufferPointer(rebasing: view[128...])), at: 120)
            all.baseAddress!.store(
                CRC32C.of(UnsafeRawBufferPointer(rebasing: view[..<124])), at: 124)
        }
    }

    @Test func `a hostile file with right checksums is never read out of its bounds`() throws {
        var random = SeededRandom()
        let links = LinkSource.random(40, &random)
        let folder = LinksFolder()
        try folder.write(links)
        let bytes = try folder.bytes()
        let header = try bytes.withUnsafeBytes { try LinksHeader($0, path: "") }
        let extremes: [UInt64] = [
            0, 1, 7, 8, 63, 64, 128, UInt64(bytes.count), UInt64(bytes.count) - 64, 0x7FFF_FFFF,
            0xFFFF_FFFF, UInt64(Int64.max), UInt64(Int64.max) + 1, .max, .max - 63,
        ]
        var taken = 0
        for round in 0..<4000 {
            var hostile = bytes
            func put(_ number: UInt64, _ place: Int, _ width: Int) {
                for byte in 0..<width where place + byte < hostile.count {
                    hostile[place + byte] = UInt8(truncatingIfNeeded: number >> UInt64(8 * byte))
                }
            }
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let slot = header.indexAt + Int.random(in: 0..<header.slots, using: &random) * 8
                let extreme = extremes.randomElement(using: &random)!
                switch round % 5 {
                case 0:  // Where things are, as the header says.
                    put(extreme, [16, 24, 32, 40, 48, 56].randomElement(using: &random)!, 8)
                case 1:  // Where a slot points.
                    put(extreme, slot, 4)
                case 2:  // How long a location is.
                    let place = Int.random(in: 128..<header.indexAt, using: &random) & ~7
                    put(extreme, place + 66, 2)
                case 3:  // Another link's record, under this one's tag.
                    let other =
                        header.indexAt + Int.random(in: 0..<header.slots, using: &random) * 8
                    for byte in 0..<4 { hostile.swapAt(slot + byte, other + byte) }
                default:  // A full index, so that nothing ends a search but its bound.
                    for slot in 0..<header.slots {
                        put(extreme, header.indexAt + slot * 8, 4)
                    }
                }
            }
            LinksDamageTests.seal(&hostile)
            if LinksDamageTests.isTaken(hostile, asking: links, keysChange: round % 5 == 2) {
                taken += 1
            }
        }
        #expect(taken > 1000, "most rounds get past the header, seed \(random.seed)")
    }

    /// Asks a file that lies between two unreadable pages for everything it had, and reads what it
    /// answers. Reading one byte too many ends the process.
    private static func isTaken(
        _ file: [UInt8], asking links: [LinkSource], keysChange: Bool
    ) -> Bool {
        let page = 4096
        let pages = (file.count + page - 1) / page
        let bytes = (pages + 2) * page
        let map = mmap(nil, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        defer { munmap(map, bytes) }
        mprotect(map + page, pages * page, PROT_READ | PROT_WRITE)
        let start = map + (pages + 1) * page - file.count
        start.copyMemory(from: file, byteCount: file.count)
        let view = UnsafeRawBufferPointer(start: start, count: file.count)
        guard let table = try? LinkView(view, path: "hostile") else { return false }
        var sum = 0
        for link in links {
            let id = table.query(LinkKey(kind: .id, first: link.id.high, second: link.id.low))
            let code = Array(link.shortCode.utf8).withUnsafeBytes { LinkKey(code: $0) }
            for query in [id, code.map { table.query($0) }] {
                query.map { table.prefetchSlot($0) }
                query.map { table.prefetchRecord($0) }
                let record = query.flatMap { table.find($0) }
                guard let location = record?.location else { continue }
                for byte in location { sum &+= Int(byte) }
                let from = location.baseAddress! - UnsafeRawPointer(start)
                #expect(from >= 128 && from + location.count <= 128 + table.header.recordsBytes)
                #expect(keysChange || record?.id == link.id, "another link's record")
            }
        }
        return sum >= 0
    }
}
