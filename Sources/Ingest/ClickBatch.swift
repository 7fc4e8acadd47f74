// What one transaction moves: clicks read from the spool, the texts they share, and how far each
// segment has been read. Building it touches no database, so a batch can be thrown away at any
// failure and built again from the committed offsets.

import Clicks
import GeoIP
import Spool

/// A click with its texts replaced by places in ``KnownTexts``.
struct BatchedClick {
    let click: Click
    /// Place of the user agent; -1 for none.
    let userAgent: Int32
    /// Place of the referer; -1 for none.
    let referer: Int32
    let channel: Int32
    /// ISO 3166's two letters, the first in the upper byte.
    let country: UInt16
    let device: UInt8

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
    /// Where they were.
    let place: SegmentRange
    let damage: SpoolDamage
    /// Of the frame, where only some were set aside; 0 where none can be told apart.
    let records: Int
    let bytes: Int
    let reason: String
}

/// Clicks on their way into one transaction.
struct ClickBatch {
    /// Times that a click can have: 1970 to 2286, as in the names of segments. A frame with another
    /// was written by a bug, and no partition is made for it.
    static let times = 0...Int64(9_999_999_999_999_999)

    let texts: KnownTexts
    private let countries: CountryTable?
    private(set) var floods = FloodFlags()
    private(set) var clicks: [BatchedClick] = []
    private(set) var progress: [SegmentProgress] = []
    private(set) var days: Set<KoreanDay> = []
    private(set) var frames = 0
    private let look = FrameLook()
    /// Copied to quarantine already, and passed over.
    private(set) var setAside: [SetAside] = []
    /// Clicks that were passed over because the ledger has them.
    private(set) var knownCount = 0
    /// User agents and referers of its clicks that were in damaged frames.
    private(set) var textsLost = 0
    /// Of its clicks; nil if it has none.
    private(set) var newest: Timestamp?
    /// The day that the last click was in, since the next is nearly always in it too.
    private var today: Range<Int64> = 0..<0
    /// Whether each click's time and id are above those of the one before.
    private var isSorted = true
    private var lastID = Identifier(high: 0, low: 0)

    /// - Parameter texts: of this batch alone from here on.
    init(_ texts: KnownTexts, countries: CountryTable? = nil) {
        self.texts = texts
        self.countries = countries
        // A batch ends with a frame, so it has a few more or less than the one before, and for one
        // too many all are moved.
        clicks.reserveCapacity(texts.clicksExpected + texts.clicksExpected / 8)
        texts.beginBatch()
    }

    var isEmpty: Bool { progress.isEmpty }

    /// Takes a frame's clicks, which lie between the two offsets.
    /// - Returns: false, and takes nothing, if one has a time that no edge writes.
    mutating func append(
        _ frame: SpoolFrame, of segment: SegmentName, from offset: Int, to nextOffset: Int
    ) -> Bool {
        guard ClickBatch.times.contains(frame.times.lowerBound.microseconds),
            ClickBatch.times.contains(frame.times.upperBound.microseconds)
        else { return false }
        add(frame)
        frames += 1
        advance(segment, from: offset, to: nextOffset, records: frame.count)
        return true
    }

    /// Takes a frame's clicks, whose times are possible.
    mutating func add(_ frame: SpoolFrame) {
        var last = newest?.microseconds ?? 0
        textsLost += frame.textsLost
        let places = Places(texts)
        var rest = frame.makeIterator()
        var isMore = true
        while isMore {
            isMore = look.fill(from: &rest, places.userAgents, places.referers)
            for at in 0..<look.count {
                let click = look[at].click
                let micros = click.time.microseconds
                if !today.contains(micros) { note(click.time.koreanDay) }
                if micros > last {
                    last = micros
                } else if micros < last || click.id < lastID {
                    isSorted = false
                }
                lastID = click.id
                append(at, places)
            }
            // Their sums' places were sent for by `append`.
            for at in 0..<look.count {
                let line = look[at].line
                places.lines.add(line.amount, to: line.key, hash: line.hash)
            }
        }
        newest = Timestamp(microseconds: last)
    }

    /// ``KnownTexts``'s tables, fetched once a frame: each fetch counts a reference up and down.
    private struct Places {
        let userAgents: TextPlaces
        let referers: TextPlaces
        let channels: TextPlaces
        let lines: WordTable

        init(_ texts: KnownTexts) {
            userAgents = texts.userAgents
            referers = texts.referers
            channels = texts.channels
            lines = texts.lines
        }
    }

    /// Of a look.
    @inline(__always)
    private mutating func append(_ at: Int, _ places: Places) {
        let (click, own) = (look[at].click, look[at].texts)
        let agent =
            own.userAgent.isEmpty
            ? TextPlaces.Found.none : places.userAgents.find(own.userAgent, key: own.userAgentKey)
        let referer =
            own.referer.isEmpty
            ? TextPlaces.Found.none : places.referers.find(own.referer, key: own.refererKey)
        let channel =
            own.channel.isEmpty ? KnownTexts.none : places.channels.place(of: own.channel)
        let device = UInt8(truncatingIfNeeded: agent.extra)
        let country =
            countries?.country(high: click.address.high, low: click.address.low)
            ?? CountryTable.unknown
        let batched = BatchedClick(
            click: click, userAgent: agent.place, referer: referer.place, channel: channel,
            country: country, device: device)
        clicks.append(batched)
        let line = StatisticsLine(
            click, country: country, device: device, channel: channel, host: referer.extra)
        look[at].line = FrameLook.Line(
            key: line.key, amount: Int64(batched.count), hash: places.lines.fetch(line.key))
        if click.verdict == .flood { floods.note(click) }
    }

    private mutating func note(_ day: KoreanDay) {
        days.insert(day)
        today = day.start.microseconds..<day.advanced(byDays: 1).start.microseconds
    }

    /// The clicks' indices in the order of the ledger's key, time and id (a turn's clicks share
    /// their time): then its index grows at its right edge, which makes it a fifth smaller and the
    /// copy a tenth cheaper (1 M clicks, PostgreSQL 15). Nil if they stand in that order.
    var order: [Int32]? {
        if isSorted { return nil }
        return clicks.withUnsafeBufferPointer { clicks in
            // Times beside each other: looking for them in the clicks is a miss of the cache each.
            let times = clicks.indices.map { (micros: clicks[$0].click.time.microseconds, at: $0) }
            return times.sorted { left, right in
                if left.micros != right.micros { return left.micros < right.micros }
                return clicks[left.at].click.id < clicks[right.at].click.id
            }.map { Int32(truncatingIfNeeded: $0.at) }
        }
    }

    /// Passes over a torn tail.
    mutating func skip(_ segment: SegmentName, from offset: Int, to nextOffset: Int) {
        advance(segment, from: offset, to: nextOffset, records: 0)
    }

    /// Tells of what was copied to quarantine.
    mutating func note(_ part: SetAside) {
        setAside.append(part)
    }

    /// Tells of clicks that the ledger has already.
    mutating func passOver(known count: Int) {
        knownCount += count
    }

    private mutating func advance(
        _ segment: SegmentName, from offset: Int, to nextOffset: Int, records: Int
    ) {
        // Few are read at a time, and it is nearly always one of the last.
        if let place = progress.lastIndex(where: { $0.segment == segment }) {
            precondition(progress[place].to == offset, "a segment is read without gaps")
            progress[place].to = nextOffset
            progress[place].records += records
        } else {
            progress.append(
                SegmentProgress(segment: segment, from: offset, to: nextOffset, records: records))
        }
    }
}
