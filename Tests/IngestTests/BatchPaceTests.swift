import Testing

@testable import Ingest

@Suite struct BatchPaceTests {
    /// A ledger that takes so many clicks a second.
    private func settled(clicksPerSecond: Int, most: Int) -> Int {
        var pace = BatchPace(most: most)
        for _ in 0..<50 {
            let micros = Int64(pace.records) * 1_000_000 / Int64(clicksPerSecond)
            pace.note(clicks: pace.records, micros: micros)
        }
        return pace.records
    }

    @Test(arguments: [
        (2_000, 5000...5000), (40_000, 20_000...50_000), (900_000, 100_000...100_000),
    ])
    func `batches come to a second, within their bounds`(
        clicksPerSecond: Int, records: ClosedRange<Int>
    ) {
        #expect(records.contains(settled(clicksPerSecond: clicksPerSecond, most: 100_000)))
    }

    @Test func `a small bound is a bound, and small batches say nothing of large ones`() {
        #expect(settled(clicksPerSecond: 900_000, most: 10) == 10)
        var pace = BatchPace(most: 100_000)
        let before = pace.records
        pace.note(clicks: 3, micros: 1000)
        #expect(pace.records == before)
    }
}
