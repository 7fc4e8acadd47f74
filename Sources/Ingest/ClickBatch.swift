// What one transaction moves: clicks read from the spool, the texts they share, and how far each
// segment has been read. Building it touches no database, so a batch can be thrown away at any
// failure and built again from the committed offsets.

import Clicks
import Spool

/// A click with its texts replaced by places in the batch's tables.
struct BatchedClick {
    let click: Click
    /// Index into ``ClickBatch/userAgents``; -1 for none.
    let userAgent: Int32
    /// Index into ``ClickBatch/referers``; -1 for none.
    let referer: Int32
    /// Index into ``ClickBatch/channels``; 0 is the empty one.
    let channel: Int32

    /// Requests it stands for, as the ledger's column holds them: at most 2³¹ − 1, which no address
    /// reaches within the second that a folded record covers.
    var count: Int32 { Int32(clamping: click.count) }
}

/// How far a transaction moves one segment's committed offset.
struct SegmentProgress: Equatable {
    let segment: SegmentName
    let from: Int
    var to: Int
    /// Clicks between the two.
    var records: Int
}

/// Bytes of a segment.
struct SegmentRange: Equatable {
    let segment: SegmentName
    let range: Range<Int>
}

/// Bytes that go to quarantine instead of the ledger.
struct SetAside: Equatable {
    let place: SegmentRange
    let damage: SpoolDamage
}

/// Clicks on their way into one transaction.
struct ClickBatch {
    /// Times that a click can have: 1970 to 2286, as in the names of segments. A frame with another
    /// was written by a bug, and no partition is made for it.
    static let times = 0...Int64(9_999_999_999_999_999)

    private(set) var clicks: [BatchedClick] = []
    private(set) var userAgents = TextTable()
    private(set) var referers = TextTable()
    private(set) var channels = TextTable()
    private(set) var progress: [SegmentProgress] = []
    private(set) var days: Set<KoreanDay> = []
    private(set) var frames = 0
    private(set) var lastFrame: SegmentRange?
    /// Copied to quarantine already, and passed over.
    private(set) var setAside: [SetAside] = []
    /// Of its clicks; nil if it has none.
    private(set) var newest: Timestamp?

    init() {
        _ = channels.index(of: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    var isEmpty: Bool { progress.isEmpty }

    /// Takes a frame's clicks, which lie between the two offsets.
    /// - Returns: false, and takes nothing, if one has a time that no edge writes.
    mutating func append(
        _ frame: SpoolFrame, of segment: SegmentName, from offset: Int, to nextOffset: Int
    ) -> Bool {
        for (click, _) in frame where !(ClickBatch.times ~= click.time.microseconds) {
            return false
        }
        for (click, texts) in frame {
            days.insert(click.time.koreanDay)
            newest = max(newest ?? click.time, click.time)
            clicks.append(
                BatchedClick(
                    click: click,
                    userAgent: texts.userAgent.isEmpty ? -1 : userAgents.index(of: texts.userAgent),
                    referer: texts.referer.isEmpty ? -1 : referers.index(of: texts.referer),
                    channel: channels.index(of: texts.channel)))
        }
        frames += 1
        let frameAt = max(offset, SpoolFormat.segmentHeaderBytes)
        lastFrame = SegmentRange(segment: segment, range: frameAt..<nextOffset)
        advance(segment, from: offset, to: nextOffset, records: frame.count)
        return true
    }

    /// Passes over a torn tail.
    mutating func skip(_ segment: SegmentName, from offset: Int, to nextOffset: Int) {
        advance(segment, from: offset, to: nextOffset, records: 0)
    }

    /// Passes over what was copied to quarantine.
    mutating func skip(_ range: SetAside, from offset: Int) {
        setAside.append(range)
        advance(range.place.segment, from: offset, to: range.place.range.upperBound, records: 0)
    }

    private mutating func advance(
        _ segment: SegmentName, from offset: Int, to nextOffset: Int, records: Int
    ) {
        if let last = progress.indices.last, progress[last].segment == segment {
            precondition(progress[last].to == offset, "a segment is read without gaps")
            progress[last].to = nextOffset
            progress[last].records += records
        } else {
            progress.append(
                SegmentProgress(segment: segment, from: offset, to: nextOffset, records: records))
        }
    }
}
