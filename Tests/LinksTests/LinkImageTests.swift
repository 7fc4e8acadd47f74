import Clicks
import Linux
import Testing

@testable import Links

/// What an image should hold, in a dictionary; the last to claim a code has it.
private struct PlainLinks {
    var links: [Identifier: LinkSource] = [:]
    var owners: [String: Identifier] = [:]

    mutating func put(_ link: LinkSource) {
        if let old = links[link.id], old.shortCode != link.shortCode { disown(old) }
        links[link.id] = link
        if !link.shortCode.isEmpty { owners[link.shortCode] = link.id }
    }

    mutating func remove(_ id: Identifier) {
        if let old = links.removeValue(forKey: id) { disown(old) }
    }

    private mutating func disown(_ link: LinkSource) {
        if owners[link.shortCode] == link.id { owners[link.shortCode] = nil }
    }

    /// Whether each code is its only holder's.
    var isSettled: Bool {
        links.values.allSatisfy { $0.shortCode.isEmpty || owners[$0.shortCode] == $0.id }
    }

    func check(_ folder: LinksFolder, _ image: LinkImage, _ hint: Comment) throws {
        try image.write(to: folder.file, generatedAt: Timestamp(microseconds: 1))
        let table = try LinkTable(path: folder.file)
        #expect(table.linkCount == links.count, hint)
        for (id, link) in links {
            #expect(link.agrees(with: table.find(id: id)), hint)
            #expect(table.find(id: id)?.isBanner == (link.kind == .banner), hint)
            let owner = link.shortCode.isEmpty ? nil : owners[link.shortCode]
            #expect(table.find(link.shortCode)?.id == owner, hint)
        }
        guard isSettled else { return }
        let other = LinksFolder()
        #expect(
            try other.write(links.values.shuffled()) == table.contentChecksum, hint)
    }
}

@Suite struct LinkImageTests {
    @Test(arguments: [(3, 200), (200, 3000), (3000, 20_000)])
    func `an image is what a dictionary of the same changes is`(ids: Int, changes: Int) throws {
        var random = SeededRandom()
        let hint: Comment = "seed \(random.seed)"
        let all = LinkSource.random(ids, &random)
        let folder = LinksFolder()
        let image = LinkImage()
        var plain = PlainLinks()
        for change in 1...changes {
            var link = all.randomElement(using: &random)!
            let now = plain.links[link.id]
            switch Int.random(in: 0..<10, using: &random) {
            case 0...1:
                #expect(image.remove(link.id) == (now != nil), hint)
                plain.remove(link.id)
                continue
            case 2: link.shortCode = all.randomElement(using: &random)!.shortCode
            case 3:
                link.kind = .banner
                if Bool.random(using: &random) { link.shortCode = "" }
            case 4:
                let bytes = Int.random(in: 1...2000, using: &random)
                link.location = [UInt8](repeating: 0x61, count: bytes)
            case 5: link.isSuspended.toggle()
            case 6: link = now ?? link
            default: break
            }
            let isOwner = plain.owners[link.shortCode] == link.id || link.shortCode.isEmpty
            let wanted: LinkImage.Change =
                now == nil ? .added : now!.isSame(as: link) && isOwner ? .none : .replaced
            #expect(try image.put(link) == wanted, hint)
            plain.put(link)
            if change % (changes / 8) == 0 { try plain.check(folder, image, hint) }
        }
        #expect(image.count == plain.links.count)
        try plain.check(folder, image, hint)
        for id in Array(plain.links.keys) { image.remove(id) }
        #expect(image.count == 0 && image.contentChecksum == 0)
    }

    @Test func `what a reading anew does not meet is gone, whatever the image held`() throws {
        var random = SeededRandom()
        let hint: Comment = "seed \(random.seed)"
        let folder = LinksFolder()
        let image = LinkImage()
        for round in 0..<20 {
            var plain = PlainLinks()
            image.beginReading()
            // Codes wander between rounds: few are those that the links had before.
            let codes = LinkSource.random(400, &random).map(\.shortCode)
            for number in 0..<Int.random(in: 0...400, using: &random)
            where Bool.random(using: &random) {
                var link = LinkSource.random(&random)
                link.id = Identifier(high: 7, low: UInt64(number))
                link.shortCode = "\(codes[(number + round) % 400].prefix(12))\(number % 997)"
                guard plain.owners[link.shortCode] == nil else { continue }
                try image.put(link)
                plain.put(link)
            }
            try image.endReading()
            #expect(image.count == plain.links.count, hint)
            try plain.check(folder, image, hint)
        }
    }

    @Test func `a file does not grow by what is long gone`() throws {
        var random = SeededRandom()
        let folder = LinksFolder()
        let image = LinkImage()
        let links = LinkSource.random(2000, &random)
        for round in 0..<60 {
            for var link in links {
                link.location = [UInt8](repeating: 0x61, count: 500 + 16 * (round % 3))
                try image.put(link)
            }
            try image.write(to: folder.file, generatedAt: Timestamp(microseconds: 1))
        }
        let bytes = try LinkTable(path: folder.file).fileBytes
        #expect(bytes < 2000 * (68 + 540) * 2, "\(bytes) bytes")
        for link in links { image.remove(link.id) }
        try image.write(to: folder.file, generatedAt: Timestamp(microseconds: 1))
        #expect(try LinkTable(path: folder.file).linkCount == 0)
    }

    @Test func `a write that fails leaves the old file and nothing else`() throws {
        var random = SeededRandom()
        let folder = LinksFolder()
        let image = LinkImage()
        for link in LinkSource.random(100, &random) { try image.put(link) }
        #expect(throws: LinksError.self) {
            try image.write(to: "/dev/full/links", generatedAt: Timestamp(microseconds: 1))
        }
        try image.write(to: folder.file, generatedAt: Timestamp(microseconds: 1))
        let checksum = image.contentChecksum
        #expect(try LinkTable(path: folder.file).contentChecksum == checksum)
        #expect(try File.list(folder.path) == ["links"])
    }
}

extension LinkSource {
    fileprivate func isSame(as other: LinkSource) -> Bool {
        kind == other.kind && id == other.id && influencerID == other.influencerID
            && shortCode == other.shortCode && opensAt == other.opensAt
            && closesAt == other.closesAt && isSuspended == other.isSuspended
            && location == other.location
    }
}
