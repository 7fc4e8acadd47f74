// A frame taken apart into the records that can be taken and those that cannot, so that one bad
// record does not keep its neighbours from the ledger.

import Clicks

/// Copies of a frame's records, in two parts, each in the frame's order.
package struct SplitFrame {
    private(set) var takenRecords: [UInt8] = []
    /// Records that were taken.
    package private(set) var takenCount = 0
    /// The other records, byte for byte.
    package private(set) var others: [UInt8] = []
    package private(set) var otherCount = 0

    /// - Parameters:
    ///   - payload: its checksum is right.
    ///   - isTaken: asked of each record that is possible, by its place in the frame.
    /// - Returns: nil if the records' lengths do not use up the payload exactly: then nothing says
    ///   where one ends.
    init?(
        _ header: FrameHeader, payload: UnsafeRawBufferPointer,
        isTaken: (Int, Click) -> Bool
    ) {
        var offset = 0
        for index in 0..<header.recordCount {
            guard let end = RecordCoding.end(payload, at: offset) else { return nil }
            let bytes = payload[offset..<end]
            if let record = RecordCoding.read(payload, at: offset), isTaken(index, record.click) {
                takenRecords.append(contentsOf: bytes)
                takenCount += 1
            } else {
                others.append(contentsOf: bytes)
                otherCount += 1
            }
            offset = end
        }
        guard offset == payload.count else { return nil }
    }

    /// The records that were taken, as a frame that is valid during the call; nothing if there are
    /// none.
    package func withTaken<Result>(
        _ body: (SpoolFrame) throws -> Result
    ) rethrows -> Result? {
        guard takenCount > 0 else { return nil }
        return try takenRecords.withUnsafeBytes { bytes in
            guard let frame = SpoolFrame(records: takenCount, payload: bytes) else {
                preconditionFailure("records that could be read can be read again")
            }
            return try body(frame)
        }
    }

    /// Records as a frame of their own, which says that it lies at `offset`.
    package static func sealed(_ records: [UInt8], count: Int, offset: Int) -> [UInt8] {
        precondition(count > 0 && !records.isEmpty, "a frame has records")
        var frame = [UInt8](repeating: 0, count: SpoolFormat.frameHeaderBytes) + records
        frame.withUnsafeMutableBytes {
            FrameHeader.seal(
                $0.baseAddress!, payloadBytes: records.count, recordCount: count, offset: offset)
        }
        return frame
    }
}
