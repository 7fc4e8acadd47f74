import Clicks

// An influencer's gonggus side by side, with what they are expected to bring: valid clicks by the
// rate of their day, whatever adjudication will still find. What is paid is another number, with
// another name: the settlement's.

/// One gonggu's clicks of a period.
package struct OverviewItem: Equatable, Sendable {
    package let gonggu: Identifier
    package let title: String
    package var clicks = ClickCounts()
    /// Won.
    package var expectedRevenue = 0
    /// Valid clicks of days that no rate is known for; they are not in the revenue.
    package var clicksWithoutRate = 0

    static let schema = Schema<OverviewItem>(
        "OverviewItem",
        [
            Field("gonggu_id", .identifier, \.gonggu),
            Field("title", .verbatim(example: "봄나물 공구"), \.title),
            Field("clicks", ClickCounts.schema, \.clicks),
            Field("expected_revenue", revenue, \.expectedRevenue, about: revenueAbout),
            Field("clicks_without_rate", .count, \.clicksWithoutRate),
        ])

    static let revenue = Schema<Int>.won(0...1_000_000_000_000_000)
    static let revenueAbout = Wording(
        "예상 수익(원). 확정 수익은 정산에서", "Expected, in won; settlements say what is paid")
}

/// All of an influencer's gonggus that were clicked in a period.
package struct Overview: Equatable, Sendable {
    package let influencer: Identifier
    package let period: StatsPeriod
    package let total: OverviewItem
    /// Most clicks first, at most ``countMax``; the total has all.
    package let items: [OverviewItem]

    package static let countMax = 200

    static let schema = Schema<Overview>(
        "Overview",
        [
            Field("influencer_id", .identifier, \.influencer),
            Field("from", .day, \.period.from),
            Field("to", .day, \.period.to),
            Field("total", ClickCounts.schema, \.total.clicks),
            Field(
                "expected_revenue", OverviewItem.revenue, \.total.expectedRevenue,
                about: OverviewItem.revenueAbout),
            Field("clicks_without_rate", .count, \.total.clicksWithoutRate),
            Field("items", OverviewItem.schema.list(0...countMax), \.items),
        ])
}

/// Some clicks of one gonggu and verdict.
struct OverviewRow: Sendable {
    let gonggu: Identifier
    let title: String
    let verdict: Verdict
    let clicks: Int
    /// Of valid ones.
    let won: Int
    let clicksWithoutRate: Int
}

extension Overview {
    /// Adds rows up; several of one gonggu are one item.
    init(influencer: Identifier, period: StatsPeriod, rows: [OverviewRow]) {
        var items: [Identifier: OverviewItem] = [:]
        var total = OverviewItem(gonggu: influencer, title: "")
        for row in rows {
            var item =
                items[row.gonggu] ?? OverviewItem(gonggu: row.gonggu, title: row.title)
            item.add(row)
            items[row.gonggu] = item
            total.add(row)
        }
        self.influencer = influencer
        self.period = period
        self.total = total
        let sorted = items.values.sorted { left, right in
            left.clicks.gross != right.clicks.gross
                ? left.clicks.gross > right.clicks.gross : left.gonggu < right.gonggu
        }
        self.items = Array(sorted.prefix(Overview.countMax))
    }
}

extension OverviewItem {
    fileprivate mutating func add(_ row: OverviewRow) {
        clicks.add(row.clicks, row.verdict)
        expectedRevenue += row.won
        clicksWithoutRate += row.clicksWithoutRate
    }
}
