// A segment's file name says everything that decides its order and whether it is closed, so that
// Ingest needs nothing but a listing of the folder.

/// The name of a segment: which worker, of which Edge process, the how-manieth.
package struct SegmentName: Hashable, Sendable {
    /// 0 … 9,999.
    package let worker: Int
    /// Microseconds since 1970, the same for all segments of one Edge process.
    package let startMicros: Int64
    /// From 1, per worker and process.
    package let sequence: Int64

    package init(worker: Int, startMicros: Int64, sequence: Int64) {
        precondition(
            0...SpoolFormat.workerMax ~= worker
                && 0...SpoolFormat.startMicrosMax ~= startMicros
                && 1...SpoolFormat.sequenceMax ~= sequence,
            "a segment's numbers fit their fixed widths")
        self.worker = worker
        self.startMicros = startMicros
        self.sequence = sequence
    }

    /// The worker of segments that no edge has written: quarantined records on their way back.
    package static let requeueWorker = SpoolFormat.workerMax
    /// Earlier than any edge's start, so that no edge's segment is taken for closed because of one.
    private static let requeueStartEnd: UInt64 = 1_000_000_000_000_000

    /// The name under which quarantined records come back, of 83 bits of what tells them from
    /// others: whoever brings back the same again, uses the same name, and the ledger knows it.
    package init(requeued words: (UInt64, UInt64)) {
        self.init(
            worker: SegmentName.requeueWorker,
            startMicros: Int64(words.0 % SegmentName.requeueStartEnd),
            sequence: 1 + Int64(words.1 % UInt64(SpoolFormat.sequenceMax)))
    }

    /// Whether it is made of quarantined records. Such a segment appears whole, so it is closed,
    /// and it says nothing of others.
    package var isRequeued: Bool { worker == SegmentName.requeueWorker }

    /// Reads a file name; nil for every name that ``description`` would not have written.
    package init?(_ fileName: String) {
        let bytes = Array(fileName.utf8)
        guard bytes.count == 39, bytes[4] == UInt8(ascii: "-"), bytes[21] == UInt8(ascii: "-"),
            bytes[32...].elementsEqual(".clicks".utf8),
            let worker = SegmentName.number(bytes[0..<4]),
            let start = SegmentName.number(bytes[5..<21]),
            let sequence = SegmentName.number(bytes[22..<32]), sequence > 0
        else { return nil }
        self.init(worker: Int(worker), startMicros: start, sequence: sequence)
    }

    /// Whether nothing will be appended to the segment any more, judged by the names that were in
    /// its folder at one moment.
    ///
    /// To take the end of a file for its end, list first and read afterwards.
    package func isClosed(among names: some Sequence<SegmentName>) -> Bool {
        isRequeued
            || names.contains { other in
                !other.isRequeued && other.startMicros > startMicros
                    || other.startMicros == startMicros && other.worker == worker
                        && other.sequence > sequence
            }
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        var number: Int64 = 0
        for digit in digits {
            guard 0x30...0x39 ~= digit else { return nil }
            number = number * 10 + Int64(digit - 0x30)
        }
        return number
    }
}

extension SegmentName: Comparable {
    /// As the file names sort.
    package static func < (left: Self, right: Self) -> Bool {
        (left.worker, left.startMicros, left.sequence)
            < (right.worker, right.startMicros, right.sequence)
    }
}

extension SegmentName: CustomStringConvertible {
    /// The file name: `0003-1795251600000000-0000000001.clicks`.
    package var description: String {
        func fixed(_ number: Int64, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: width - digits.utf8.count) + digits
        }
        return "\(fixed(Int64(worker), 4))-\(fixed(startMicros, 16))-\(fixed(sequence, 10)).clicks"
    }
}
