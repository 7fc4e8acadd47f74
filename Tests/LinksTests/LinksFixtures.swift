import Clicks
import Glibc
import Linux
import Testing

@testable import Links

/// SplitMix64, so that a failure's seed brings it back: `TEST_SEED=<seed> swift test --filter …`.
struct SeededRandom: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init() {
        let given = getenv("TEST_SEED").flatMap { UInt64(String(cString: $0)) }
        seed = given ?? UInt64.random(in: 0...UInt64.max)
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// A folder of the test's own, removed with it.
final class LinksFolder {
    let path: String
    var file: String { path + "/links" }

    init() {
        var template = Array("/tmp/links-tests-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template)!)
    }

    deinit {
        for name in (try? File.list(path)) ?? [] { unlink(path + "/" + name) }
        rmdir(path)
    }

    @discardableResult
    func write(
        _ links: [LinkSource], at micros: Int64 = 5, seed: (UInt64, UInt64)? = nil
    ) throws -> UInt64 {
        let writer = try LinksWriter(
            path: file, generatedAt: Timestamp(microseconds: micros), seed: seed)
        for link in links { try writer.add(link) }
        let written = try writer.finish()
        #expect(written.links == links.count)
        return writer.contentChecksum
    }

    func bytes() throws -> [UInt8] {
        try File.contents(of: file, bytesMax: 1 << 30)
    }

    func replace(with bytes: [UInt8]) throws {
        let descriptor = try File.open(file, .createOrTruncate)
        try bytes.withUnsafeBytes { try File.writeWhole($0, to: descriptor, path: file) }
    }
}

extension LinkSource {
    static func random(_ random: inout SeededRandom) -> LinkSource {
        let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-")
        // Few letters make many codes that begin alike.
        let length = Int.random(in: 1...16, using: &random)
        let code = (0..<length).map { _ in alphabet.randomElement(using: &random)! }
        let isLong = Int.random(in: 0..<50, using: &random) == 0
        let bytes = Int.random(in: 1...(isLong ? 2000 : 120), using: &random)
        let id = Identifier(high: random.next(), low: random.next())
        var location = (0..<bytes).map { _ in UInt8.random(in: 0...255, using: &random) }
        if Bool.random(using: &random) { location = ending(location, id, &random) }
        return LinkSource(
            id: id,
            influencerID: Identifier(high: random.next(), low: random.next()),
            shortCode: String(code),
            opensAt: Timestamp(microseconds: Int64(truncatingIfNeeded: random.next())),
            closesAt: Timestamp(microseconds: Int64(truncatingIfNeeded: random.next())),
            isSuspended: Bool.random(using: &random),
            location: location)
    }

    /// A location that ends with our parameters, or nearly so.
    private static func ending(
        _ start: [UInt8], _ id: Identifier, _ random: inout SeededRandom
    ) -> [UInt8] {
        let query =
            ["?", "&"].randomElement(using: &random)! + "utm_source=gonggumoa&utm_campaign="
        let end = Array((query + id.description).utf8)
        var location = Array(start.suffix(LinksFormat.locationBytesMax - end.count)) + end
        switch Int.random(in: 0..<8, using: &random) {
        case 0: location[location.indices.randomElement(using: &random)!] ^= 0x20
        case 1: location.removeLast()
        case 2: location = end
        default: break
        }
        return location
    }

    /// Links with ids and codes that differ.
    static func random(_ count: Int, _ random: inout SeededRandom) -> [LinkSource] {
        var codes: Set<String> = []
        var links: [LinkSource] = []
        while links.count < count {
            let link = LinkSource.random(&random)
            if codes.insert(link.shortCode).inserted { links.append(link) }
        }
        return links
    }

    func agrees(with record: LinkRecord?) -> Bool {
        guard let record else { return false }
        return record.id == id && record.influencerID == influencerID
            && record.opensAt == opensAt && record.closesAt == closesAt
            && record.isSuspended == isSuspended && record.wholeLocation == location
    }
}

extension LinkRecord {
    /// What an answer says.
    var wholeLocation: [UInt8] {
        guard separator != 0 else { return Array(location) }
        let parameters = Campaign.parameters.withUTF8Buffer { Array($0) }
        return location + [separator] + parameters + Array(id.description.utf8)
    }
}

extension LinkTable {
    func find(_ code: String) -> LinkRecord? {
        Array(code.utf8).withUnsafeBytes { find(code: $0) }
    }
}
