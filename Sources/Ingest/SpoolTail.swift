// Reads on in the segments of a spool, from where the ledger stands. What cannot be read never
// holds up the rest: damaged frames are copied to quarantine, of a frame with some bad records only
// those, and a segment that is refused as a whole is left alone and reported.
//
// What is written now comes first, also where hours of backlog wait: an influencer who looks sees
// the click of a second ago. So a round reads what is new in open segments, then the rests of those
// that were open until just now, then the backlog, which is also what is old in open segments.
// Where there is one, what is new fills half of a batch at most, so that neither starves the other.
// Of several workers' segments it takes frame by frame what is oldest: batches in the order of time
// make the ledger's index a third smaller.

import Admin
import Clicks
import GeoIP
import Linux
import Spool

/// What was read of a spool in one round.
struct SpoolTaken {
    var batch: ClickBatch
    /// Whether a bound stopped it, so that more is waiting.
    var isFull = false
    /// Closed segments that were read to their ends, and where those are.
    var ended: [SegmentRange] = []
    /// Why segments, or their rests, were left alone.
    var problems: [String] = []
}

/// At which a batch is full.
struct BatchBounds {
    let records: Int
    let frames: Int

    func areReached(by batch: ClickBatch) -> Bool {
        batch.clicks.count >= records || batch.frames >= frames
    }
}

/// Where a frame begins.
struct FramePlace: Hashable {
    let segment: SegmentName
    let offset: Int
}

/// Merges the workers' segments and keeps readers from round to round.
///
/// Unchecked: used by whoever reads, one at a time, see ``PumpTurns``.
final class SpoolTail: @unchecked Sendable {
    /// Rows of a frame that the ledger refuses, and in what words.
    struct Refusal {
        var rows: Set<Int>
        var reason: String
    }

    private let intake: SpoolIntake
    var readers: [SegmentName: SegmentReader] = [:]
    /// Frames that were found and not taken: to find one again would cost a look at all before it.
    var found: [SegmentName: Stream] = [:]
    /// Segments that were read while they were open.
    private var seenOpen: Set<SegmentName> = []
    /// Goes to quarantine when it is read again.
    var refused: [FramePlace: Refusal] = [:]
    /// Clicks that the ledger has already; passed over wherever they are read.
    var known: Set<Identifier> = []

    /// Each holds a descriptor and a buffer of 1 MiB; more than there are workers on a host.
    private static let readersMax = 256

    init(_ intake: SpoolIntake) {
        self.intake = intake
    }

    /// Reads until a bound is reached: frames are taken whole, so there may be one frame's records
    /// more than `recordsMax`.
    ///
    /// - Parameters:
    ///   - segments: those to read, sorted.
    ///   - closed: those to which nothing will be appended any more.
    ///   - kept: those known to be in the ledger wholly; not looked at.
    ///   - offsets: where to begin; 0 for a segment that is new.
    ///   - texts: the batch's.
    func read(
        _ segments: [SegmentName], closed: Set<SegmentName>,
        passingOver kept: KeptSegments = KeptSegments(.none),
        from offsets: [SegmentName: Int], texts: KnownTexts, countries: CountryTable? = nil,
        recordsMax: Int, framesMax: Int = .max
    ) -> SpoolTaken {
        var taken = SpoolTaken(batch: ClickBatch(texts, countries: countries))
        let waiting = segments.filter { !kept.contains($0) }
        forget(exceptOf: waiting)
        let open = waiting.filter { !closed.contains($0) }
        let (fresh, closedBacklog) = inOrder(waiting.filter(closed.contains), from: offsets)
        var backlog = closedBacklog.map { Stream(segments: $0[...]) }
        var live: [Stream] = []
        for segment in open {
            guard let stream = stream(segment, from: offsets, into: &taken) else { continue }
            // Of an edge that is at rest, or was left behind, it may be as old as what is closed.
            if isLive(stream) {
                seenOpen.insert(segment)
                live.append(stream)
            } else {
                backlog.append(stream)
            }
        }
        let isBehind = !fresh.isEmpty || !backlog.isEmpty
        merge(
            live, from: offsets, closed: closed,
            BatchBounds(
                records: isBehind ? max(1, recordsMax / 2) : recordsMax, frames: framesMax),
            into: &taken)
        let bounds = BatchBounds(records: recordsMax, frames: framesMax)
        for segment in fresh {
            merge(
                [Stream(segments: [segment])], from: offsets, closed: closed, bounds, into: &taken)
        }
        merge(backlog, from: offsets, closed: closed, bounds, into: &taken)
        return taken
    }

    /// - Returns: what was open until just now, the newest first; and of each worker the others,
    ///   the oldest first.
    private func inOrder(
        _ closed: [SegmentName], from offsets: [SegmentName: Int]
    ) -> (fresh: [SegmentName], backlog: [[SegmentName]]) {
        var fresh: [SegmentName] = []
        var backlog: [[SegmentName]] = []
        // They are sorted by worker, and of each worker by age.
        for segment in closed {
            let isFirst = backlog.last?.first?.worker != segment.worker
            if offsets[segment] ?? 0 > 0 && (!isFirst || seenOpen.contains(segment)) {
                fresh.append(segment)
            } else if isFirst {
                backlog.append([segment])
            } else {
                backlog[backlog.count - 1].append(segment)
            }
        }
        func age(_ segment: SegmentName) -> (Int64, Int64, Int) {
            (segment.startMicros, segment.sequence, segment.worker)
        }
        return (
            fresh.sorted { age($0) > age($1) }, backlog.sorted { age($0[0]) < age($1[0]) }
        )
    }

    private func forget(exceptOf waiting: [SegmentName]) {
        guard readers.count + seenOpen.count > 0 else { return }
        let waiting = Set(waiting)
        if !seenOpen.isSubset(of: waiting) { seenOpen.formIntersection(waiting) }
        if readers.keys.contains(where: { !waiting.contains($0) }) {
            readers = readers.filter { waiting.contains($0.key) }
            found = found.filter { waiting.contains($0.key) }
        }
    }

    /// Forgets everything read so far.
    func reset() {
        readers.removeAll()
        found.removeAll()
        seenOpen = []
        refused = [:]
        known = []
    }

    /// Those to which nothing will be appended any more, in one pass: in their order the next
    /// segment of the same worker is a later one.
    ///
    /// - Parameter segments: sorted, all of a folder at one moment.
    static func closed(among segments: [SegmentName]) -> Set<SegmentName> {
        let newestStart = segments.lazy.filter { !$0.isRequeued }.map(\.startMicros).max()
        var closed = Set<SegmentName>()
        for (index, segment) in segments.enumerated() {
            let hasSuccessor =
                index + 1 < segments.count && segments[index + 1].worker == segment.worker
            if segment.isRequeued || hasSuccessor || segment.startMicros != newestStart {
                closed.insert(segment)
            }
        }
        return closed
    }

    // MARK: What cannot be taken

    /// The copy comes first, and is durable, before any offset moves beyond the original.
    func setAside(
        _ segment: SegmentName, _ range: Range<Int>, _ damage: SpoolDamage, from offset: Int,
        into taken: inout SpoolTaken
    ) throws {
        let note = SpoolTail.note("the \(damage.rawValue) is damaged")
        try intake.quarantine(segment, range, damage, note)
        taken.batch.note(
            SetAside(
                place: SegmentRange(segment: segment, range: range), damage: damage,
                records: 0, bytes: range.count, reason: note.reason))
        taken.batch.skip(segment, from: offset, to: range.upperBound)
    }

    private static func note(_ reason: String) -> QuarantineNote {
        QuarantineNote(reason: reason, time: Log.timeText(Clock.now()))
    }

    func mustTakeApart(
        _ frame: SpoolFrame, _ segment: SegmentName, at offset: Int
    ) -> Bool {
        if refused.isEmpty && known.isEmpty { return false }
        return refused[SpoolTail.place(segment, offset)] != nil
            || !known.isEmpty && frame.contains { known.contains($0.click.id) }
    }

    static func place(_ segment: SegmentName, _ offset: Int) -> FramePlace {
        FramePlace(segment: segment, offset: max(offset, SpoolFormat.segmentHeaderBytes))
    }

    /// Takes of a frame what can be taken, and puts the rest aside: rows that the ledger refuses,
    /// those of times that no edge writes, those that are no records. Passes over rows that the
    /// ledger has.
    func takeApart(
        _ reader: SegmentReader, from offset: Int, to next: Int, into taken: inout SpoolTaken
    ) throws {
        let place = SpoolTail.place(reader.name, offset)
        let refusal = refused[place]
        guard let split = try reader.split(at: offset) else {
            return try setAside(
                reader.name, place.offset..<next, .record, from: offset, into: &taken)
        }
        let good = split.places { index, click in
            ClickBatch.times.contains(click.time.microseconds)
                && !(refusal?.rows.contains(index) ?? false)
        }
        let bad = Set(0..<split.count).subtracting(good).sorted()
        if !bad.isEmpty { try setAside(bad, of: split, at: place, to: next, refusal, into: &taken) }
        let known = Set(split.places { self.known.contains($1.id) })
        let new = good.filter { !known.contains($0) }
        taken.batch.passOver(known: good.count - new.count)
        let segment = reader.name
        let isTaken =
            split.withFrame(of: new) { taken.batch.append($0, of: segment, from: offset, to: next) }
            ?? false
        if !isTaken { taken.batch.skip(segment, from: offset, to: next) }
    }

    private func setAside(
        _ places: [Int], of split: SplitFrame, at place: FramePlace, to next: Int,
        _ refusal: Refusal?, into taken: inout SpoolTaken
    ) throws {
        let damage = refusal == nil ? SpoolDamage.record : .refused
        let note = SpoolTail.note(
            (refusal?.reason ?? "a time, verdict, path or length that no edge writes")
                + "; \(places.count) of \(split.count) records")
        try intake.quarantine(
            places, of: split, place.segment, frameAt: place.offset, damage, note)
        taken.batch.note(
            SetAside(
                place: SegmentRange(segment: place.segment, range: place.offset..<next),
                damage: damage, records: places.count,
                bytes: split.sealed(places, at: place.offset).count, reason: note.reason))
    }

    // MARK: Frames one by one

    /// The frames of a part of a segment that was read before, taken apart, with the rows of each
    /// that may be asked for.
    func frames(of progress: SegmentProgress) throws -> [PoisonSearch.Frame] {
        found[progress.segment] = nil
        guard let reader = try reader(of: progress.segment) else { return [] }
        var frames: [PoisonSearch.Frame] = []
        var offset = progress.from
        while offset < progress.to {
            let next: Int
            var hasRows = true
            switch try reader.next(at: offset, isClosed: false) {
            case .frame(_, let end): next = end
            case .damaged(let range, .record): next = range.upperBound
            case .damaged(let range, _), .torn(let range):
                next = range.upperBound
                hasRows = false
            case .waiting, .ended: return frames
            }
            if hasRows, let split = try reader.split(at: offset) {
                let place = SpoolTail.place(progress.segment, offset)
                let passed = refused[place]?.rows ?? []
                let rows = split.places { index, click in
                    ClickBatch.times.contains(click.time.microseconds)
                        && !passed.contains(index) && !known.contains(click.id)
                }
                if !rows.isEmpty {
                    frames.append(PoisonSearch.Frame(place: place, split: split, rows: rows))
                }
            }
            offset = next
        }
        return frames
    }

    func reader(of segment: SegmentName) throws -> SegmentReader? {
        if let reader = readers[segment] { return reader }
        if readers.count >= SpoolTail.readersMax { readers.removeAll() }
        do throws(SystemError) {
            let reader = try intake.reader(of: segment)
            readers[segment] = reader
            return reader
        } catch  where error.isMissing {
            // The writer took back a segment that never held a frame.
            return nil
        }
    }
}
