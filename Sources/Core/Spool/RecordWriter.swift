// HOT: a click to bytes, part by part and in their order, so that what is known first is written
// first and a click on its way to the spool is never a whole. Measured by the spool's bench.
import Clicks

/// A record of the format that is being written; the caller has made sure of
/// ``SpoolFormat/recordBytesMax``. Every part is put once, in the order of the methods.
@usableFromInline
struct RecordWriter {
    @usableFromInline let start: UnsafeMutableRawPointer
    /// Behind the last part.
    @usableFromInline var next: UnsafeMutableRawPointer

    @inlinable
    @inline(always)
    init(_ start: UnsafeMutableRawPointer) {
        self.start = start
        next = start + SpoolFormat.recordFixedBytes
    }

    /// Writes a whole record.
    /// - Returns: where it ends.
    static func write(
        _ record: SpoolRecord, to start: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        var writer = RecordWriter(start)
        writer.put(record.click, channelBytes: record.channel.count)
        writer.put(userAgent: record.userAgent)
        writer.put(referer: record.referer)
        writer.put(channel: record.channel)
        return writer.next
    }

    @inlinable
    @inline(always)
    mutating func put(_ click: Click, channelBytes: Int) {
        start.store(click.id.high, at: 0)
        start.store(click.id.low, at: 8)
        start.store(click.gongguID.high, at: 16)
        start.store(click.gongguID.low, at: 24)
        start.store(click.time.microseconds, at: 32)
        start.store(click.visitorKey, at: 40)
        let follows = putRest(of: click)
        // Six fields at once, from the rule set to the channel's bytes.
        let fields =
            UInt64(click.ruleSet.version) | UInt64(click.reason) &<< 16
            | UInt64(click.verdict.rawValue) &<< 32 | UInt64(click.path.rawValue) &<< 40
            | UInt64(follows) &<< 48 | UInt64(truncatingIfNeeded: channelBytes) &<< 56
        start.store(fields, at: 56)
    }

    /// - Returns: which of the parts that are not in every record there are.
    @inlinable
    @inline(always)
    mutating func putRest(of click: Click) -> UInt8 {
        var follows: UInt8 = 0
        if click.address.high == 0, click.address.low &>> 32 == RecordCoding.mapped {
            next.store(UInt32(truncatingIfNeeded: click.address.low), at: 0)
            next += 4
        } else {
            follows |= RecordCoding.Follows.wholeAddress
            next.store(click.address.high, at: 0)
            next.store(click.address.low, at: 8)
            next += 16
        }
        // Not by ==, which for another module's type is a call through its table of functions.
        if click.userID.high | click.userID.low != 0 {
            follows |= RecordCoding.Follows.userID
            next.store(click.userID.high, at: 0)
            next.store(click.userID.low, at: 8)
            next += 16
        }
        if click.count != 1 {
            follows |= RecordCoding.Follows.count
            next.store(click.count, at: 0)
            next += 4
        }
        return follows
    }

    @inlinable
    @inline(always)
    mutating func put(userAgent: SpoolText) {
        put(userAgent, markAt: 48)
    }

    @inlinable
    @inline(always)
    mutating func put(referer: SpoolText) {
        put(referer, markAt: 52)
    }

    @inlinable
    @inline(always)
    mutating func put(_ text: SpoolText, markAt offset: Int) {
        start.store(text.mark, at: offset)
        if text.isInRecord { next = RecordWriter.write(text.bytes, to: next) }
    }

    /// Not of the writer, which would else have to be in memory.
    /// - Returns: where they end.
    @inline(never)
    @usableFromInline
    static func write(
        _ text: UnsafeRawBufferPointer, to next: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        next.store(UInt16(truncatingIfNeeded: text.count), at: 0)
        (next + 2).copyMemory(from: text.baseAddress!, byteCount: text.count)
        return next + 2 + text.count
    }

    @inlinable
    @inline(always)
    mutating func put(channel: UnsafeRawBufferPointer) {
        guard channel.count > 0 else { return }
        next.copyMemory(from: channel.baseAddress!, byteCount: channel.count)
        next += channel.count
    }
}
