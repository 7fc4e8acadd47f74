// A frame taken apart into records that can be taken and those that cannot, so that one bad record
// does not keep its neighbours from the ledger. Its records are copied so that each stands alone:
// what it means by number, of texts that lie elsewhere in the segment, it has itself.

import Clicks

/// What numbers of texts mean to who takes frames apart.
struct TextMeanings {
    private var first: UInt32 = 0
    private var texts: [UInt32: [UInt8]] = [:]

    /// Forgets what no record of a frame may mean.
    mutating func begin(_ header: FrameHeader) {
        if header.firstText != first { texts = [:] }
        first = header.firstText
    }

    mutating func learn(_ number: UInt32, _ text: [UInt8]) { texts[number] = text }
    func find(_ number: UInt32) -> [UInt8]? { texts[number] }
}

/// Copies of a frame's records, each of which stands alone, in the frame's order.
package struct SplitFrame {
    /// Records, at least 1.
    package let count: Int
    private let records: [[UInt8]]
    private let clicks: [Click?]

    /// - Parameters:
    ///   - payload: its checksum is right.
    ///   - meanings: gain what the frame's records say themselves.
    ///   - earlier: what a number means that `meanings` does not have; empty if nobody knows.
    /// - Returns: nil if the records' parts do not use up the payload exactly: then nothing says
    ///   where one ends. Of version 1, if any is impossible.
    init?(
        _ header: FrameHeader, payload: UnsafeRawBufferPointer, _ meanings: inout TextMeanings,
        earlier: (UInt32) -> [UInt8]
    ) {
        var offset = 0
        var records: [[UInt8]] = []
        var known = meanings
        known.begin(header)
        for _ in 0..<header.recordCount {
            let record: (bytes: [UInt8], end: Int)?
            if header.version == SpoolFormat.firstVersion {
                record = SplitFrame.first(payload, at: offset)
            } else {
                var learnt: [(UInt32, [UInt8])] = []
                record = RecordCoding.selfContained(
                    payload, at: offset, meaning: { known.find($0) ?? earlier($0) },
                    learn: { learnt.append(($0, $1)) })
                for (number, text) in learnt { known.learn(number, text) }
            }
            guard let record else { return nil }
            records.append(record.bytes)
            offset = record.end
        }
        guard offset == payload.count else { return nil }
        meanings = known
        self.records = records
        count = records.count
        clicks = records.map { bytes in
            bytes.withUnsafeBytes { bytes in
                guard let (record, end) = RecordCoding.read(bytes, at: 0), end == bytes.count
                else { return nil }
                return record.click
            }
        }
    }

    private static func first(
        _ payload: UnsafeRawBufferPointer, at offset: Int
    ) -> (bytes: [UInt8], end: Int)? {
        guard let (click, texts, end) = FirstRecordCoding.read(payload, at: offset) else {
            return nil
        }
        func text(_ bytes: UnsafeRawBufferPointer) -> SpoolText {
            bytes.isEmpty ? .none : SpoolText(bytes, number: 0)
        }
        let record = SpoolRecord(
            click: click, userAgent: text(texts.userAgent), referer: text(texts.referer),
            channel: texts.channel)
        var bytes = [UInt8](repeating: 0, count: SpoolFormat.recordBytesMax)
        let count = bytes.withUnsafeMutableBytes {
            RecordWriter.write(record, to: $0.baseAddress!) - $0.baseAddress!
        }
        return (Array(bytes[..<count]), end)
    }

    /// The places of records that are possible and for which this is so.
    package func places(where isWanted: (Int, Click) -> Bool) -> [Int] {
        clicks.indices.filter { place in clicks[place].map { isWanted(place, $0) } ?? false }
    }

    /// The records at some places as a frame of their own, which says that it lies at `offset`.
    package func sealed(_ places: [Int], at offset: Int) -> [UInt8] {
        precondition(!places.isEmpty, "a frame has records")
        var frame = [UInt8](repeating: 0, count: SpoolFormat.frameHeaderBytes)
        for place in places { frame += records[place] }
        let payloadBytes = frame.count - SpoolFormat.frameHeaderBytes
        frame.withUnsafeMutableBytes {
            FrameHeader.seal(
                $0.baseAddress!, payloadBytes: payloadBytes, recordCount: places.count,
                firstText: 1, offset: offset)
        }
        return frame
    }

    /// The records at some places, all of them possible, as a frame that is valid during the call;
    /// nothing if there are none.
    package func withFrame<Result>(
        of places: [Int], _ body: (SpoolFrame) throws -> Result
    ) rethrows -> Result? {
        guard !places.isEmpty else { return nil }
        return try sealed(places, at: 0).withUnsafeBytes { bytes in
            let headBytes = SpoolFormat.frameHeaderBytes
            guard let header = FrameHeader(bytes.part(at: 0, count: headBytes), at: 0),
                let frame = SpoolFrame(
                    header, payload: bytes.part(at: headBytes, count: bytes.count - headBytes),
                    texts: TextGeneration(first: 1))
            else { preconditionFailure("records that could be read can be read again") }
            return try body(frame)
        }
    }
}
