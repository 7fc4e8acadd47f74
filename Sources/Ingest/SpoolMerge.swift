// HOT: once a frame; measured by Benchmarks/Ingest. Several workers' segments as one stream in the
// order of time, by their frames' first clicks.

import Linux
import Spool

extension SpoolTail {
    /// Workers whose segments are merged at a time.
    private static let streamsMax = 128

    /// Where one of several readers stands.
    struct Stream {
        /// Still to be read, one after the other.
        var segments: ArraySlice<SegmentName>
        /// Of the first of them.
        var reader: SegmentReader?
        var offset = 0
        /// That lies there; valid until the reader's next call.
        var frame: SpoolFrame?
        var next = 0
        /// Of the frame, by which streams are merged.
        var micros: Int64 = 0

        /// Takes over the frame that was found by an earlier one.
        /// - Returns: false if that is not what comes next.
        mutating func resume(_ earlier: Stream?) -> Bool {
            guard let earlier, earlier.offset == offset else { return false }
            (reader, frame) = (earlier.reader, earlier.frame)
            (next, micros) = (earlier.next, earlier.micros)
            return true
        }
    }

    /// Of several streams, which are at a frame or at their beginning, takes the oldest frame each
    /// time, until a bound is reached.
    func merge(
        _ begun: [Stream], from offsets: [SegmentName: Int], closed: Set<SegmentName>,
        _ bounds: BatchBounds, into taken: inout SpoolTaken
    ) {
        // A clock that was set back has left frames from the future: they do not wait for it.
        let latest = Clock.now() + SpoolTail.futureMicroseconds
        var streams = Array(begun.prefix(SpoolTail.streamsMax))
        for index in streams.indices.reversed() where streams[index].frame == nil {
            if !find(&streams[index], offsets, closed, latest, &taken) {
                streams.remove(at: index)
            }
        }
        while !streams.isEmpty {
            if bounds.areReached(by: taken.batch) {
                taken.isFull = true
                for stream in streams {
                    found[stream.segments[stream.segments.startIndex]] = stream
                }
                return
            }
            var oldest = 0
            for index in streams.indices where streams[index].micros < streams[oldest].micros {
                oldest = index
            }
            take(&streams[oldest], into: &taken)
            if !find(&streams[oldest], offsets, closed, latest, &taken) {
                streams.remove(at: oldest)
            }
        }
    }

    private static let futureMicroseconds: Int64 = 60_000_000
    /// As old as what an edge that is at work has in an open segment may be.
    private static let liveMicroseconds: Int64 = 120_000_000

    /// Goes to the next frame of a segment; nil if there is none.
    func stream(
        _ segment: SegmentName, from offsets: [SegmentName: Int], into taken: inout SpoolTaken
    ) -> Stream? {
        var stream = Stream(segments: [segment])
        let latest = Clock.now() + SpoolTail.futureMicroseconds
        return find(&stream, offsets, [], latest, &taken) ? stream : nil
    }

    /// Whether its frame's clicks happened just now.
    func isLive(_ stream: Stream) -> Bool {
        stream.micros == 0 || stream.micros > Clock.now() - SpoolTail.liveMicroseconds
    }

    /// Goes on to the next frame. - Returns: false if there is none.
    private func find(
        _ stream: inout Stream, _ offsets: [SegmentName: Int], _ closed: Set<SegmentName>,
        _ latest: Int64, _ taken: inout SpoolTaken
    ) -> Bool {
        while let segment = stream.segments.first {
            do {
                if stream.reader == nil {
                    stream.offset = offsets[segment] ?? 0
                    if stream.resume(found.removeValue(forKey: segment)) { return true }
                    stream.reader = try reader(of: segment)
                }
                if let reader = stream.reader,
                    try find(reader, &stream, closed.contains(segment), &taken)
                {
                    if stream.micros > latest { stream.micros = 0 }
                    return true
                }
            } catch {
                readers[segment] = nil
                taken.problems.append("\(error)")
            }
            stream.reader = nil
            stream.segments.removeFirst()
        }
        return false
    }

    private func find(
        _ reader: SegmentReader, _ stream: inout Stream, _ isClosed: Bool,
        _ taken: inout SpoolTaken
    ) throws -> Bool {
        let segment = reader.name
        while true {
            let offset = stream.offset
            switch try reader.next(at: offset, isClosed: isClosed) {
            case .frame(let frame, let next):
                stream.frame = frame
                stream.next = next
                stream.micros = frame.firstTime.microseconds
                return true
            case .torn(let range):
                taken.batch.skip(segment, from: offset, to: range.upperBound)
                stream.offset = range.upperBound
            case .damaged(let range, .record):
                try takeApart(reader, from: offset, to: range.upperBound, into: &taken)
                stream.offset = range.upperBound
            case .damaged(let range, let damage):
                try setAside(segment, range, damage, from: offset, into: &taken)
                stream.offset = range.upperBound
            case .waiting:
                return false
            case .ended:
                taken.ended.append(SegmentRange(segment: segment, range: 0..<offset))
                return false
            }
        }
    }

    /// Takes the frame that was found.
    private func take(_ stream: inout Stream, into taken: inout SpoolTaken) {
        guard let reader = stream.reader, let frame = stream.frame else {
            preconditionFailure("a stream is at a frame")
        }
        do {
            if mustTakeApart(frame, reader.name, at: stream.offset)
                || !taken.batch.append(
                    frame, of: reader.name, from: stream.offset, to: stream.next)
            {
                try takeApart(reader, from: stream.offset, to: stream.next, into: &taken)
            }
            stream.offset = stream.next
        } catch {
            // It is left alone, from here on.
            readers[reader.name] = nil
            taken.problems.append("\(error)")
            stream.reader = nil
            stream.segments.removeFirst()
        }
    }
}
