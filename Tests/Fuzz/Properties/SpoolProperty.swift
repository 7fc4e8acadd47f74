import Checksum
import Clicks
import Glibc
import Spool

/// A segment of any bytes is read to its end in ranges that follow one another, every click in it
/// lies in the file where the format says, and it gives the same whether it was there at once or
/// grew while it was read.
///
/// The bytes are tried as they are, and with their checksums put right.
package struct SpoolProperty: FuzzProperty {
    package static let name = "spool"

    private static let edgeID = "edge-1"
    private static let segment = SegmentName(worker: 0, startMicros: 1, sequence: 1)
    private let folder: String
    private var path: String { "\(folder)/\(SpoolProperty.segment)" }

    package init(folder: String) {
        self.folder = folder
    }

    package func check(_ bytes: UnsafeRawBufferPointer) throws(FuzzFinding) -> Bool {
        let given = Array(bytes)
        let asGiven = try check(given)
        return try check(SpoolProperty.mended(given)) || asGiven
    }

    private func check(_ file: [UInt8]) throws(FuzzFinding) -> Bool {
        FuzzFile.write(file, to: path)
        guard
            let reader = try? SegmentReader(
                SpoolProperty.segment, folder: folder, edgeID: SpoolProperty.edgeID)
        else { throw FuzzFinding("the segment that was just written is not there") }
        var whole = Reading()
        try read(reader, file, isClosed: true, into: &whole)
        if !whole.isRefused {
            try hold(whole.offset == file.count, "reading ends at \(whole.offset)")
        }
        try checkGrowing(file, whole)
        return whole.steps.contains { if case .frame = $0 { true } else { false } }
    }

    /// The same file, of which a first part was read while it was all there was.
    private func checkGrowing(_ file: [UInt8], _ whole: Reading) throws(FuzzFinding) {
        // A place that the input itself decides.
        let cut = file.isEmpty ? 0 : file.reduce(0) { $0 &* 31 &+ Int($1) } % (file.count + 1)
        let first = file[..<abs(cut)]
        FuzzFile.write(Array(first), to: path)
        guard
            let reader = try? SegmentReader(
                SpoolProperty.segment, folder: folder, edgeID: SpoolProperty.edgeID)
        else { throw FuzzFinding("the segment that was just written is not there") }
        var growing = Reading()
        try read(reader, Array(first), isClosed: false, into: &growing)
        let isSame = growing.steps.elementsEqual(whole.steps.prefix(growing.steps.count))
        try hold(isSame, "\(first.count) bytes are \(growing.steps), all are \(whole.steps)")
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        FuzzFile.append(file[first.count...], to: descriptor)
        close(descriptor)
        try read(reader, file, isClosed: true, into: &growing)
        try hold(
            growing == whole,
            "in two parts of \(first.count) bytes and more it is \(growing), else \(whole)")
    }

    // MARK: Reading

    private enum Step: Equatable {
        case frame(Range<Int>, clicks: Int)
        case torn(Range<Int>)
        case damaged(Range<Int>, SpoolDamage)
    }

    private struct Reading: Equatable {
        var steps: [Step] = []
        var offset = 0
        /// The segment is of another version or name.
        var isRefused = false
    }

    private func read(
        _ reader: SegmentReader, _ file: [UInt8], isClosed: Bool, into reading: inout Reading
    ) throws(FuzzFinding) {
        var plain = PlainSegment(numbers: FileNumbers(file))
        // What a first part has been read of has numbered texts already.
        for case .frame(let range, _) in reading.steps { _ = plain.clicks(range) }
        while !reading.isRefused {
            let offset = reading.offset
            // The reader takes 0 for the beginning, whose header it steps over by itself.
            let start = offset == 0 && file.count >= 128 ? 128 : offset
            let answer: SegmentRead
            do {
                answer = try reader.next(at: offset, isClosed: isClosed)
            } catch {
                reading.isRefused = true
                return
            }
            switch answer {
            case .waiting:
                return try hold(!isClosed, "a closed segment is waited for")
            case .ended:
                // A segment of nothing but its header ends before any range.
                if start == file.count { reading.offset = start }
                return try hold(isClosed, "an open segment has ended")
            case .frame(let frame, let next):
                try check(frame, start..<next, &plain)
                reading.steps.append(.frame(start..<next, clicks: frame.count))
                reading.offset = next
            case .torn(let range):
                try hold(isClosed && range.upperBound == file.count, "\(range) is not torn")
                reading.steps.append(.torn(range))
                reading.offset = range.upperBound
            case .damaged(let range, let damage):
                try hold(!range.isEmpty && range.upperBound <= file.count, "\(range) is damaged")
                try hold(range.lowerBound == offset || range.lowerBound == start, "a gap")
                reading.steps.append(.damaged(range, damage))
                reading.offset = range.upperBound
            }
        }
    }

    /// The frame's numbers and clicks, read again from the file as the format says.
    private func check(
        _ frame: SpoolFrame, _ range: Range<Int>, _ plain: inout PlainSegment
    ) throws(FuzzFinding) {
        let bytes = plain.numbers.bytes.count
        try hold(range.upperBound <= bytes, "a frame lies at \(range) of \(bytes) bytes")
        guard let expected = plain.clicks(range) else {
            throw FuzzFinding("what lies at \(range) is no frame")
        }
        try hold(frame.count == expected.count, "another number of clicks")
        try hold(frame.textsLost == plain.textsLost, "another number of lost texts")
        try hold(
            frame.map { PlainClick($0.click, $0.texts) } == expected,
            "the clicks are not what lies at \(range)")
    }

    // MARK: Checksums

    /// The header's and, frame after frame, theirs, with the offsets that frames say they have.
    private static func mended(_ given: [UInt8]) -> [UInt8] {
        guard given.count >= 128 else { return given }
        var file = FileNumbers(given)
        file.set(CRC32C.of(file, from: 0, to: 124), at: 124)
        var at = 128
        while given.count - at >= 32, file.quad(at) == 0x3146_4747 || file.quad(at) == 0x3246_4747 {
            let end = at + 32 + Int(file.quad(at + 4))
            guard end <= given.count else { break }
            file.set(CRC32C.of(file, from: at + 32, to: end), at: at + 12)
            file.set(UInt32(at), at: at + 24)
            file.set(CRC32C.of(file, from: at, to: at + 28), at: at + 28)
            at = end
        }
        return file.bytes
    }
}
