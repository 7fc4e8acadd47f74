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
}

/// How far a transaction moves one segment's committed offset.
struct SegmentProgress: Equatable {
    let segment: SegmentName
    let from: Int
    var to: Int
    /// Clicks between the two.
    var records: Int
}

/// Clicks on their way into one transaction.
struct ClickBatch {
    private(set) var clicks: [BatchedClick] = []
    private(set) var userAgents = TextTable()
    private(set) var referers = TextTable()
    private(set) var channels = TextTable()
    private(set) var progress: [SegmentProgress] = []
    private(set) var days: Set<KoreanDay> = []

    init() {
        _ = channels.index(of: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    var isEmpty: Bool { progress.isEmpty }

    /// Takes a frame's clicks.
    mutating func append(
        _ frame: SpoolFrame, of segment: SegmentName, from offset: Int, to nextOffset: Int
    ) {
        clicks.reserveCapacity(clicks.count + frame.count)
        for (click, texts) in frame {
            days.insert(click.time.koreanDay)
            clicks.append(
                BatchedClick(
                    click: click,
                    userAgent: texts.userAgent.isEmpty ? -1 : userAgents.index(of: texts.userAgent),
                    referer: texts.referer.isEmpty ? -1 : referers.index(of: texts.referer),
                    channel: channels.index(of: texts.channel)))
        }
        advance(segment, from: offset, to: nextOffset, records: frame.count)
    }

    /// Passes over bytes that hold no clicks to take: a torn tail, or what went to quarantine.
    mutating func skip(_ segment: SegmentName, from offset: Int, to nextOffset: Int) {
        advance(segment, from: offset, to: nextOffset, records: 0)
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

/// Distinct texts in the order of their first appearance.
struct TextTable {
    private(set) var texts: [String] = []
    private var indices: [[UInt8]: Int32] = [:]

    /// The place of a text. Bytes that are no UTF-8 are repaired with U+FFFD, since the ledger keeps
    /// text; two that differ only there share a meaning but not a place.
    mutating func index(of bytes: UnsafeRawBufferPointer) -> Int32 {
        let key = Array(bytes)
        if let index = indices[key] { return index }
        let index = Int32(texts.count)
        texts.append(String(decoding: bytes, as: UTF8.self))
        indices[key] = index
        return index
    }
}
