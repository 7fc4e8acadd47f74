import Glibc
import Linux
import TestSupport
import Testing

@Suite struct SharedMappingTests {
    private let folder: TestFolder
    private var path: String { folder.path + "/table" }
    private static let boot = SharedMapping.Boot(high: 1, low: 2)

    init() throws {
        folder = try TestFolder()
    }

    private func form(
        name: StaticString = "TESTFORM", version: UInt64 = 1, bytes: Int = 64 << 10,
        parameters: [UInt64] = [300, 0xFEED]
    ) -> SharedMapping.Form {
        SharedMapping.Form(
            name: name, version: version, payloadBytes: bytes, parameters: parameters)
    }

    private func open(
        _ form: SharedMapping.Form? = nil, boot: SharedMapping.Boot = boot
    ) throws -> SharedMapping {
        try SharedMapping(path: path, form: form ?? self.form(), boot: boot)
    }

    /// A file with one byte set, as an earlier process left it.
    private func leaveFile() throws {
        let mapping = try open()
        mapping.payload[100] = 7
        mapping.payload[mapping.payload.count - 1] = 9
    }

    private func damage(_ change: (borrowing Descriptor) -> Void) throws {
        let descriptor = try File.open(path, .createOrUpdate)
        change(descriptor)
    }

    @Test func `what one process stored the next one finds`() throws {
        try leaveFile()
        let again = try open()
        #expect(again.opening == .kept)
        #expect(again.payload[100] == 7 && again.payload[again.payload.count - 1] == 9)
        #expect(again.payload.count == 64 << 10)
    }

    @Test func `a new file is all zero and has all its blocks`() throws {
        let mapping = try open()
        #expect(mapping.opening == .created)
        #expect(mapping.payload.allSatisfy { $0 == 0 })
        #expect(!File.exists(path + ".new"))
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_blocks * 512 >= mapping.payload.count + 4096)
    }

    @Test func `two openings share one memory`() throws {
        let first = try open()
        let second = try open()
        first.payload[5] = 1
        #expect(second.payload[5] == 1)
    }

    @Test func `a file of another form is replaced by an empty one`() throws {
        let others = [
            form(version: 2), form(bytes: 128 << 10), form(parameters: [301, 0xFEED]),
            form(parameters: [300, 0xFEEE]), form(parameters: [300]),
            form(parameters: [300, 0xFEED, 1]),
        ]
        for other in others {
            try leaveFile()
            let mapping = try open(other)
            #expect(mapping.opening == .replaced(.form))
            #expect(mapping.payload.allSatisfy { $0 == 0 })
            try File.remove(path)
        }
    }

    @Test func `a file from before the machine was started is replaced`() throws {
        try leaveFile()
        let mapping = try open(boot: SharedMapping.Boot(high: 1, low: 3))
        #expect(mapping.opening == .replaced(.rebooted))
        #expect(mapping.payload.allSatisfy { $0 == 0 })
        #expect(try SharedMapping.Boot.current() == SharedMapping.Boot.current())
    }

    @Test func `every byte of the header matters`() throws {
        try leaveFile()
        let whole = try File.contents(of: path, bytesMax: 1 << 20)
        for offset in Array(0..<200) + [4095] {
            try damage { descriptor in
                var byte = whole[offset] ^ 0x40
                _ = pwrite(descriptor.raw, &byte, 1, offset)
            }
            let opening = try open().opening
            #expect(opening != .kept && opening != .created, "byte \(offset)")
        }
    }

    @Test func `a file cut short or grown is replaced`() throws {
        for bytes in [0, 1, 4095, 4096, 4097, 68 << 10 - 1, 68 << 10 + 1] {
            try leaveFile()
            try damage { _ = ftruncate($0.raw, bytes) }
            let expected: SharedMapping.Misfit = bytes < 4096 ? .header : .size
            #expect(try open().opening == .replaced(expected), "\(bytes) bytes")
            #expect(try open().opening == .kept)
        }
    }

    @Test func `a replaced file stays with those who have it`() throws {
        let old = try open()
        let new = try open(form(version: 2))
        old.payload[3] = 1
        #expect(new.payload[3] == 0)
    }

    @Test func `missing blocks are made before anything is stored`() throws {
        try leaveFile()
        let whole = try File.contents(of: path, bytesMax: 1 << 20)
        try damage { descriptor in
            _ = ftruncate(descriptor.raw, 0)
            _ = ftruncate(descriptor.raw, whole.count)
            _ = whole.withUnsafeBytes { pwrite(descriptor.raw, $0.baseAddress, 8192, 0) }
        }
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_blocks * 512 < whole.count)
        let mapping = try open()
        #expect(mapping.opening == .kept && mapping.payload[100] == 7)
        #expect(stat(path, &status) == 0 && status.st_blocks * 512 >= whole.count)
    }

    @Test func `a folder that is not there is an error`() {
        let error = #expect(throws: SystemError.self) {
            _ = try SharedMapping(
                path: folder.path + "/none/table", form: form(), boot: Self.boot)
        }
        #expect(error?.isMissing == true)
    }
}
