import Clicks

/// The records of format version 1, which is read and no longer written. The layout is in
/// SpoolFormat.swift.
enum FirstRecordCoding {
    /// Reads the record at an offset, its texts borrowed from the buffer.
    ///
    /// - Returns: nil unless the record lies wholly within the buffer and every number is one that
    ///   a writer may write.
    @inline(always)
    static func read(
        _ buffer: UnsafeRawBufferPointer, at offset: Int
    ) -> (click: Click, texts: ClickTexts, end: Int)? {
        guard offset >= 0, buffer.count - offset >= SpoolFormat.firstRecordFixedBytes else {
            return nil
        }
        let fixed = buffer.part(at: offset, count: SpoolFormat.firstRecordFixedBytes)
        let agentBytes = Int(fixed.number(at: 90, as: UInt16.self))
        let refererBytes = Int(fixed.number(at: 92, as: UInt16.self))
        let channelBytes = Int(fixed.number(at: 94, as: UInt16.self))
        let textsAt = offset + SpoolFormat.firstRecordFixedBytes
        let count = fixed.number(at: 80, as: UInt32.self)
        guard
            agentBytes <= ClickTexts.userAgentBytesMax, refererBytes <= ClickTexts.refererBytesMax,
            channelBytes <= ClickTexts.channelBytesMax,
            buffer.count - textsAt >= agentBytes + refererBytes + channelBytes, count > 0,
            let verdict = Verdict(rawValue: fixed[88]), let path = ClickPath(rawValue: fixed[89])
        else { return nil }
        let click = Click(
            id: fixed.identifier(at: 0), gongguID: fixed.identifier(at: 16),
            time: Timestamp(microseconds: fixed.number(at: 32)),
            visitorKey: fixed.number(at: 40), userID: fixed.identifier(at: 48),
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
}
