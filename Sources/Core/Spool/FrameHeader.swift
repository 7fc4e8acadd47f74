import Checksum
import Clicks

/// The 32 bytes before a frame's records.
struct FrameHeader {
    /// Of the format, 1 or 2.
    let version: UInt16
    let payloadBytes: Int
    let recordCount: Int
    let payloadChecksum: UInt32
    /// The smallest text number that means something; 0 in version 1.
    let firstText: UInt32
    /// Of its first record; in version 1 only.
    let firstTime: Timestamp?

    /// Whether a header may begin with these four bytes.
    static func isMagic(_ magic: UInt32) -> Bool {
        magic == SpoolFormat.frameMagic || magic == SpoolFormat.firstFrameMagic
    }

    /// Reads the header at the beginning of `bytes`, which has at least 32.
    ///
    /// - Returns: nil unless its checksum is right, it says that it lies at `offset`, and its
    ///   numbers are possible.
    init?(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        let magic = bytes.number(at: 0, as: UInt32.self)
        guard FrameHeader.isMagic(magic),
            bytes.number(at: 28, as: UInt32.self) == CRC32C.of(bytes.part(at: 0, count: 28)),
            Int(bytes.number(at: 24, as: UInt32.self)) == offset
        else { return nil }
        payloadBytes = Int(bytes.number(at: 4, as: UInt32.self))
        recordCount = Int(bytes.number(at: 8, as: UInt32.self))
        payloadChecksum = bytes.number(at: 12)
        let recordBytesMin: Int
        if magic == SpoolFormat.frameMagic {
            version = SpoolFormat.version
            firstText = bytes.number(at: 16)
            firstTime = nil
            recordBytesMin = SpoolFormat.recordFixedBytes
            guard 1...UInt32.max >> 1 ~= firstText, bytes.number(at: 20, as: UInt32.self) == 0
            else { return nil }
        } else {
            version = SpoolFormat.firstVersion
            firstText = 0
            firstTime = Timestamp(microseconds: bytes.number(at: 16))
            recordBytesMin = SpoolFormat.firstRecordFixedBytes
        }
        guard 1...SpoolFormat.payloadBytesMax ~= payloadBytes,
            recordCount >= 1, recordCount <= payloadBytes / recordBytesMin
        else { return nil }
    }

    /// Completes a frame whose payload is already in place behind the header's room.
    @inline(always)
    static func seal(
        _ frame: UnsafeMutableRawPointer, payloadBytes: Int, recordCount: Int, firstText: UInt32,
        offset: Int
    ) {
        let payload = UnsafeRawBufferPointer(
            start: frame + SpoolFormat.frameHeaderBytes, count: payloadBytes)
        frame.store(SpoolFormat.frameMagic, at: 0)
        frame.store(UInt32(payloadBytes), at: 4)
        frame.store(UInt32(recordCount), at: 8)
        frame.store(CRC32C.of(payload), at: 12)
        frame.store(firstText, at: 16)
        frame.store(UInt32(0), at: 20)
        frame.store(UInt32(offset), at: 24)
        frame.store(CRC32C.of(UnsafeRawBufferPointer(start: frame, count: 28)), at: 28)
    }
}
