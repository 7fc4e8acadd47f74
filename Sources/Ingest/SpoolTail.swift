// Reads on in the segments of a spool, from where the ledger stands. What cannot be read never
// holds up the rest: damaged frames are copied to quarantine, and a segment that is refused as a
// whole is left alone and reported.

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

/// Takes turns between the workers' segments and keeps readers from round to round. Confined to one
/// thread.
final class SpoolTail {
    private let intake: SpoolIntake
    private let texts: KnownTexts
    private var readers: [SegmentName: SegmentReader] = [:]
    /// The worker at whose segments the last round was full; the next begins with another's, so
    /// that one who writes faster than we read cannot starve the others.
    private var lastWorker = -1

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
        framesMax: Int
    ) -> SpoolTaken {
        var taken = SpoolTaken(batch: ClickBatch(texts, countries: countries))
        let first = segments.firstIndex { $0.worker > lastWorker } ?? 0
        for segment in segments[first...] + segments[..<first] where !kept.contains(segment) {
            do {
                try read(
                    segment, from: offsets[segment] ?? 0, isClosed: closed.contains(segment),
                    recordsMax: recordsMax, framesMax: framesMax, into: &taken)
            } catch {
                readers[segment] = nil
                taken.problems.append("\(error)")
            }
            if taken.isFull {
                lastWorker = segment.worker
                return taken
            }
        }
        return taken
    }

    /// Closes what is kept open of a segment.
    func close(_ segment: SegmentName) {
        readers[segment] = nil
    }

    /// Forgets everything read so far.
    func reset() {
        readers.removeAll()
    }

    /// Those to which nothing will be appended any more, in one pass: in their order the next
    /// segment of the same worker is a later one.
    ///
    /// - Parameter segments: sorted, all of a folder at one moment.
    static func closed(among segments: [SegmentName]) -> Set<SegmentName> {
        let newestStart = segments.map(\.startMicros).max()
        var closed = Set<SegmentName>()
        for (index, segment) in segments.enumerated() {
            let hasSuccessor =
                index + 1 < segments.count && segments[index + 1].worker == segment.worker
            if hasSuccessor || segment.startMicros != newestStart { closed.insert(segment) }
        }
        return closed
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
                if !taken.batch.append(frame, of: segment, from: offset, to: next) {
                    let frameAt = max(offset, SpoolFormat.segmentHeaderBytes)
                    try setAside(segment, frameAt..<next, .record, from: offset, into: &taken)
                }
                offset = next
            case .torn(let range):
                taken.batch.skip(segment, from: offset, to: range.upperBound)
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

    /// The copy comes first, and is durable, before any offset moves beyond the original.
    private func setAside(
        _ segment: SegmentName, _ range: Range<Int>, _ damage: SpoolDamage, from offset: Int,
        into taken: inout SpoolTaken
    ) throws {
        try intake.quarantine(segment, range, damage)
        taken.batch.skip(
            SetAside(place: SegmentRange(segment: segment, range: range), damage: damage),
            from: offset)
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
