import Clicks
import Foundation
import HTTPTypes
import Hummingbird
import Postgres
import TestSupport
import Testing

@testable import API

// A month through the routes, from its rates to the files, and an auditor's recomputation from
// those files alone.

@Suite struct SettlementRoutesTests {
    static let march = month("2025-03")
    static let payeeKeys = "2025:" + String(repeating: "0f", count: 32)

    let test: TestAPI
    let site: SettlementSite

    init() async throws {
        test = try await TestAPI(environment: ["PAYEE_KEYS": Self.payeeKeys])
        site = try SettlementSite(influencers: 3, gonggusEach: 2, database: test.testDatabase)
    }

    private func caller(_ caller: Caller, as account: Identifier, _ role: Role) async throws
        -> Caller
    {
        let token = try await test.server.tokenKey.sign(for: account, role: role, now: .now)
        return Caller(client: caller.client, token: token)
    }

    private func text(_ caller: Caller, _ uri: String) async throws -> String {
        String(decoding: try await bytes(caller, uri), as: UTF8.self)
    }

    private func bytes(_ caller: Caller, _ uri: String) async throws -> [UInt8] {
        try await caller.client.execute(
            uri: uri, method: .get, headers: [.authorization: "Bearer \(caller.token ?? "")"],
            body: nil
        ) { response in
            #expect(response.status == .ok, "\(uri)")
            return Array(response.body.readableBytesView)
        }
    }

    /// March: three influencers, the second a business, the third below the minimum.
    private func fill() throws {
        try site.setRate(333, from: "2020-01-01")
        try site.setRate(410, from: "2025-03-20", gonggu: site.gonggus[0].id)
        var clicks: [SettlementSite.Click] = []
        for index in 0..<1200 {
            let gonggu = index % 40 == 0 ? 4 : index % 4
            clicks.append(
                site.click(
                    gonggu: gonggu, at: Self.march.start.advanced(bySeconds: Int64(index) * 2200),
                    verdict: index % 9 == 0 ? 3 : 0))
        }
        try site.store(clicks)
        try site.adjudicate(from: Self.march.firstDay, through: Self.march.days.last!)
        try site.sealAll(before: Self.march.next)
        for index in stride(from: 1, to: 1200, by: 101) { try site.judge(&clicks[index], 1) }
        try site.store([site.click(gonggu: 1, at: seoul("2025-03-09 09:09"))])
        try site.adjudicate(from: Self.march.firstDay, through: Self.march.days.last!)
    }

    private func setPayees(_ caller: Caller) async throws {
        for (index, influencer) in site.influencers.enumerated() {
            let own = try await self.caller(caller, as: influencer, .influencer)
            let isBusiness = index == 1
            let set = try await own.send(
                .put, "/api/v1/payees/me",
                [
                    "payee_type": .text(isBusiness ? "business" : "individual"),
                    "holder": .text(isBusiness ? "=하나상사" : "김하나"), "bank_code": "088",
                    "account_number": "110123456789",
                    "business_number": isBusiness ? "1208147521" : .null,
                ])
            #expect(set.status == 200)
            #expect(set.json["account_number"]?.text == "********6789")
        }
    }

    @Test func `a month goes from clicks to files, and the files come to the same won`()
        async throws
    {
        try fill()
        try await test.call { caller in
            let maker = try await self.caller(caller, as: site.maker, .finance)
            let checker = try await self.caller(caller, as: site.checker, .finance)
            let payer = try await self.caller(caller, as: site.payer, .finance)
            try await setPayees(caller)
            let path = "/api/v1/settlements/months/2025-03"
            let expected = try await maker.send(.get, "/api/v1/settlements?month=2025-03")
            #expect(expected.json["items"]?[0]?["status"]?.text == "expected")
            let draft = try await maker.send(.post, path + "/draft")
            #expect(draft.status == 200 && draft.json["ledger"]?["unexplained_clicks"] == 0)
            #expect(try await maker.send(.post, path + "/close", [:]).code == "SAME_PERSON")
            let hash = try #require(draft.json["manifest_sha256"]?.text)
            let closed = try await checker.send(
                .post, path + "/close", ["manifest_sha256": .text(hash)])
            #expect(closed.status == 200 && closed.json["status"]?.text == "closed")
            #expect(try await checker.send(.post, path + "/close", [:]).code == "MONTH_CLOSED")
            try await pay(path, maker: maker, checker: checker, payer: payer)
            try await drillDown(maker)
            try await audit(maker, path)
        }
    }

    private func pay(
        _ path: String, maker: Caller, checker: Caller, payer: Caller
    ) async throws {
        let list = try await maker.send(
            .get, "/api/v1/settlements?month=2025-03&sort=payable_won&size=10")
        let settlements = list.json["items"]?.list ?? []
        #expect(settlements.map { $0["status"]?.text } == ["closed", "closed", "carried"])
        let business = try #require(
            settlements.first {
                $0["influencer_id"]?.text == site.influencers[1].description
            }?["id"]?.text)
        let body: JSON = ["payment_date": "2025-04-10"]
        #expect(try await checker.send(.post, path + "/pay", body).code == "SAME_PERSON")
        let held = try await maker.send(
            .post, "/api/v1/settlements/\(business)/hold", ["reason": "계산서 대기"])
        #expect(held.json["status"]?.text == "held")
        let first = try await payer.send(.post, path + "/pay", body)
        #expect(first.json["payments"] == 1 && first.json["without_invoice"] == 0)
        let released = try await maker.send(
            .post, "/api/v1/settlements/\(business)/release", ["reason": "확인"])
        #expect(released.json["status"]?.text == "closed")
        #expect(
            try await payer.send(.post, path + "/pay", body).json["without_invoice"] == 1)
        let noted = try await maker.send(
            .post, "/api/v1/settlements/\(business)/tax-invoice",
            ["number": "20250401-41000012-12345678", "issued_on": "2025-04-01"])
        #expect(noted.status == 200)
        let later: JSON = ["payment_date": "2025-04-20"]
        #expect(try await payer.send(.post, path + "/pay", later).json["payments"] == 1)
        #expect(try await payer.send(.post, path + "/pay", later).json["payments"] == 0)
        // What went to the bank ten days ago is not in the file of today.
        for (day, rows) in [("2025-04-10", 1), ("2025-04-20", 1), ("2025-04-11", 0)] {
            let file = try await text(maker, "\(path)/bank.csv?payment_date=\(day)")
            let lines = file.split(separator: "\r\n").dropFirst()
            #expect(lines.count == rows && lines.allSatisfy { $0.hasPrefix(day) }, "\(file)")
        }
        let told = try await caller(maker, as: site.influencers[1], .influencer)
        let inbox = try await told.send(.get, "/api/v1/notifications")
        #expect(inbox.json["items"]?.list?.map { $0["kind"]?.text } == ["settlement_paid"])
        #expect(inbox.json["items"]?[0]?["subject_id"]?.text == business)
        let month = try await maker.send(.get, path)
        #expect(month.json["status"]?.text == "paid")
        #expect(month.json["books"]?["difference_won"] == 0)
    }

    /// From a payout to its clicks, page by page, for its influencer; nobody else.
    private func drillDown(_ maker: Caller) async throws {
        let own = try await caller(maker, as: site.influencers[0], .influencer)
        let mine = try await own.send(.get, "/api/v1/settlements/me")
        let id = try #require(mine.json["settled"]?["items"]?[0]?["id"]?.text)
        let lines = try await own.send(.get, "/api/v1/settlements/\(id)/lines")
        for line in lines.json["items"]?.list ?? [] {
            let number = try #require(line["number"]?.integer)
            var (clicks, won, cursor) = (0, 0, "")
            repeat {
                let page = try await own.send(
                    .get, "/api/v1/settlements/\(id)/lines/\(number)/clicks\(cursor)")
                for click in page.json["items"]?.list ?? [] {
                    clicks += click["clicks"]?.integer ?? 0
                    won += click["amount_won"]?.integer ?? 0
                }
                cursor = page.json["next_cursor"]?.text.map { "?cursor=\($0)" } ?? ""
            } while !cursor.isEmpty
            #expect(clicks == line["clicks"]?.integer && won == line["amount_won"]?.integer)
        }
        let other = try await caller(maker, as: site.influencers[1], .influencer)
        #expect(
            try await other.send(.get, "/api/v1/settlements/\(id)").code
                == "SETTLEMENT_NOT_OWNER")
    }

    /// Runs the page of Python that stands in Docs/MEASUREMENT.md over the exported files.
    private func audit(_ maker: Caller, _ path: String) async throws {
        let folder = try TestFolder()
        for name in ["ledger", "withholding", "tax-invoices", "bank"] {
            let file = try await text(maker, "\(path)/\(name).csv")
            #expect(file.utf8.starts(with: [0xEF, 0xBB, 0xBF]))
            try file.write(
                toFile: "\(folder.path)/\(name).csv", atomically: false, encoding: .utf8)
            #expect(try await text(maker, "\(path)/\(name).csv") == file)
        }
        let book = try await bytes(maker, "\(path)/settlement.xlsx")
        #expect(book.starts(with: Array("PK".utf8)))
        #expect(try await bytes(maker, "\(path)/settlement.xlsx") == book)
        let list = try await maker.send(.get, "/api/v1/settlements?month=2025-03&size=10")
        for settlement in list.json["items"]?.list ?? [] {
            let id = try #require(settlement["id"]?.text)
            let influencer = try #require(settlement["influencer_id"]?.text)
            let lines = try await maker.send(.get, "/api/v1/settlements/\(id)/lines?size=100")
            for line in lines.json["items"]?.list ?? [] {
                let number = try #require(line["number"]?.integer)
                let file = try await text(
                    maker, "/api/v1/settlements/\(id)/lines/\(number)/clicks.csv")
                try file.write(
                    toFile: "\(folder.path)/clicks-\(influencer)-\(number).csv",
                    atomically: false, encoding: .utf8)
            }
        }
        let output = try runAuditor(in: folder.path)
        #expect(output.contains("2 payments agree"), "\(output)")
        // One click less, and it says so.
        let victim = folder.path + "/clicks-\(site.influencers[0])-1.csv"
        let rows = try String(contentsOfFile: victim, encoding: .utf8).split(separator: "\r\n")
        try rows.dropLast().joined(separator: "\r\n").write(
            toFile: victim, atomically: false, encoding: .utf8)
        #expect(try runAuditor(in: folder.path).contains("differs"))
    }

    private func runAuditor(in folder: String) throws -> String {
        let page = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Docs/MEASUREMENT.md").standardizedFileURL
        let text = try String(contentsOf: page, encoding: .utf8)
        let start = try #require(text.range(of: "```python\n"))
        let end = try #require(text.range(of: "```", range: start.upperBound..<text.endIndex))
        let script = folder + "/audit.py"
        try text[start.upperBound..<end.lowerBound].write(
            toFile: script, atomically: false, encoding: .utf8)
        let log = folder + "/audit-\(UInt64.random(in: .min ... .max)).log"
        let process = try ChildProcess(
            "python3", [script, folder], environment: ["PYTHONIOENCODING": "utf-8"], logPath: log)
        process.wait()
        return process.log
    }

    // MARK: Rates

    @Test func `a rate never touches past clicks`() async throws {
        try await test.call { caller in
            let finance = try await self.caller(caller, as: site.maker, .finance)
            let today = Timestamp.now.koreanDay
            func add(_ day: KoreanDay, _ scope: (String, JSON)? = nil) async throws
                -> Caller.Answer
            {
                var members: [JSON.Member] = [
                    .init("effective_from", .text(day.text)), .init("rate_won", 250),
                    .init("reason", "시작"),
                ]
                if let scope { members.append(.init(scope.0, scope.1)) }
                return try await finance.send(.post, "/api/v1/cpc-rates", .object(members))
            }
            let gonggu: (String, JSON) = ("gonggu_id", .text(site.gonggus[0].id.description))
            // The first default says what nothing said before; after it only tomorrow can change.
            #expect(try await add(today.advanced(byDays: -40)).status == 201)
            #expect(
                try await add(today).faults == ["effective_from RETROACTIVE"])
            #expect(try await add(today, gonggu).faults == ["effective_from RETROACTIVE"])
            #expect(try await add(today.advanced(byDays: 1)).status == 201)
            #expect(try await add(today.advanced(byDays: 1), gonggu).status == 201)
            let unknown: (String, JSON) = ("gonggu_id", .text(Identifier.new().description))
            #expect(
                try await add(today.advanced(byDays: 1), unknown).faults == ["gonggu_id UNKNOWN"])
            let list = try await finance.send(.get, "/api/v1/cpc-rates?sort=created_at&order=asc")
            #expect(list.json["total"] == 3)
        }
    }

    // MARK: Payees

    @Test func `details are sealed at rest, bound to their owner, and each look is noted`()
        async throws
    {
        try await test.call { caller in
            try await setPayees(caller)
            let own = try await self.caller(caller, as: site.influencers[0], .influencer)
            let shown = try await own.send(.get, "/api/v1/payees/me")
            #expect(shown.json["holder"]?.text == "김**")
            #expect(shown.json["account_number"]?.text == "********6789")
            let looks: Int = try site.connection.query(
                Statement(
                    "test_looks", "select count(*) as n from payee_access_log where user_id = $1"),
                [site.influencers[0]])[0].get("n")
            #expect(looks == 2)
            let dump: String = try site.connection.query(
                Statement(
                    "test_dump", "select string_agg(encode(sealed, 'escape'), '') as t from payees")
            )[0].get("t")
            for secret in ["110123456789", "김하나", "1208147521"] {
                #expect(!dump.contains(secret))
            }
            // Somebody with the database alone moves one person's money to another's account.
            try site.connection.run(
                script: """
                    update payees set sealed = (select sealed from payees
                        where user_id = '\(site.influencers[2])')
                    where user_id = '\(site.influencers[0])'
                    """)
            #expect(try await own.send(.get, "/api/v1/payees/me").status == 500)
        }
    }

    @Test func `keys change and old details stay readable`() throws {
        let owner = site.influencers[0]
        let payee = Payee(
            type: .individual, holder: "김하나", bankCode: "088", accountNumber: "1101234567",
            businessNumber: "")
        let old = try #require(PayeeKeys("a:" + String(repeating: "11", count: 32)))
        let both = try #require(
            PayeeKeys(
                "b:" + String(repeating: "22", count: 32) + ",a:"
                    + String(repeating: "11", count: 32)))
        let sealed = old.seal(payee, of: owner)
        #expect(try both.open(sealed, of: owner) == payee)
        #expect(both.seal(payee, of: owner).keyID == "b")
        #expect(throws: PayeeUnreadable.self) {
            try old.open(both.seal(payee, of: owner), of: owner)
        }
        for text in ["", "a", "a:", "a:11", "a:" + String(repeating: "zz", count: 32), "a:b:c"] {
            #expect(PayeeKeys(text) == nil, "\(text)")
        }
    }

    @Test func `cells are quoted, and no spreadsheet runs them`() {
        var csv = SheetText(header: ["가", "나"])
        csv.append([.text("=1+1"), .number(-5)])
        csv.append([.text("a\"b,c"), .empty])
        csv.append([.text("+82"), .text("@x")])
        let text = String(decoding: csv.bytes.dropFirst(3), as: UTF8.self)
        #expect(text == "가,나\r\n'=1+1,-5\r\n\"a\"\"b,c\",\r\n'+82,'@x\r\n")
    }
}
