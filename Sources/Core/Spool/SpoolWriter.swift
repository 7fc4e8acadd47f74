// HOT: a worker's clicks into its segment. `append` is some stores and copies into a buffer that
// was touched at start; `commit` is a checksum and one write(2). Measured by the spool's bench.
//
// Invariants: the records gathered lie behind the frame header's room. `segment`, if there is one,
// ends with a whole frame or its header. Every record appended is either written, or counted as
// unrecorded, or dropped by `close`. Every number that a gathered record means is of a text in this
// segment or in an earlier record of the buffer.
import Clicks
import Glibc
import Linux
import Synchronization

package struct SpoolSettings: Sendable {
    /// Bytes of records a worker gathers in one loop turn; 4 KiB … 8 MiB. At the bound `append`
    /// says so and the worker commits early.
    package var frameBytesMax = 1 << 20
    /// Bytes after which the next segment begins; 4 KiB … 1 GiB. A single frame may exceed it.
    package var segmentBytesMax = 64 << 20
    /// Age after which a segment with clicks is followed by another, so that Ingest can delete it.
    package var segmentAgeSecondsMax = 60
    /// Between two attempts while the disk refuses. Each costs an open(2) and a write(2).
    package var retryIntervalMilliseconds = 100

    package init() {}
}

/// What became of the records appended since the last commit.
package enum CommitOutcome: Equatable, Sendable {
    case nothing
    /// They survive the end of the process, and with `always` the machine's. Answer them.
    case written(records: Int)
    /// They could not be written, for this `errno`; answer them all the same.
    case unrecorded(records: Int, code: Int32)
    /// They were written, and could not be synced as `always` asks. Answer them, and count them as
    /// unrecorded: nobody knows whether they will be found.
    case unsynced(records: Int, code: Int32)
}

/// Writes one worker's segments. Confined to that worker's thread; nothing here waits or throws.
///
/// The process ignores SIGXFSZ, or a limit on its files' size (RLIMIT_FSIZE) ends it.
package final class SpoolWriter {
    package let gauges = SpoolGauges()
    private let folder: SpoolFolder
    private let worker: Int
    private let settings: SpoolSettings
    private let sync: SpoolSync
    /// Nil for a spool without a bound.
    private var allowance: SpoolAllowance?

    /// What is gathered for the next frame, to which a worker adds its clicks.
    package let buffer: FrameBuffer
    private let frame: UnsafeMutableRawPointer
    private let texts = TextNumbers()
    /// Where in the segment the current numbers begin.
    private var textsFromBytes = 0

    private var segment: OpenSegment?
    private var segmentBytes = 0
    private var segmentFrames = 0
    private var segmentSinceMicros: Int64 = 0
    private var sequence: Int64 = 0
    private var linkSeenMicros: Int64 = 0
    private var retryAtMicros: Int64 = 0
    private var failureCode: Int32 = 0

    /// Begins the worker's first segment, so that those of the process before it are closed. If
    /// that fails the writer is failing and tries again.
    ///
    /// - Parameter worker: 0 … 9,999, one writer each.
    package init(
        folder: SpoolFolder, worker: Int, settings: SpoolSettings = SpoolSettings(),
        sync: SpoolSync
    ) {
        precondition(
            4096...8 << 20 ~= settings.frameBytesMax
                && 4096...SpoolFormat.segmentBytesMax ~= settings.segmentBytesMax
                && settings.segmentAgeSecondsMax > 0 && settings.retryIntervalMilliseconds >= 0,
            "the spool's settings are within their ranges")
        self.folder = folder
        self.worker = worker
        self.settings = settings
        self.sync = sync
        let bytes = SpoolFormat.frameHeaderBytes + settings.frameBytesMax
        // And room for texts that records must bring along into another segment.
        frame = .allocate(byteCount: bytes + SpoolWriter.movedBytesMax, alignment: 64)
        // Touched now, so that no click waits for the kernel to find the pages.
        frame.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        buffer = FrameBuffer(
            frame + SpoolFormat.frameHeaderBytes, bytes: settings.frameBytesMax, numbers: texts)
        begin()
    }

    deinit {
        close()
        buffer.deallocate()
        frame.deallocate()
        texts.deallocate()
    }

    /// From now on keeps to the bound. Called once, before the worker's thread starts.
    /// - Parameter allowance: knows this writer's gauges by its worker's number.
    package func keep(to allowance: SpoolAllowance) {
        self.allowance = allowance
    }

    /// Whether the longest click still fits, so that the next ``append(_:_:)`` succeeds.
    package var hasRoom: Bool { hasRoom(for: 1) }

    /// Whether so many of the longest clicks still fit.
    package func hasRoom(for records: Int) -> Bool { buffer.hasRoom(for: records) }

    /// See ``FrameBuffer/append(_:_:)``.
    package func append(_ click: Click, _ texts: ClickTexts) -> Bool {
        buffer.append(click, texts)
    }

    /// Seals the frame and writes it, in one write(2).
    package func commit() -> CommitOutcome {
        let records = buffer.records
        guard records > 0 else { return .nothing }
        let isAdmitted = isAdmitted(frameBytes)
        let end = isAdmitted ? write() : .refused
        let isWritten = end == .written
        let bytes = frameBytes
        buffer.clear()
        // Numbers that were given with records that were not written mean nothing.
        let isDue =
            !isWritten || !texts.generation.hasRoom
            || segmentBytes - textsFromBytes >= SpoolFormat.textSpanBytes
        if isDue { _ = beginTexts() }
        guard isAdmitted else {
            gauges.unrecorded.add(records, ordering: .relaxed)
            return .unrecorded(records: records, code: EDQUOT)
        }
        gauges.writeFailing.store(!isWritten, ordering: .relaxed)
        guard isWritten else {
            gauges.unrecorded.add(records, ordering: .relaxed)
            return end == .unsynced
                ? .unsynced(records: records, code: failureCode)
                : .unrecorded(records: records, code: failureCode)
        }
        gauges.records.add(records, ordering: .relaxed)
        gauges.frames.add(1, ordering: .relaxed)
        gauges.bytes.add(bytes, ordering: .relaxed)
        return .written(records: records)
    }

    /// Whether the spool's bound lets a frame of so many bytes in.
    private func isAdmitted(_ bytes: Int) -> Bool {
        guard let allowance else { return true }
        return allowance.admits(bytes, of: worker, written: gauges.bytesWritten)
    }

    /// Begins the next segment if the current one is old and has clicks, was removed by somebody,
    /// or is missing or too long because the disk refused, or if recording has stopped. Called once
    /// a loop turn, before ``commit()``, and at least once a second when idle: a server that is not
    /// ready gets no clicks to recover by.
    ///
    /// - Parameter nowMicros: since 1970; may step.
    package func rotateIfDue(nowMicros: Int64) {
        guard let segment else {
            begin()
            return
        }
        let sinceLinkSeen = nowMicros - linkSeenMicros
        if sinceLinkSeen >= 100_000 || sinceLinkSeen < 0 {
            linkSeenMicros = nowMicros
            if segment.isUnlinked {
                abandon()
                begin()
                return
            }
        }
        // Nothing more goes into it, and whether its successor can be synced is worth knowing now.
        if segment.hasSyncFailed.load(ordering: .relaxed) {
            failureCode = EIO
            abandon()
            begin()
            return
        }
        // Over its size, with no next one to be had when it was last tried.
        if gauges.writeFailing.load(ordering: .relaxed) {
            begin()
            return
        }
        // The clock's step must not make a segment live for ever.
        if segmentFrames == 0 || nowMicros < segmentSinceMicros { segmentSinceMicros = nowMicros }
        let ageMicros = nowMicros - segmentSinceMicros
        // A segment that is still open cannot be deleted to make room.
        let isInTheWay = segmentFrames > 0 && allowance?.hasStopped ?? false
        if isInTheWay || ageMicros >= Int64(settings.segmentAgeSecondsMax) * 1_000_000 {
            begin()
            // Or its first frame would make the next as old as this one, and end it at once.
            if segmentFrames == 0 { segmentSinceMicros = nowMicros }
        }
    }

    /// Lets go of the segment. Records not committed are dropped: they were not answered.
    package func close() {
        buffer.clear()
        retire()
    }

    // MARK: Segments

    private enum FrameEnd {
        case written, refused
        /// In the file, and nobody knows whether on the disk.
        case unsynced
    }

    /// Writes the sealed frame, if need be into a new segment. Twice at most: a segment that fails
    /// after long service is often alone in that, a second failure is the disk's.
    private func write() -> FrameEnd {
        for _ in 0..<2 {
            if let segment, segment.hasSyncFailed.load(ordering: .relaxed) {
                failureCode = EIO
                retire()
            }
            if segment == nil
                || segmentFrames > 0 && segmentBytes + frameBytes > settings.segmentBytesMax
            {
                begin()
            }
            let bytes = frameBytes
            guard let segment, segmentBytes <= 2 * settings.segmentBytesMax else {
                return .refused
            }
            FrameHeader.seal(
                frame, payloadBytes: buffer.bytes.count, recordCount: buffer.records,
                firstText: texts.first, offset: segmentBytes)
            if let failure = segment.append(UnsafeRawBufferPointer(start: frame, count: bytes)) {
                failureCode = failure.code
                abandon()
                continue
            }
            segmentBytes += bytes
            segmentFrames += 1
            if sync.policy == .always, let failure = sync.sync(segment, gauges) {
                // Not again in another segment: these clicks may well be in this one.
                failureCode = failure.code
                abandon()
                return .unsynced
            }
            return .written
        }
        return .refused
    }

    /// Opens the next segment and retires the current one, which serves on while none can be
    /// opened (descriptors may have run out where disk space has not).
    private func begin() {
        let now = Clock.monotonic()
        guard now >= retryAtMicros else { return }
        do throws(SystemError) {
            // A name that failed is not used again: it may exist, half written.
            sequence += 1
            let next = try folder.create(worker: worker, sequence: sequence)
            // Who lists the folder from here on takes the one before for closed: Ingest deletes it,
            // whatever becomes of this one.
            retire()
            try folder.writeHeader(of: next)
            // Nothing but a click would find out that the device works again, and might be lost.
            if sync.policy == .always, gauges.syncFailing.load(ordering: .relaxed),
                let failure = sync.sync(next, gauges)
            {
                next.takeBack()
                throw failure
            }
            segment = next
            segmentBytes = SpoolFormat.segmentHeaderBytes
            segmentFrames = 0
            moveRecords(knowing: beginTexts())
            sync.enroll(next, gauges)
            gauges.segments.add(1, ordering: .relaxed)
            gauges.writeFailing.store(false, ordering: .relaxed)
        } catch {
            if error.code == EEXIST { retire() }
            failureCode = error.code
            retryAtMicros = now + Int64(settings.retryIntervalMilliseconds) * 1000
            gauges.writeFaults.add(1, ordering: .relaxed)
            if segment == nil { gauges.writeFailing.store(true, ordering: .relaxed) }
        }
    }

    private var frameBytes: Int { SpoolFormat.frameHeaderBytes + buffer.bytes.count }

    private func beginTexts() -> TextGeneration {
        textsFromBytes = segmentBytes
        return texts.beginAnew()
    }

    /// Each text at most once, and a length and half a mark for each.
    private static let movedBytesMax = SpoolFormat.textBytesMax + 2 * SpoolFormat.textCountMax

    /// Gathers the records anew, for another segment than that whose texts they mean.
    private func moveRecords(knowing before: TextGeneration) {
        guard buffer.records > 0 else { return }
        let old = UnsafeMutableRawBufferPointer.allocate(
            byteCount: buffer.bytes.count, alignment: 8)
        defer { old.deallocate() }
        old.copyMemory(from: buffer.bytes)
        buffer.clear()
        var numbers = [UInt32](repeating: 0, count: Int(before.next - before.first))
        func moved(_ text: SpoolText) -> SpoolText {
            guard text.number > 0 else { return text }
            let index = Int(text.number - before.first)
            if numbers[index] > 0 { return SpoolText(number: numbers[index]) }
            let bytes = before.find(text.number)
            numbers[index] = texts.generation.add(bytes)
            return SpoolText(bytes, number: numbers[index])
        }
        var offset = 0
        while let (old, end) = RecordCoding.read(UnsafeRawBufferPointer(old), at: offset) {
            var record = old
            record.userAgent = moved(record.userAgent)
            record.referer = moved(record.referer)
            buffer.add(record)
            offset = end
        }
        precondition(offset == old.count, "what was gathered is records")
    }

    /// Leaves a segment whose tail cannot be trusted.
    private func abandon() {
        gauges.writeFaults.add(1, ordering: .relaxed)
        gauges.writeFailing.store(true, ordering: .relaxed)
        if segmentFrames == 0 {
            segment?.takeBack()
            retryAtMicros =
                Clock.monotonic() + Int64(settings.retryIntervalMilliseconds) * 1000
        }
        retire()
    }

    private func retire() {
        segment?.isRetired.store(true, ordering: .releasing)
        segment = nil
    }
}
