import FuzzDesk
import FuzzProperties
import Linux
import TestSupport
import Testing

/// Every input that is kept, held against its property: what fuzzers found once stays mended.
@Suite struct FuzzReplayTests {
    private static let names = FuzzTargets.all.map { $0.name }

    private static func inputs(_ folder: String, _ name: String) throws -> [[UInt8]] {
        let path = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let inputs = "/\(path)/Fuzz/\(folder)/\(name)"
        guard File.exists(inputs) else { return [] }
        return try File.list(inputs).sorted().map {
            try File.contents(of: "\(inputs)/\($0)", bytesMax: 1 << 20)
        }
    }

    @Test(arguments: names)
    func `the property holds for every kept input, of which some are taken and some are not`(
        name: String
    ) throws {
        let folder = try TestFolder()
        let property = try #require(FuzzTargets.named(name)).init(folder: folder.path)
        let inputs = try Self.inputs("Corpus", name) + Self.inputs("Found", name)
        var taken = 0
        for input in inputs where try input.withUnsafeBytes({ try property.check($0) }) {
            taken += 1
        }
        // A corpus of which all is refused, or nothing, would say less than it claims.
        #expect(taken >= 3 && taken < inputs.count, "\(taken) of \(inputs.count)")
    }

    @Test func `the tree keeps few and small inputs`() throws {
        let inputs = try Self.names.flatMap {
            try Self.inputs("Corpus", $0) + Self.inputs("Found", $0)
        }
        #expect(inputs.count < 300)
        #expect(inputs.map(\.count).reduce(0, +) < 1 << 20)
    }
}
