// HOT: a click to bytes and back. Benchmarked as ns per append by the spool's bench.
import Clicks

/// One click as the record of the format. The layout is in SpoolFormat.swift.
enum RecordCoding {
    /// Bytes of texts after cutting them to the bounds of ``ClickTexts``.
    @inline(__always)
    static func cut(_ texts: ClickTexts) -> (userAgent: Int, referer: Int, channel: Int) {
        (
            min(texts.userAgent.count, ClickTexts.userAgentBytesMax),
            min(texts.referer.count, ClickTexts.refererBytesMax),
            min(texts.channel.count, ClickTexts.channelBytesMax)
        )
    }

    /// Writes a record; the caller has made sure of the room.
    @inline(__always)
    static func write(
        _ click: Click, _ texts: ClickTexts,
        _ bytes: (userAgent: Int, referer: Int, channel: Int), to target: UnsafeMutableRawPointer
    ) {
        target.store(click.id.high, at: 0)
        target.store(click.id.low, at: 8)
        target.store(click.gongguID.high, at: 16)
        target.store(click.gongguID.low, at: 24)
        target.store(click.time.microseconds, at: 32)
        target.store(click.visitorKey, at: 40)
        target.store(click.userID.high, at: 48)
        target.store(click.userID.low, at: 56)
        target.store(click.address.high, at: 64)
        target.store(click.address.low, at: 72)
        target.store(click.count, at: 80)
        target.store(click.ruleSet.version, at: 84)
        target.store(click.reason, at: 86)
        target.store(click.verdict.rawValue, at: 88)
        target.store(click.path.rawValue, at: 89)
        target.store(UInt16(truncatingIfNeeded: bytes.userAgent), at: 90)
        target.store(UInt16(truncatingIfNeeded: bytes.referer), at: 92)
        target.store(UInt16(truncatingIfNeeded: bytes.channel), at: 94)
        var at = target + SpoolFormat.recordFixedBytes
        if bytes.userAgent > 0 {
            at.copyMemory(from: texts.userAgent.baseAddress!, byteCount: bytes.userAgent)
            at += bytes.userAgent
        }
        if bytes.referer > 0 {
            at.copyMemory(from: texts.referer.baseAddress!, byteCount: bytes.referer)
            at += bytes.referer
        }
        if bytes.channel > 0 {
            at.copyMemory(from: texts.channel.baseAddress!, byteCount: bytes.channel)
        }
    }

    /// Reads the record at an offset, its texts borrowed from the buffer.
    ///
    /// - Returns: nil unless the record lies wholly within the buffer and every number is one that
    ///   a writer may write.
    @inline(__always)
    static func read(
        _ buffer: UnsafeRawBufferPointer, at offset: Int
    ) -> (click: Click, texts: ClickTexts, end: Int)? {
        guard offset >= 0, buffer.count - offset >= SpoolFormat.recordFixedBytes else { return nil }
        let fixed = buffer.part(at: offset, count: SpoolFormat.recordFixedBytes)
        let agentBytes = Int(fixed.number(at: 90, as: UInt16.self))
        let refererBytes = Int(fixed.number(at: 92, as: UInt16.self))
        let channelBytes = Int(fixed.number(at: 94, as: UInt16.self))
        let textsAt = offset + SpoolFormat.recordFixedBytes
        let count = fixed.number(at: 80, as: UInt32.self)
        guard
            agentBytes <= ClickTexts.userAgentBytesMax, refererBytes <= ClickTexts.refererBytesMax,
            channelBytes <= ClickTexts.channelBytesMax,
            buffer.count - textsAt >= agentBytes + refererBytes + channelBytes, count > 0,
            let verdict = Verdict(rawValue: fixed[88]), let path = ClickPath(rawValue: fixed[89])
        else { return nil }
        let click = Click(
            id: identifier(fixed, 0), gongguID: identifier(fixed, 16),
            time: Timestamp(microseconds: fixed.number(at: 32)),
            visitorKey: fixed.number(at: 40), userID: identifier(fixed, 48),
            address: NetworkAddress(high: fixed.number(at: 64), low: fixed.number(at: 72)),
            count: count, ruleSet: RuleSet(version: fixed.number(at: 84)),
            reason: fixed.number(at: 86), verdict: verdict, path: path)
        let refererAt = textsAt + agentBytes
        let channelAt = refererAt + refererBytes
        let texts = ClickTexts(
            userAgent: buffer.part(at: textsAt, count: agentBytes),
            referer: buffer.part(at: refererAt, count: refererBytes),
            channel: buffer.part(at: channelAt, count: channelBytes))
        return (click, texts, channelAt + channelBytes)
    }

    /// Where the record at an offset ends by its own lengths, whether it is possible or not; nil if
    /// that is beyond the buffer.
    static func end(_ buffer: UnsafeRawBufferPointer, at offset: Int) -> Int? {
        guard offset >= 0, buffer.count - offset >= SpoolFormat.recordFixedBytes else { return nil }
        var end = offset + SpoolFormat.recordFixedBytes
        for place in [90, 92, 94] {
            end += Int(buffer.number(at: offset + place, as: UInt16.self))
        }
        return end <= buffer.count ? end : nil
    }

    @inline(__always)
    private static func identifier(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Identifier {
        Identifier(high: bytes.number(at: offset), low: bytes.number(at: offset + 8))
    }
}
