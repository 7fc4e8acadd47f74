// HOT: a record's bytes to its click; `RecordWriter` has the way there.
import Clicks

/// A text as a record has it: a number that means one, its bytes, or both.
@usableFromInline
struct SpoolText {
    /// Nothing, as most referers are.
    @inlinable
    static var none: SpoolText {
        SpoolText(mark: 0, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// Set where the bytes are in the record.
    @inlinable
    static var isHere: UInt32 { 1 << 31 }

    @usableFromInline let mark: UInt32
    /// Borrowed, and empty where they are not in the record.
    @usableFromInline let bytes: UnsafeRawBufferPointer

    @inlinable
    @inline(always)
    init(mark: UInt32, bytes: UnsafeRawBufferPointer) {
        self.mark = mark
        self.bytes = bytes
    }

    /// One that an earlier record has.
    @inlinable
    @inline(always)
    init(number: UInt32) {
        self.init(mark: number, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// - Parameter number: 0 if nobody will mean it by number.
    @inlinable
    @inline(always)
    init(_ bytes: UnsafeRawBufferPointer, number: UInt32) {
        self.init(mark: SpoolText.isHere | number, bytes: bytes)
    }

    /// 0 where the text has none.
    @inline(always)
    var number: UInt32 { mark & ~SpoolText.isHere }
    @inlinable
    @inline(always)
    var isInRecord: Bool { mark & SpoolText.isHere != 0 }

    @inline(always)
    fileprivate init?(
        mark: UInt32, bytesMax: Int, _ buffer: UnsafeRawBufferPointer, at offset: inout Int
    ) {
        guard mark & SpoolText.isHere != 0 else {
            self.init(number: mark)
            return
        }
        guard buffer.count - offset >= 2 else { return nil }
        let count = Int(buffer.number(at: offset, as: UInt16.self))
        guard 1...bytesMax ~= count, buffer.count - offset - 2 >= count else { return nil }
        self.init(mark: mark, bytes: buffer.part(at: offset + 2, count: count))
        offset += 2 + count
    }
}

/// A click as it lies in a record, its texts perhaps elsewhere.
struct SpoolRecord {
    var click: Click
    var userAgent: SpoolText
    var referer: SpoolText
    /// Borrowed; at most ``ClickTexts/channelBytesMax``.
    var channel: UnsafeRawBufferPointer
}

/// One click as the record of the format. The layout is in SpoolFormat.swift.
@usableFromInline
enum RecordCoding {
    @usableFromInline
    enum Follows {
        @inlinable
        static var wholeAddress: UInt8 { 1 }
        @inlinable
        static var userID: UInt8 { 2 }
        @inlinable
        static var count: UInt8 { 4 }
    }
    /// What an IPv4 address has above its 32 bits (RFC 4291, 2.5.5.2).
    @inlinable
    static var mapped: UInt64 { 0xFFFF }

    /// Reads the record at an offset, its texts borrowed from the buffer.
    ///
    /// - Returns: nil unless the record lies wholly within the buffer and every number is one that
    ///   a writer may write.
    @inline(always)
    static func read(
        _ buffer: UnsafeRawBufferPointer, at start: Int
    ) -> (record: SpoolRecord, end: Int)? {
        guard start >= 0, buffer.count - start >= SpoolFormat.recordFixedBytes else { return nil }
        let fixed = buffer.part(at: start, count: SpoolFormat.recordFixedBytes)
        let follows = fixed[62]
        let channelBytes = Int(fixed[63])
        guard let verdict = Verdict(rawValue: fixed[60]), let path = ClickPath(rawValue: fixed[61]),
            follows <= Follows.wholeAddress | Follows.userID | Follows.count,
            channelBytes <= ClickTexts.channelBytesMax
        else { return nil }
        var offset = start + SpoolFormat.recordFixedBytes
        guard let (address, userID, count) = follow(follows, buffer, at: &offset),
            let userAgent = SpoolText(
                mark: fixed.number(at: 48), bytesMax: ClickTexts.userAgentBytesMax, buffer,
                at: &offset),
            let referer = SpoolText(
                mark: fixed.number(at: 52), bytesMax: ClickTexts.refererBytesMax, buffer,
                at: &offset),
            buffer.count - offset >= channelBytes
        else { return nil }
        let click = Click(
            id: fixed.identifier(at: 0), gongguID: fixed.identifier(at: 16),
            time: Timestamp(microseconds: fixed.number(at: 32)),
            visitorKey: fixed.number(at: 40), userID: userID, address: address, count: count,
            ruleSet: RuleSet(version: fixed.number(at: 56)), reason: fixed.number(at: 58),
            verdict: verdict, path: path)
        let record = SpoolRecord(
            click: click, userAgent: userAgent, referer: referer,
            channel: buffer.part(at: offset, count: channelBytes))
        return (record, offset + channelBytes)
    }

    /// A copy of the record at an offset that needs no other: texts that it means by number come
    /// with their bytes. Its verdict, path and numbers are not looked at, only where its parts end.
    ///
    /// - Parameters:
    ///   - meaning: of a number; empty if nobody knows.
    ///   - learn: told of texts with numbers that the record has.
    /// - Returns: nil if its parts do not lie within the buffer.
    static func selfContained(
        _ buffer: UnsafeRawBufferPointer, at start: Int,
        meaning: (UInt32) -> [UInt8], learn: (UInt32, [UInt8]) -> Void
    ) -> (bytes: [UInt8], end: Int)? {
        guard start >= 0, buffer.count - start >= SpoolFormat.recordFixedBytes else { return nil }
        var fixed = Array(buffer.part(at: start, count: SpoolFormat.recordFixedBytes))
        let follows = fixed[62]
        guard follows <= Follows.wholeAddress | Follows.userID | Follows.count else { return nil }
        let extraBytes =
            (follows & Follows.wholeAddress != 0 ? 16 : 4)
            + (follows & Follows.userID != 0 ? 16 : 0) + (follows & Follows.count != 0 ? 4 : 0)
        var offset = start + SpoolFormat.recordFixedBytes
        guard buffer.count - offset >= extraBytes else { return nil }
        var rest = Array(buffer.part(at: offset, count: extraBytes))
        offset += extraBytes
        for place in [48, 52] {
            let mark = buffer.number(at: start + place, as: UInt32.self)
            guard
                let text = SpoolText(mark: mark, bytesMax: Int(UInt16.max), buffer, at: &offset)
            else { return nil }
            let bytes = text.isInRecord ? Array(text.bytes) : mark == 0 ? [] : meaning(text.number)
            if text.isInRecord && text.number > 0 { learn(text.number, bytes) }
            fixed.replaceSubrange(
                place..<place + 4, with: [0, 0, 0, bytes.isEmpty ? 0 : 0x80])
            if bytes.isEmpty { continue }
            rest += [UInt8(bytes.count & 0xFF), UInt8(bytes.count >> 8)] + bytes
        }
        let channelBytes = Int(fixed[63])
        guard buffer.count - offset >= channelBytes else { return nil }
        return (
            fixed + rest + Array(buffer.part(at: offset, count: channelBytes)),
            offset + channelBytes
        )
    }

    @inline(always)
    private static func follow(
        _ follows: UInt8, _ buffer: UnsafeRawBufferPointer, at offset: inout Int
    ) -> (NetworkAddress, Identifier, UInt32)? {
        let isWhole = follows & Follows.wholeAddress != 0
        let hasUser = follows & Follows.userID != 0
        let hasCount = follows & Follows.count != 0
        let bytes = (isWhole ? 16 : 4) + (hasUser ? 16 : 0) + (hasCount ? 4 : 0)
        guard buffer.count - offset >= bytes else { return nil }
        let address: NetworkAddress
        if isWhole {
            address = NetworkAddress(
                high: buffer.number(at: offset), low: buffer.number(at: offset + 8))
            offset += 16
        } else {
            address = NetworkAddress(
                high: 0, low: mapped &<< 32 | UInt64(buffer.number(at: offset, as: UInt32.self)))
            offset += 4
        }
        var userID = Identifier.anonymous
        if hasUser {
            userID = buffer.identifier(at: offset)
            offset += 16
        }
        var count: UInt32 = 1
        if hasCount {
            count = buffer.number(at: offset)
            offset += 4
        }
        return count > 0 ? (address, userID, count) : nil
    }
}

extension UnsafeRawBufferPointer {
    /// The 16-byte value at an offset, which lies within the buffer.
    @inline(always)
    func identifier(at offset: Int) -> Identifier {
        Identifier(high: number(at: offset), low: number(at: offset + 8))
    }
}
