import Checksum

/// The 128 bytes at the beginning of a links file.
struct LinksHeader: Equatable {
    var fileBytes = 0
    var links = 0
    var slots = 0
    var indexAt = 0
    var recordsBytes = 0
    var generatedAtMicros: Int64 = 0
    var seedFirst: UInt64 = 0
    var seedSecond: UInt64 = 0
    var contentChecksum: UInt64 = 0
    var bodyChecksum: UInt32 = 0

    init() {}

    func write(to target: UnsafeMutableRawBufferPointer) {
        precondition(target.count == LinksFormat.headerBytes, "the header has one size")
        let start = target.baseAddress!
        target.initializeMemory(as: UInt8.self, repeating: 0)
        start.store(LinksFormat.magic, at: 0)
        start.store(LinksFormat.version, at: 8)
        start.store(UInt16(LinksFormat.headerBytes), at: 10)
        start.store(UInt64(fileBytes), at: 16)
        start.store(UInt64(links), at: 24)
        start.store(UInt64(slots), at: 32)
        start.store(UInt64(indexAt), at: 40)
        start.store(UInt64(LinksFormat.headerBytes), at: 48)
        start.store(UInt64(recordsBytes), at: 56)
        start.store(generatedAtMicros, at: 64)
        start.store(seedFirst, at: 72)
        start.store(seedSecond, at: 80)
        start.store(contentChecksum, at: 88)
        start.store(bodyChecksum, at: 120)
        start.store(CRC32C.of(UnsafeRawBufferPointer(rebasing: target[..<124])), at: 124)
    }

    /// Reads the header of a whole file and checks it and, by its checksum, all behind it.
    init(_ file: UnsafeRawBufferPointer, path: String) throws(LinksError) {
        guard file.count >= LinksFormat.headerBytes, file.number(at: 0) == LinksFormat.magic
        else { throw .foreign(path: path) }
        let covered = UnsafeRawBufferPointer(rebasing: file[..<124])
        guard file.number(at: 124) == CRC32C.of(covered) else {
            throw .headerChecksum(path: path)
        }
        let version: UInt16 = file.number(at: 8)
        guard LinksFormat.versionsRead.contains(version) else {
            throw .version(version, path: path)
        }
        let says: UInt64 = file.number(at: 16)
        guard says == UInt64(file.count) else {
            throw .length(says: says, has: file.count, path: path)
        }
        fileBytes = file.count
        guard file.number(at: 10, as: UInt16.self) == LinksFormat.headerBytes,
            file.number(at: 48, as: UInt64.self) == LinksFormat.headerBytes,
            let links = LinksHeader.size(file, at: 24), let slots = LinksHeader.size(file, at: 32),
            let indexAt = LinksHeader.size(file, at: 40),
            let recordsBytes = LinksHeader.size(file, at: 56)
        else { throw .layout(path: path) }
        self.links = links
        self.slots = slots
        self.indexAt = indexAt
        self.recordsBytes = recordsBytes
        generatedAtMicros = file.number(at: 64)
        seedFirst = file.number(at: 72)
        seedSecond = file.number(at: 80)
        contentChecksum = file.number(at: 88)
        bodyChecksum = file.number(at: 120)
        guard isLayoutPossible else { throw .layout(path: path) }
        let body = UnsafeRawBufferPointer(rebasing: file[LinksFormat.headerBytes...])
        guard CRC32C.of(body) == bodyChecksum else { throw .bodyChecksum(path: path) }
    }

    /// All sums stay far below overflow: no number is above the file's length, and that is below
    /// the address space's.
    private var isLayoutPossible: Bool {
        slots >= LinksFormat.slotsMin && slots.nonzeroBitCount == 1
            && slots / LinksFormat.slotsPerLinkMin >= links && indexAt % 64 == 0
            && indexAt >= LinksFormat.headerBytes + recordsBytes
            && indexAt + slots * LinksFormat.slotBytes == fileBytes
    }

    /// A number that is no larger than the file, so that sums of a few cannot overflow.
    private static func size(_ file: UnsafeRawBufferPointer, at offset: Int) -> Int? {
        let number: UInt64 = file.number(at: offset)
        return number <= UInt64(file.count) ? Int(number) : nil
    }
}
