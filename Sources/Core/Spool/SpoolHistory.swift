// Edge's look back: what the processes before it have written and Ingest has not deleted yet. The
// guards' tables are made again from it when the memory they were in is gone.
import Clicks
import Linux

/// What a look back came to.
package struct SpoolHistory: Sendable {
    package var segments = 0
    package var records = 0
    /// Stretches that could not be read. They are Ingest's to report and to keep.
    package var damages = 0
    /// Why segments were left out.
    package var problems: [String] = []
}

extension SpoolFolder {
    /// Hands over every record of earlier processes, in the order of each worker's writing, from
    /// segments that were written to since a time. Ingest may delete segments meanwhile: what is
    /// gone by then is left out.
    ///
    /// Reads whole segments, at the disk's speed or some 1 GB/s.
    ///
    /// - Parameters:
    ///   - micros: since 1970, by the file's time, which is by the same clock as the records' and
    ///     up to a tick behind: say some seconds less than the oldest record's.
    ///   - body: its texts are borrowed for the call.
    package func readHistory(
        writtenSince micros: Int64, _ body: (Click, ClickTexts) -> Void
    ) throws(SystemError) -> SpoolHistory {
        let start = startMicros
        let names = try File.list(path).compactMap { SegmentName($0) }
            .filter { $0.startMicros < start && !$0.isRequeued }.sorted()
        var history = SpoolHistory()
        for name in names {
            guard let file = File.identity(of: "\(path)/\(name)"),
                file.bytes > SpoolFormat.segmentHeaderBytes,
                file.modifiedNanoseconds / 1000 >= micros
            else { continue }
            do throws(SpoolError) {
                try read(name, into: &history, body)
                history.segments += 1
            } catch {
                if case .system(let reason) = error, reason.isMissing { continue }
                history.problems.append("\(error)")
            }
        }
        return history
    }

    private func read(
        _ name: SegmentName, into history: inout SpoolHistory,
        _ body: (Click, ClickTexts) -> Void
    ) throws(SpoolError) {
        let reader: SegmentReader
        do throws(SystemError) {
            reader = try SegmentReader(name, folder: path, edgeID: edgeID)
        } catch {
            throw .system(error)
        }
        var offset = 0
        while true {
            // The process that wrote it had the lock that we have: it is dead, the segment closed.
            switch try reader.next(at: offset, isClosed: true) {
            case .frame(let frame, let next):
                for (click, texts) in frame { body(click, texts) }
                history.records += frame.count
                offset = next
            case .damaged(let range, _):
                history.damages += 1
                offset = range.upperBound
            case .torn(let range):
                offset = range.upperBound
            case .waiting, .ended:
                return
            }
        }
    }
}
