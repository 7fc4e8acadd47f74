// HOT: a row a click and a line; measured by Benchmarks/Ingest. A batch as it is sent. It is made
// by whoever reads, who has the tables of texts, and completed with what the ledger says while
// others read.

import Clicks
import Postgres

/// The rows of one batch, in memory that is kept for the next. Confined to one thread.
final class BatchRows {
    /// Room for 40,000 clicks, and for what they add: to move them into more costs as much as to
    /// write them.
    private let clicks = CopyRows(bytes: 8 << 20)
    private let deltas = CopyRows(bytes: 2 << 20)
    /// What the batch adds to the statistics.
    private(set) var lines: [StatisticsDelta] = []
    private var unnumbered: Unnumbers?
    private var wanted = ClickBatch.Wanted()
    private var dimensionsWanted: [NumberWanted] = []

    private struct Unnumbers {
        let userAgents: Unnumbered<String>
        let referers: Unnumbered<String>
        let dimensions: Unnumbered<StatisticsDimensions>
    }

    /// Makes the batch's rows, with gaps where numbers are not known yet. The batch's texts are
    /// somebody else's afterwards.
    func make(of batch: ClickBatch) {
        let texts = batch.texts
        let deltas = StatisticsDeltas(of: texts)
        lines = deltas.lines
        unnumbered = Unnumbers(
            userAgents: texts.userAgents.takeUnnumbered(),
            referers: texts.referers.takeUnnumbered(),
            dimensions: texts.dimensions.takeUnnumbered(of: texts))
        wanted = batch.makeRows(clicks)
        dimensionsWanted = deltas.makeRows(self.deltas)
    }

    /// Asks the ledger for the numbers of what the batch has brought.
    func number(in db: Connection) throws {
        guard let unnumbered else { preconditionFailure("rows are made before they are numbered") }
        try unnumbered.userAgents.number { try IngestQueries.userAgentIDs($0, in: db) }
        try unnumbered.referers.number { try IngestQueries.refererIDs($0, in: db) }
        try unnumbered.dimensions.number { try IngestQueries.dimensionIDs($0, in: db) }
    }

    /// Fills the gaps; all batches before have to be numbered as well.
    func complete() {
        guard let unnumbered else { preconditionFailure("rows are made before they are completed") }
        clicks.complete(wanted.userAgents, from: unnumbered.userAgents.numbers)
        clicks.complete(wanted.referers, from: unnumbered.referers.numbers)
        deltas.complete(dimensionsWanted, from: unnumbered.dimensions.numbers)
    }

    /// Copies the clicks into their days' partitions, which have to be there.
    /// - Parameter day: see ``ClickBatch/copyClicks(into:)``.
    /// - Returns: how many.
    func copyClicks(into day: KoreanDay? = nil, to db: Connection) throws -> Int {
        try db.copyIn(ClickBatch.copyClicks(into: day), rows: clicks)
    }

    /// Copies what they add to the statistics.
    func copyDeltas(to db: Connection) throws {
        guard !lines.isEmpty else { return }
        _ = try db.copyIn(StatisticsDeltas.copy, rows: deltas)
    }
}
