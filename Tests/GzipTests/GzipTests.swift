import Gzip
import Linux
import TestSupport
import Testing

@Suite struct GzipTests {
    private let folder: TestFolder
    private var path: String { folder.path + "/file.gz" }

    init() throws { folder = try TestFolder() }

    private func write(_ parts: [[UInt8]]) throws {
        let descriptor = try File.open(path, .createOrTruncate)
        var writer = try GzipWriter(descriptor, path: path)
        for part in parts { try part.withUnsafeBytes { try writer.write($0) } }
        try writer.finish()
        try File.sync(descriptor, path: path)
    }

    private func read() throws -> [UInt8] {
        var bytes: [UInt8] = []
        try GzipReader.read(path) { bytes += $0 }
        return bytes
    }

    private static func content(_ count: Int) -> [UInt8] {
        var random = SplitMix(state: 11)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() % 32) }
    }

    @Test(arguments: [0, 1, 262_143, 262_144, 1_000_000])
    func `what was written is read`(_ count: Int) throws {
        let bytes = Self.content(count)
        let half = count / 2
        try write([Array(bytes[..<half]), [], Array(bytes[half...])])
        #expect(try read() == bytes)
        let bytesOnDisk = try #require(File.identity(of: path)).bytes
        #expect(count < 1000 || bytesOnDisk < count * 3 / 4, "it is compressed")
    }

    @Test func `the system's own gzip reads it`() throws {
        let bytes = Self.content(100_000)
        try write([bytes])
        let log = folder.path + "/plain"
        #expect(try ChildProcess("gzip", ["-dc", path], logPath: log).wait() == 0)
        #expect(try File.contents(of: log, bytesMax: 1 << 20) == bytes)
    }

    @Test func `a file that is cut off anywhere, or not compressed, is refused`() throws {
        try write([Self.content(5000)])
        let whole = try File.contents(of: path, bytesMax: 1 << 20)
        for length in stride(from: 0, to: whole.count, by: 7) {
            try overwrite(Array(whole[..<length]))
            // Zlib takes nothing at all for a file of no content; the caller's hash differs.
            if length == 0 { continue }
            #expect(throws: (any Error).self, "\(length) bytes of \(whole.count)") { try read() }
        }
        try overwrite(Array("clicked_at,id\n".utf8))
        #expect(throws: GzipError.self) { try read() }
    }

    @Test func `a damaged byte in the content is refused`() throws {
        try write([Self.content(5000)])
        let whole = try File.contents(of: path, bytesMax: 1 << 20)
        var random = SplitMix(state: 12)
        for _ in 0..<200 {
            var bytes = whole
            // Behind the header, whose time and system may be anything.
            let place = 10 + Int(random.next() % UInt64(whole.count - 10))
            bytes[place] ^= 1 << UInt8(random.next() % 8)
            try overwrite(bytes)
            #expect(throws: (any Error).self, "byte \(place)") { try read() }
        }
    }

    @Test func `a full disk is told`() throws {
        let descriptor = try File.open("/dev/full", .createOrUpdate)
        var writer = try GzipWriter(descriptor, path: "/dev/full")
        try Self.content(1000).withUnsafeBytes { try writer.write($0) }
        #expect(throws: GzipError.self) { try writer.finish() }
    }

    private func overwrite(_ bytes: [UInt8]) throws {
        let descriptor = try File.open(path, .createOrTruncate)
        try bytes.withUnsafeBytes { try File.writeWhole($0, to: descriptor, path: path) }
    }
}
