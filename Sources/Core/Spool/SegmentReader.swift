// Reads a segment that may be growing, torn, damaged or hostile. Nothing is believed before its
// checksum is right, and nothing is used before it is within what was read.
import Checksum
import Linux

/// Why a range of a segment cannot be read as a frame.
package enum SpoolDamage: String, CaseIterable, Sendable {
    case segmentHeader = "segment-header"
    case frameHeader = "frame-header"
    case payloadChecksum = "payload-checksum"
    /// The checksum is right and a record is impossible: a writer's bug, or a later writer's word
    /// that this reader does not know.
    case record = "record"
    /// Everything is right, and the ledger refuses it.
    case refused = "refused"
}

/// What lies at an offset of a segment. Ranges are in bytes of the file; go on at `upperBound`.
package enum SegmentRead {
    case frame(SpoolFrame, nextOffset: Int)
    /// Nothing whole yet; ask again later with the same offset.
    case waiting
    /// A closed segment, consumed to its last byte.
    case ended
    /// The incomplete tail of a closed segment: never answered.
    case torn(Range<Int>)
    case damaged(Range<Int>, SpoolDamage)
}

/// Reads the frames of one segment. One thread; one buffer that grows to the largest frame, and the
/// texts that its records may mean.
package final class SegmentReader {
    package let name: SegmentName
    private let edgeID: String
    private let path: String
    private let descriptor: Descriptor
    private var header = Header.incomplete
    /// A damaged stretch that had no end yet: where it begins, and where to search on.
    private var searched: (from: Int, next: Int)?

    /// Invariant: the first `windowCount` bytes of `buffer` are the file's from `windowStart`.
    private var buffer: UnsafeMutableRawBufferPointer
    private var windowStart = 0
    private var windowCount = 0

    /// What numbers mean in records from ``textsKnownTo`` on.
    private var texts = TextGeneration(first: 1)
    /// All frames before this have been looked at for texts.
    private var textsKnownTo = SpoolFormat.segmentHeaderBytes

    private enum Header { case incomplete, right, damaged }

    /// - Throws: ENOENT if the segment is gone.
    package init(_ name: SegmentName, folder: String, edgeID: String) throws(SystemError) {
        self.name = name
        self.edgeID = edgeID
        path = "\(folder)/\(name)"
        descriptor = try File.open(path, .read)
        buffer = .allocate(byteCount: 1 << 20 + SpoolFormat.frameHeaderBytes, alignment: 64)
    }

    deinit { buffer.deallocate() }

    /// What lies at `offset`, 0 to begin.
    ///
    /// To go on in the middle of a segment costs a look at all before it, for the texts that are
    /// meant from there; so does going back.
    ///
    /// - Parameter isClosed: whether the segment was closed when the folder was listed, before this
    ///   call; only then is the end of the file the end of the segment.
    /// - Throws: when the segment as a whole is refused, or cannot be read now.
    package func next(at offset: Int, isClosed: Bool) throws(SpoolError) -> SegmentRead {
        precondition(offset >= 0, "an offset counts from the beginning of the segment")
        if header == .incomplete { header = try readHeader() }
        if header == .incomplete { return try tail(from: offset, isClosed) }
        if offset < SpoolFormat.segmentHeaderBytes && header == .damaged {
            return .damaged(offset..<SpoolFormat.segmentHeaderBytes, .segmentHeader)
        }
        let offset = max(offset, SpoolFormat.segmentHeaderBytes)
        if offset != textsKnownTo { try learnTexts(before: offset) }
        let read = try frame(at: offset, isClosed)
        switch read {
        case .frame(_, let next): textsKnownTo = next
        case .damaged(let range, _), .torn(let range): textsKnownTo = range.upperBound
        case .waiting, .ended: break
        }
        return read
    }

    private func learnTexts(before offset: Int) throws(SpoolError) {
        if offset < textsKnownTo {
            texts = TextGeneration(first: 1)
            textsKnownTo = SpoolFormat.segmentHeaderBytes
        }
        while textsKnownTo < offset {
            switch try frame(at: textsKnownTo, false) {
            case .frame(_, let next): textsKnownTo = next
            case .damaged(let range, _), .torn(let range): textsKnownTo = range.upperBound
            // The file has lost what was read of it before. Its reader is told in a moment.
            case .waiting, .ended: textsKnownTo = offset
            }
        }
        textsKnownTo = offset
    }

    /// Takes apart the frame at an offset at which ``next(at:isClosed:)`` has just found one, or a
    /// damage of kind ``SpoolDamage/record``.
    ///
    /// - Returns: nil if the frame cannot be taken apart.
    package func split(at offset: Int) throws(SpoolError) -> SplitFrame? {
        let offset = max(offset, SpoolFormat.segmentHeaderBytes)
        guard try holds(SpoolFormat.frameHeaderBytes, at: offset),
            let header = FrameHeader(window(offset, SpoolFormat.frameHeaderBytes), at: offset),
            try holds(SpoolFormat.frameHeaderBytes + header.payloadBytes, at: offset)
        else { return nil }
        let payload = window(offset + SpoolFormat.frameHeaderBytes, header.payloadBytes)
        guard CRC32C.of(payload) == header.payloadChecksum else { return nil }
        var meanings = TextMeanings()
        return SplitFrame(header, payload: payload, &meanings) { number in
            let isMeant =
                header.firstText == texts.first && number >= texts.first && number < texts.next
            return isMeant ? Array(texts.find(number)) : []
        }
    }

    private func readHeader() throws(SpoolError) -> Header {
        guard try holds(SpoolFormat.segmentHeaderBytes, at: 0) else { return .incomplete }
        switch SegmentHeader.read(window(0, SpoolFormat.segmentHeaderBytes)) {
        case .damaged: return .damaged
        case .version(let version): throw .version(version, segment: path)
        case .header(let header):
            guard header == SegmentHeader(name: name, edgeID: edgeID) else {
                throw .foreign(segment: path)
            }
            return .right
        }
    }

    private func frame(at offset: Int, _ isClosed: Bool) throws(SpoolError) -> SegmentRead {
        guard try holds(SpoolFormat.frameHeaderBytes, at: offset) else {
            return try tail(from: offset, isClosed)
        }
        guard
            let header = FrameHeader(window(offset, SpoolFormat.frameHeaderBytes), at: offset)
        else { return try damage(from: offset, isClosed) }
        let range = offset..<offset + SpoolFormat.frameHeaderBytes + header.payloadBytes
        guard try holds(range.count, at: offset) else { return try tail(from: offset, isClosed) }
        let payload = window(offset + SpoolFormat.frameHeaderBytes, header.payloadBytes)
        guard CRC32C.of(payload) == header.payloadChecksum else {
            return .damaged(range, .payloadChecksum)
        }
        guard let frame = self.frame(header, payload) else { return .damaged(range, .record) }
        return .frame(frame, nextOffset: range.upperBound)
    }

    /// The frame of a payload, whose texts are learnt if it is one.
    private func frame(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) -> SpoolFrame? {
        guard header.version != SpoolFormat.firstVersion else {
            return SpoolFrame(header, payload: payload, texts: nil)
        }
        let meant =
            header.firstText == texts.first ? texts : TextGeneration(first: header.firstText)
        let mark = meant.mark
        guard let frame = SpoolFrame(header, payload: payload, texts: meant) else {
            meant.forget(since: mark)
            return nil
        }
        texts = meant
        return frame
    }

    private func tail(from offset: Int, _ isClosed: Bool) throws(SpoolError) -> SegmentRead {
        guard isClosed else { return .waiting }
        let end = try size()
        return end > offset ? .torn(offset..<end) : .ended
    }

    /// Finds the end of a damaged stretch: the next right header with a right payload. One whose
    /// payload reaches past the end of the file ends it too, where nothing better follows.
    private func damage(from offset: Int, _ isClosed: Bool) throws(SpoolError) -> SegmentRead {
        var at = offset + 1
        if let searched, searched.from == offset { at = searched.next }
        var incomplete: Int?
        while try holds(SpoolFormat.frameHeaderBytes, at: at) {
            guard let found = magic(from: at) else {
                at = windowStart + windowCount - SpoolFormat.frameHeaderBytes + 1
                continue
            }
            at = found + 1
            let bytes = window(found, SpoolFormat.frameHeaderBytes)
            guard let header = FrameHeader(bytes, at: found) else { continue }
            let payloadAt = found + SpoolFormat.frameHeaderBytes
            if try !holds(SpoolFormat.frameHeaderBytes + header.payloadBytes, at: found) {
                incomplete = incomplete ?? found
            } else if CRC32C.of(window(payloadAt, header.payloadBytes)) == header.payloadChecksum {
                return .damaged(offset..<found, .frameHeader)
            }
        }
        if isClosed {
            let end = if let incomplete { incomplete } else { try size() }
            return .damaged(offset..<end, .frameHeader)
        }
        searched = (offset, incomplete ?? at)
        return .waiting
    }

    /// The first place in the window, from `at` on, where a whole header could begin.
    private func magic(from at: Int) -> Int? {
        let last = windowStart + windowCount - SpoolFormat.frameHeaderBytes
        var place = at
        while place <= last {
            if FrameHeader.isMagic(window(place, 4).number(at: 0)) { return place }
            place += 1
        }
        return nil
    }

    // MARK: Bytes

    /// Makes the window hold `count` bytes from `offset`.
    /// - Returns: false if the file ends before.
    private func holds(_ count: Int, at offset: Int) throws(SpoolError) -> Bool {
        if offset >= windowStart && offset - windowStart <= windowCount - count { return true }
        if count > buffer.count {
            buffer.deallocate()
            buffer = .allocate(byteCount: count, alignment: 64)
        }
        windowStart = offset
        windowCount = 0
        do throws(SystemError) {
            windowCount = try File.read(descriptor, into: buffer, at: offset, path: path)
        } catch {
            throw .system(error)
        }
        return windowCount >= count
    }

    /// Bytes that the window holds.
    private func window(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
        precondition(
            offset >= windowStart && offset - windowStart <= windowCount - count,
            "only bytes that were read are looked at")
        return UnsafeRawBufferPointer(buffer).part(at: offset - windowStart, count: count)
    }

    private func size() throws(SpoolError) -> Int {
        do throws(SystemError) {
            return try File.size(of: descriptor, path: path)
        } catch {
            throw .system(error)
        }
    }
}
