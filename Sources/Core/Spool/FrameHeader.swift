import Checksum
import Clicks

/// The 32 bytes before a frame's records.
struct FrameHeader {
    let payloadBytes: Int
    let recordCount: Int
    let payloadChecksum: UInt32
    let firstTimeMicros: Int64

    /// Reads the header at the beginning of `bytes`, which has at least 32.
    ///
    /// - Returns: nil unless its checksum is right, it says that it lies at `offset`, and its
    ///   lengths are possible.
    init?(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        guard bytes.number(at: 0) == SpoolFormat.frameMagic,
            bytes.number(at: 28, as: UInt32.self) == CRC32C.of(bytes.part(at: 0, count: 28)),
            Int(bytes.number(at: 24, as: UInt32.self)) == offset
        else { return nil }
        payloadBytes = Int(bytes.number(at: 4, as: UInt32.self))
        recordCount = Int(bytes.number(at: 8, as: UInt32.self))
        payloadChecksum = bytes.number(at: 12)
        firstTimeMicros = bytes.number(at: 16)
        guard 1...SpoolFormat.payloadBytesMax ~= payloadBytes,
            recordCount >= 1, recordCount <= payloadBytes / SpoolFormat.recordFixedBytes
        else { return nil }
    }

    /// Completes a frame whose payload is already in place behind the header's room.
    @inline(__always)
    static func seal(
        _ frame: UnsafeMutableRawPointer, payloadBytes: Int, recordCount: Int, offset: Int
    ) {
        let payload = UnsafeRawBufferPointer(
            start: frame + SpoolFormat.frameHeaderBytes, count: payloadBytes)
        frame.store(SpoolFormat.frameMagic, at: 0)
        frame.store(UInt32(payloadBytes), at: 4)
        frame.store(UInt32(recordCount), at: 8)
        frame.store(CRC32C.of(payload), at: 12)
        frame.store(payload.number(at: 32, as: Int64.self), at: 16)
        frame.store(UInt32(offset), at: 24)
        frame.store(CRC32C.of(UnsafeRawBufferPointer(start: frame, count: 28)), at: 28)
    }
}

/// A whole frame that was read, checked record by record: its clicks in the order in which they
/// were appended, their texts borrowed.
///
/// It points into its reader's buffer and is valid until the reader's next call.
package struct SpoolFrame: Sequence {
    /// Records, at least 1.
    package let count: Int
    package let firstTime: Timestamp
    /// From the earliest to the latest of its clicks.
    package let times: ClosedRange<Timestamp>
    private let payload: UnsafeRawBufferPointer

    /// - Returns: nil unless the payload is exactly the records that the header promises.
    init?(_ header: FrameHeader, payload: UnsafeRawBufferPointer) {
        self.payload = payload
        count = header.recordCount
        firstTime = Timestamp(microseconds: header.firstTimeMicros)
        var offset = 0
        var (earliest, latest) = (firstTime, firstTime)
        for index in 0..<header.recordCount {
            guard let record = RecordCoding.read(payload, at: offset),
                index > 0 || record.click.time == firstTime
            else { return nil }
            earliest = Swift.min(earliest, record.click.time)
            latest = Swift.max(latest, record.click.time)
            offset = record.end
        }
        guard offset == payload.count else { return nil }
        times = earliest...latest
    }

    /// Records without a header, each known to be possible.
    init?(records count: Int, payload: UnsafeRawBufferPointer) {
        guard count > 0, let first = RecordCoding.read(payload, at: 0) else { return nil }
        self.payload = payload
        self.count = count
        firstTime = first.click.time
        var (earliest, latest) = (firstTime, firstTime)
        var offset = 0
        while let record = RecordCoding.read(payload, at: offset) {
            earliest = Swift.min(earliest, record.click.time)
            latest = Swift.max(latest, record.click.time)
            offset = record.end
        }
        times = earliest...latest
    }

    package func makeIterator() -> Iterator {
        Iterator(payload: payload)
    }

    package struct Iterator: IteratorProtocol {
        fileprivate let payload: UnsafeRawBufferPointer
        private var offset = 0

        fileprivate init(payload: UnsafeRawBufferPointer) {
            self.payload = payload
        }

        package mutating func next() -> (click: Click, texts: ClickTexts)? {
            guard let record = RecordCoding.read(payload, at: offset) else { return nil }
            offset = record.end
            return (record.click, record.texts)
        }
    }
}
