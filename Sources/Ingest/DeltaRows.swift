// HOT: once a line of the statistics; measured by Benchmarks/Ingest. What a batch adds to the
// statistics, as PostgreSQL takes it: some hundred lines packed into a row of arrays. A row a line
// cost the server three times as much.

import Clicks
import Postgres

/// A line of the statistics on its way into the ledger.
struct StatisticsDelta {
    let gongguID: Identifier
    let hourMicros: Int64
    /// Place in ``KnownDimensions``.
    let dimensions: Int32
    let verdict: UInt8
    let clicks: Int64

    init(_ line: StatisticsLine, _ sum: Int64, _ known: KnownDimensions) {
        gongguID = line.gongguID
        hourMicros = line.hourMicros
        dimensions = known.place(of: line)
        verdict = line.verdict
        clicks = sum
    }
}

/// The deltas of one batch: one a line, not one a click, and no more lines than the bound admits.
struct StatisticsDeltas {
    /// 36 bytes a line: with its arrays' heads a row fills a page of 8 KiB nearly.
    static let linesPerRow = 220
    /// Memory answers in the time that some lines take.
    private static let linesFetchedAhead = 12

    let texts: KnownTexts
    private(set) var lines: [StatisticsDelta] = []

    init(of texts: KnownTexts) {
        self.texts = texts
        lines.reserveCapacity(texts.lines.count)
        let others = WordTable()
        for index in 0..<texts.lines.count {
            let ahead = index + StatisticsDeltas.linesFetchedAhead
            if ahead < texts.lines.count {
                texts.bound.fetch(StatisticsLine(texts.lines[ahead].key))
            }
            let (key, sum) = texts.lines[index]
            let line = StatisticsLine(key)
            if texts.bound.admits(line) {
                lines.append(StatisticsDelta(line, sum, texts.dimensions))
            } else {
                let other = line.amongOthers(channel: KnownTexts.none, host: KnownTexts.otherHost)
                others.add(sum, to: other.key)
            }
        }
        for index in 0..<others.count {
            let (key, sum) = others[index]
            lines.append(StatisticsDelta(StatisticsLine(key), sum, texts.dimensions))
        }
    }

    static let copy = Statement(
        "ingest_copy_deltas",
        """
        copy click_stats_packed_deltas (line_count, gonggu_ids, hours, dimension_ids, clicks)
        from stdin (format binary)
        """)

    /// Makes their rows. - Returns: where numbers of dimensions are wanted.
    func makeRows(_ rows: CopyRows) -> [NumberWanted] {
        var wanted: [NumberWanted] = []
        rows.make { copy in
            var start = 0
            while start < lines.count {
                let end = min(lines.count, start + StatisticsDeltas.linesPerRow)
                lines.withUnsafeBufferPointer {
                    write(UnsafeBufferPointer(rebasing: $0[start..<end]), to: &copy, &wanted)
                }
                start = end
            }
        }
        return wanted
    }

    private func write(
        _ lines: UnsafeBufferPointer<StatisticsDelta>, to copy: inout CopyIn,
        _ wanted: inout [NumberWanted]
    ) {
        copy.beginRow(columns: 5)
        copy.writeInt32(Int32(lines.count))
        copy.beginArray(of: .uuid, count: lines.count)
        for line in lines {
            copy.writeElement(uuidHigh: line.gongguID.high, low: line.gongguID.low)
        }
        copy.beginArray(of: .timestamptz, count: lines.count)
        for line in lines { copy.writeElement(timestamp: line.hourMicros) }
        copy.beginArray(of: .int4, count: lines.count)
        for line in lines {
            let number = texts.dimensions.number(line.dimensions)
            if number == 0 {
                wanted.append(NumberWanted(place: line.dimensions, offset: copy.nextOffset))
            }
            copy.writeElement(number)
        }
        copy.beginArray(of: .int8, count: lines.count)
        for line in lines { copy.writeElement(line.clicks) }
    }
}
