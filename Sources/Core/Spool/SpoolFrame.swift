import Clicks

/// A whole frame that was read, checked record by record: its clicks in the order in which they
/// were appended, their texts borrowed.
///
/// It points into its reader's memory and is valid until the reader's next call.
package struct SpoolFrame: Sequence {
    /// Records, at least 1.
    package let count: Int
    package let firstTime: Timestamp
    /// From the earliest to the latest of its clicks.
    package let times: ClosedRange<Timestamp>
    /// User agents and referers that its records mean and nobody has: the frame that had them was
    /// damaged. They come out as none.
    package let textsLost: Int
    private let payload: UnsafeRawBufferPointer
    /// Nil in version 1.
    private let texts: TextGeneration?

    /// - Parameter texts: what numbers mean, of the generation that the header names. Learns those
    ///   that the frame numbers.
    /// - Returns: nil unless the payload is exactly the records that the header promises.
    init?(_ header: FrameHeader, payload: UnsafeRawBufferPointer, texts: TextGeneration?) {
        self.payload = payload
        self.texts = texts
        count = header.recordCount
        guard payload.count >= SpoolFormat.recordFixedBytes else { return nil }
        firstTime = Timestamp(microseconds: payload.number(at: 32))
        var offset = 0
        var lost = 0
        var (earliest, latest) = (firstTime, firstTime)
        for index in 0..<header.recordCount {
            let time: Timestamp
            if let texts {
                guard let (record, end) = RecordCoding.read(payload, at: offset),
                    SpoolFrame.learn(record, texts, &lost)
                else { return nil }
                (time, offset) = (record.click.time, end)
            } else {
                guard let record = FirstRecordCoding.read(payload, at: offset),
                    index > 0 || record.click.time == header.firstTime
                else { return nil }
                (time, offset) = (record.click.time, record.end)
            }
            earliest = Swift.min(earliest, time)
            latest = Swift.max(latest, time)
        }
        guard offset == payload.count else { return nil }
        times = earliest...latest
        textsLost = lost
    }

    private static func learn(
        _ record: SpoolRecord, _ texts: TextGeneration, _ lost: inout Int
    ) -> Bool {
        for text in [record.userAgent, record.referer] where text.mark != 0 {
            if text.isInRecord {
                guard text.number == 0 || texts.learn(text.bytes, number: text.number) else {
                    return false
                }
            } else {
                guard texts.know(of: text.number) else { return false }
                if texts.find(text.number).isEmpty { lost += 1 }
            }
        }
        return true
    }

    package func makeIterator() -> Iterator {
        Iterator(payload: payload, texts: texts)
    }

    package struct Iterator: IteratorProtocol {
        fileprivate let payload: UnsafeRawBufferPointer
        fileprivate let texts: TextGeneration?
        private var offset = 0

        fileprivate init(payload: UnsafeRawBufferPointer, texts: TextGeneration?) {
            self.payload = payload
            self.texts = texts
        }

        package mutating func next() -> (click: Click, texts: ClickTexts)? {
            guard let texts else {
                guard let record = FirstRecordCoding.read(payload, at: offset) else { return nil }
                offset = record.end
                return (record.click, record.texts)
            }
            guard let (record, end) = RecordCoding.read(payload, at: offset) else { return nil }
            offset = end
            let clickTexts = ClickTexts(
                userAgent: Iterator.bytes(of: record.userAgent, texts),
                referer: Iterator.bytes(of: record.referer, texts), channel: record.channel,
                userAgentKey: Iterator.key(of: record.userAgent, texts),
                refererKey: Iterator.key(of: record.referer, texts))
            return (record.click, clickTexts)
        }

        @inline(always)
        private static func key(of text: SpoolText, _ texts: TextGeneration) -> UInt64 {
            text.number == 0 ? 0 : texts.key(of: text.number)
        }

        @inline(always)
        private static func bytes(
            of text: SpoolText, _ texts: TextGeneration
        ) -> UnsafeRawBufferPointer {
            text.isInRecord || text.mark == 0 ? text.bytes : texts.find(text.number)
        }
    }
}
