// Reads on in the segments of a spool, from where the ledger stands. What cannot be read never
// holds up the rest: damaged frames are copied to quarantine, of a frame with some bad records only
// those, and a segment that is refused as a whole is left alone and reported.
//
// What is written now comes first, also where hours of backlog wait: an influencer who looks sees
// the click of a second ago. So a round reads the open segments, then those that were begun (the
// rest of one that was open until just now is in there), then the others, the oldest first. Where
// there is a backlog the open ones fill half of a batch at most, so that neither starves the other.

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

/// Where a frame begins.
struct FramePlace: Hashable {
    let segment: SegmentName
    let offset: Int
}

/// Takes turns between the workers' segments and keeps readers from round to round. Confined to one
/// thread.
final class SpoolTail {
    /// Rows of a frame that the ledger refuses, and in what words.
    struct Refusal {
        var rows: Set<Int>
        var reason: String
    }

    private let intake: SpoolIntake
    private let texts: KnownTexts
    private var readers: [SegmentName: SegmentReader] = [:]
    /// The worker at whose segments the last round was full; the next begins with another's, so
    /// that one who writes faster than we read cannot starve the others.
    private var lastWorker = -1
    /// Goes to quarantine when it is read again.
    var refused: [FramePlace: Refusal] = [:]
    /// Clicks that the ledger has already; passed over wherever they are read.
    var known: Set<Identifier> = []

    /// Each holds a descriptor and a buffer of 1 MiB; more than there are workers on a host.
    private static let readersMax = 256

    init(_ intake: SpoolIntake, _ texts: KnownTexts) {
        self.intake = intake
        self.texts = texts
    }

    /// Reads until a bound is reached: frames are taken whole, so there may be one frame's records
    /// more than `recordsMax`.
    ///
    /// - Parameters:
    ///   - segments: those to read, sorted.
    ///   - closed: those to which nothing will be appended any more.
    ///   - kept: those known to be in the ledger wholly; not looked at.
    ///   - offsets: where the ledger stands; 0 for a segment that is not in it.
    func read(
        _ segments: [SegmentName], closed: Set<SegmentName>,
        passingOver kept: KeptSegments = KeptSegments(.none),
        from offsets: [SegmentName: Int], countries: CountryTable? = nil, recordsMax: Int,
        framesMax: Int = .max
    ) -> SpoolTaken {
        var taken = SpoolTaken(batch: ClickBatch(texts, countries: countries))
        let waiting = segments.filter { !kept.contains($0) }
        let open = waiting.filter { !closed.contains($0) }
        let backlog = SpoolTail.inOrder(waiting.filter(closed.contains), from: offsets)
        let openMax = backlog.isEmpty ? recordsMax : max(1, recordsMax / 2)
        let first = open.firstIndex { $0.worker > lastWorker } ?? 0
        for segment in open[first...] + open[..<first] {
            read(
                segment, from: offsets, isClosed: false, recordsMax: openMax, framesMax: framesMax,
                into: &taken)
            if taken.isFull {
                lastWorker = segment.worker
                break
            }
        }
        for segment in backlog {
            read(
                segment, from: offsets, isClosed: true, recordsMax: recordsMax,
                framesMax: framesMax, into: &taken)
            if taken.batch.clicks.count >= recordsMax || taken.batch.frames >= framesMax { break }
        }
        return taken
    }

    /// Begun ones, the newest first, then the others, the oldest first.
    private static func inOrder(
        _ closed: [SegmentName], from offsets: [SegmentName: Int]
    ) -> [SegmentName] {
        func age(_ segment: SegmentName) -> (Int64, Int64, Int) {
            (segment.startMicros, segment.sequence, segment.worker)
        }
        let sorted = closed.sorted { age($0) < age($1) }
        return sorted.filter { offsets[$0] ?? 0 > 0 }.reversed()
            + sorted.filter { offsets[$0] ?? 0 == 0 }
    }

    /// Closes what is kept open of a segment.
    func close(_ segment: SegmentName) {
        readers[segment] = nil
    }

    /// Forgets everything read so far.
    func reset() {
        readers.removeAll()
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

    private func read(
        _ segment: SegmentName, from offsets: [SegmentName: Int], isClosed: Bool, recordsMax: Int,
        framesMax: Int, into taken: inout SpoolTaken
    ) {
        do {
            try read(
                segment, from: offsets[segment] ?? 0, isClosed: isClosed, recordsMax: recordsMax,
                framesMax: framesMax, into: &taken)
        } catch {
            readers[segment] = nil
            taken.problems.append("\(error)")
        }
    }

    private func read(
        _ segment: SegmentName, from start: Int, isClosed: Bool, recordsMax: Int, framesMax: Int,
        into taken: inout SpoolTaken
    ) throws {
        guard let reader = try reader(of: segment) else { return }
        var offset = start
        while true {
            if taken.batch.clicks.count >= recordsMax || taken.batch.frames >= framesMax {
                taken.isFull = true
                return
            }
            switch try reader.next(at: offset, isClosed: isClosed) {
            case .frame(let frame, let next):
                if mustTakeApart(frame, segment, at: offset)
                    || !taken.batch.append(frame, of: segment, from: offset, to: next)
                {
                    try takeApart(reader, from: offset, to: next, into: &taken)
                }
                offset = next
            case .torn(let range):
                taken.batch.skip(segment, from: offset, to: range.upperBound)
                offset = range.upperBound
            case .damaged(let range, .record):
                try takeApart(reader, from: offset, to: range.upperBound, into: &taken)
                offset = range.upperBound
            case .damaged(let range, let damage):
                try setAside(segment, range, damage, from: offset, into: &taken)
                offset = range.upperBound
            case .waiting:
                return
            case .ended:
                taken.ended.append(SegmentRange(segment: segment, range: 0..<offset))
                return
            }
        }
    }

    // MARK: What cannot be taken

    /// The copy comes first, and is durable, before any offset moves beyond the original.
    private func setAside(
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

    private func mustTakeApart(
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
    private func takeApart(
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

    private func reader(of segment: SegmentName) throws -> SegmentReader? {
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
