// Quarantined bytes read again, and made a segment of the spool again. What lies in them is
// believed no sooner than in a segment: a header that is right, a payload whose checksum is right,
// a record that is possible.

import Checksum
import Linux

/// The records that can be read in quarantined bytes.
package struct QuarantinedRecords {
    /// Frames' records, and how many.
    private var frames: [(split: SplitFrame, places: [Int])] = []
    private var meanings = TextMeanings()
    /// Records that a spool can have.
    package private(set) var count = 0
    /// Records of good frames that this build cannot read.
    package private(set) var impossibleCount = 0
    /// Bytes that are of no good frame.
    package private(set) var unreadableBytes = 0

    /// - Parameter offset: of the first byte in its segment. Frames say where they lie.
    package init(_ bytes: [UInt8], at offset: Int) {
        bytes.withUnsafeBytes { read($0, from: offset) }
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer, from offset: Int) {
        var at = 0
        while at < bytes.count {
            guard let end = frame(bytes, at, offset) else {
                at += 1
                unreadableBytes += 1
                continue
            }
            at = end
        }
    }

    /// - Returns: the end of the good frame at a place; nil if there is none.
    private mutating func frame(
        _ bytes: UnsafeRawBufferPointer, _ at: Int, _ offset: Int
    ) -> Int? {
        let payloadAt = at + SpoolFormat.frameHeaderBytes
        guard payloadAt <= bytes.count,
            let header = FrameHeader(
                bytes.part(at: at, count: SpoolFormat.frameHeaderBytes), at: offset + at),
            header.payloadBytes <= bytes.count - payloadAt
        else { return nil }
        let payload = bytes.part(at: payloadAt, count: header.payloadBytes)
        guard CRC32C.of(payload) == header.payloadChecksum else { return nil }
        let end = payloadAt + header.payloadBytes
        // Texts of other frames went with their segment: a click counts without them.
        let split = SplitFrame(header, payload: payload, &meanings, earlier: { _ in [] })
        guard let split else {
            impossibleCount += header.recordCount
            return end
        }
        let places = split.places { _, _ in true }
        impossibleCount += split.count - places.count
        count += places.count
        if !places.isEmpty { frames.append((split, places)) }
        return end
    }

    /// The records of each good frame, as bytes that are valid during the call.
    package func forEachFrame(_ body: (UnsafeRawBufferPointer) -> Void) {
        for frame in frames {
            frame.split.sealed(frame.places, at: 0).withUnsafeBytes(body)
        }
    }

    /// Makes them a segment of the edge's spool: whole and on the disk when its name appears.
    ///
    /// - Returns: false if there is one of that name, which then has the same records.
    package func publish(
        as name: SegmentName, edgeID: String, in folder: String
    ) throws(SpoolError) -> Bool {
        precondition(count > 0, "a segment is made for records only")
        let target = "\(folder)/\(name)"
        if File.exists(target) { return false }
        var bytes = [UInt8](repeating: 0, count: SpoolFormat.segmentHeaderBytes)
        bytes.withUnsafeMutableBytes { SegmentHeader(name: name, edgeID: edgeID).write(to: $0) }
        for frame in frames {
            bytes += frame.split.sealed(frame.places, at: bytes.count)
        }
        do throws(SystemError) {
            // No name that a segment has, so that nobody reads it before it is whole.
            try Quarantine.write(bytes, to: target + ".tmp")
            try File.rename(target + ".tmp", to: target)
            try File.syncDirectory(folder)
        } catch {
            throw .system(error)
        }
        return true
    }
}
