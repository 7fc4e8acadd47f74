import Clicks
import Testing

@testable import API

@Suite struct GongguRulesTests {
    private func draft(
        title: String = "로봇청소기", prices: (Int, Int) = (200, 100), hours: Int64 = 1,
        url: String = "https://shop.example/", thumbnail: String? = nil,
        categories: [Identifier] = []
    ) -> GongguDraft {
        let open = Timestamp(microseconds: 1_795_000_000_000_000)
        return GongguDraft(
            title: title, description: "", originalPrice: prices.0, gongguPrice: prices.1,
            openAt: open, closeAt: open.advanced(bySeconds: hours * 3600), externalURL: url,
            thumbnail: thumbnail, categoryIDs: categories)
    }

    private func faults(_ draft: GongguDraft) -> [GongguFault] {
        do throws(GongguRefusal) {
            _ = try GongguRules.accept(draft, ownHost: nil)
            return []
        } catch .fieldsInvalid(let faults) {
            return faults
        } catch {
            return []
        }
    }

    @Test func `a draft is told all that is wrong with it`() {
        let id = Identifier(high: 1, low: 1)
        let worst = draft(
            title: "  ", prices: (100, 101), hours: 0, url: "http://localhost/",
            thumbnail: "https://10.0.0.1/a.png", categories: [id, id])
        #expect(
            faults(worst) == [
                .titleBlank, .priceAboveOriginal, .closesBeforeOpening,
                .externalURL(.nameNotPublic), .thumbnail(.addressNotPublic), .categoryRepeated,
            ])
    }

    @Test func `equal prices and a free gonggu are fine`() {
        #expect(faults(draft(prices: (100, 100))) == [])
        #expect(faults(draft(prices: (100, 0))) == [])
        #expect(faults(draft(prices: (0, 0))) == [])
    }

    @Test func `a gonggu is open for a year and a day at most`() {
        #expect(faults(draft(hours: 366 * 24)) == [])
        #expect(faults(draft(hours: 366 * 24 + 1)) == [.tooLong])
    }

    @Test func `a thumbnail fits its column after encoding`() {
        let thumbnail = "https://cdn.example/" + String(repeating: "가", count: 60)
        #expect(faults(draft(thumbnail: thumbnail)) == [.thumbnail(.tooLong)])
    }

    @Test func `only the owner and an admin may change a gonggu`() throws {
        let (owner, other) = (Identifier(high: 1, low: 1), Identifier(high: 2, low: 2))
        try GongguRules.requireOwner(owner, Account(id: owner, role: .influencer))
        try GongguRules.requireOwner(owner, Account(id: other, role: .admin))
        for role in [Role.buyer, .influencer, .finance] {
            #expect(throws: GongguRefusal.notOwner) {
                try GongguRules.requireOwner(owner, Account(id: other, role: role))
            }
        }
    }
}

@Suite struct StatsRulesTests {
    private let today = KoreanDay(text: "2026-11-21")!

    private func period(
        _ from: String?, _ to: String?, _ interval: StatsInterval = .day
    ) throws(StatsRefusal) -> StatsPeriod {
        try StatsPeriod(
            from: from.flatMap { KoreanDay(text: $0) }, to: to.flatMap { KoreanDay(text: $0) },
            interval: interval, today: today)
    }

    @Test func `what is left out is the last thirty days, or for hours today`() throws {
        let days = try period(nil, nil)
        #expect((days.from.text, days.to.text) == ("2026-10-23", "2026-11-21"))
        #expect(days.points.count == 30)
        let hours = try period(nil, nil, .hour)
        #expect((hours.from.text, hours.to.text) == ("2026-11-21", "2026-11-21"))
        #expect(hours.points.count == 24)
        #expect(hours.start.rfc3339() == "2026-11-21T00:00:00+09:00")
        #expect(hours.end.rfc3339() == "2026-11-22T00:00:00+09:00")
    }

    @Test func `a day that begins in the future is a period of its own`() throws {
        let later = try period("2026-12-01", nil)
        #expect((later.from.text, later.to.text) == ("2026-12-01", "2026-12-01"))
    }

    @Test func `an empty or an endless period is refused`() throws {
        #expect(throws: StatsRefusal.fieldsInvalid([.endsBeforeBeginning])) {
            try period("2026-11-02", "2026-11-01")
        }
        #expect(throws: StatsRefusal.fieldsInvalid([.tooLong(daysMax: 366)])) {
            try period("2025-11-20", "2026-11-21")
        }
        #expect(try period("2025-11-21", "2026-11-21").points.count == 366)
        #expect(throws: StatsRefusal.fieldsInvalid([.tooLong(daysMax: 31)])) {
            try period("2026-10-01", "2026-11-01", .hour)
        }
        #expect(throws: StatsRefusal.fieldsInvalid([.tooLong(daysMax: 366)])) {
            try period("0001-01-01", "9999-12-31")
        }
    }

    @Test func `every verdict is in exactly one of valid, held and rejected`() {
        for verdict in Verdict.allCases {
            var counts = ClickCounts()
            counts.add(3, verdict)
            #expect(counts.valid + counts.held + counts.rejected == 3, "\(verdict)")
            #expect((counts.valid == 3) == verdict.isBillable, "\(verdict)")
            #expect((counts.held == 3) == verdict.isHeld, "\(verdict)")
            // The answer names each reason once, and the reasons add up to the group.
            let json = ClickCounts.schema.write(counts)
            for group in ["held", "rejected"] {
                let reasons = json["\(group)_by"]?.members ?? []
                let sum = reasons.reduce(0) { $0 + ($1.value.integer ?? 0) }
                #expect(sum == json[group]?.integer, "\(verdict)")
            }
        }
    }

    @Test func `a series has no gaps and keeps every click`() throws {
        let days = try period("2026-11-19", "2026-11-21")
        let start = KoreanDay(text: "2026-11-20")!.start
        let series = StatsRules.series(
            [
                CountedClicks(key: start, verdict: .valid, clicks: 5),
                CountedClicks(key: start, verdict: .bot, clicks: 2),
            ], over: days)
        #expect(series.map(\.clicks.gross) == [0, 7, 0])
        #expect(StatsRules.total(series).gross == 7)
    }

    @Test func `parts come largest first, the nameless rest last`() {
        let parts = StatsRules.parts([
            CountedClicks(key: "KR", verdict: .valid, clicks: 1),
            CountedClicks(key: "US", verdict: .valid, clicks: 2),
            CountedClicks(key: nil, verdict: .valid, clicks: 9),
            CountedClicks(key: "KR", verdict: .bot, clicks: 2),
            CountedClicks(key: "JP", verdict: .valid, clicks: 2),
        ])
        #expect(parts.map(\.key) == ["KR", "JP", "US", nil])
        #expect(parts.map(\.clicks.gross) == [3, 2, 2, 9])
    }

    @Test func `statistics are for the owner, finance and admins`() throws {
        let (owner, other) = (Identifier(high: 1, low: 1), Identifier(high: 2, low: 2))
        try StatsRules.requireReader(of: owner, Account(id: owner, role: .influencer))
        try StatsRules.requireReader(of: owner, Account(id: other, role: .finance))
        try StatsRules.requireReader(of: owner, Account(id: other, role: .admin))
        for role in [Role.buyer, .influencer] {
            #expect(throws: StatsRefusal.notOwner) {
                try StatsRules.requireReader(of: owner, Account(id: other, role: role))
            }
        }
    }
}

@Suite struct CategoryTreeTests {
    @Test func `a flat list becomes a forest in its order`() {
        func category(_ number: UInt64, _ parent: UInt64?, _ name: String) -> Category {
            Category(
                id: Identifier(high: 0, low: number),
                parentID: parent.map { Identifier(high: 0, low: $0) }, name: name, icon: nil,
                sortOrder: 0)
        }
        let forest = CategoryTree.forest([
            category(1, nil, "가정"), category(2, 1, "육아"), category(3, nil, "뷰티"),
            category(4, 1, "주방"), category(5, 99, "고아"), category(6, 6, "자기"),
        ])
        #expect(forest.map(\.category.name) == ["가정", "뷰티"])
        #expect(forest[0].children.map(\.category.name) == ["육아", "주방"])
        #expect(forest[1].children == [])
    }
}
