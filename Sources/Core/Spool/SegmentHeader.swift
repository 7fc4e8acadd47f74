import Checksum

/// The 128 bytes at the beginning of a segment.
struct SegmentHeader: Equatable {
    let name: SegmentName
    let edgeID: String

    enum Reading {
        case header(SegmentHeader)
        /// Of a version that is not known here.
        case version(UInt16)
        case damaged
    }

    func write(to target: UnsafeMutableRawBufferPointer) {
        precondition(target.count == SpoolFormat.segmentHeaderBytes, "the header has one size")
        let start = target.baseAddress!
        target.initializeMemory(as: UInt8.self, repeating: 0)
        start.store(SpoolFormat.segmentMagic, at: 0)
        start.store(SpoolFormat.version, at: 8)
        start.store(UInt16(SpoolFormat.segmentHeaderBytes), at: 10)
        start.store(UInt16(name.worker), at: 12)
        start.store(UInt16(edgeID.utf8.count), at: 14)
        start.store(name.startMicros, at: 16)
        start.store(name.sequence, at: 24)
        for (index, byte) in edgeID.utf8.enumerated() { target[32 + index] = byte }
        let covered = UnsafeRawBufferPointer(rebasing: target[..<124])
        start.store(CRC32C.of(covered), at: 124)
    }

    /// - Parameter bytes: exactly the header's 128.
    static func read(_ bytes: UnsafeRawBufferPointer) -> Reading {
        precondition(bytes.count == SpoolFormat.segmentHeaderBytes, "the header has one size")
        guard bytes.number(at: 0) == SpoolFormat.segmentMagic,
            bytes.number(at: 124, as: UInt32.self) == CRC32C.of(bytes.part(at: 0, count: 124))
        else { return .damaged }
        let version = bytes.number(at: 8, as: UInt16.self)
        guard SpoolFormat.firstVersion...SpoolFormat.version ~= version else {
            return .version(version)
        }
        let worker = Int(bytes.number(at: 12, as: UInt16.self))
        let idBytes = Int(bytes.number(at: 14, as: UInt16.self))
        let start: Int64 = bytes.number(at: 16)
        let sequence: Int64 = bytes.number(at: 24)
        guard bytes.number(at: 10, as: UInt16.self) == SpoolFormat.segmentHeaderBytes,
            0...SpoolFormat.workerMax ~= worker, 1...SpoolFormat.edgeIDBytesMax ~= idBytes,
            0...SpoolFormat.startMicrosMax ~= start, 1...SpoolFormat.sequenceMax ~= sequence
        else { return .damaged }
        return .header(
            SegmentHeader(
                name: SegmentName(worker: worker, startMicros: start, sequence: sequence),
                edgeID: String(decoding: bytes.part(at: 32, count: idBytes), as: UTF8.self)))
    }
}
