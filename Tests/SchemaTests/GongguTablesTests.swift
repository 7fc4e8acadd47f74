import Postgres
import TestSupport
import Testing

@Suite struct GongguTablesTests {
    let database: TestDatabase

    init() throws { database = try TestDatabase() }

    private func insertInfluencer(_ connection: Connection) throws {
        try connection.run(
            script: """
                insert into users (id, nickname, email, role)
                values ('00000000-0000-4000-8000-000000000001', '인플루언서',
                        'Shop@Example.kr', 'influencer')
                """)
    }

    private let insert = Statement(
        "gonggu_insert",
        """
        insert into gonggus
            (influencer_id, open_at, close_at, original_price, gonggu_price, title, external_url)
        values ('00000000-0000-4000-8000-000000000001', now(),
                now() + make_interval(hours => $1), $2, $3, $4, $5)
        returning short_code, discount_rate::text
        """)

    @Test func `what a gonggu may be is refused by named constraints`() throws {
        let connection = try database.connect()
        try insertInfluencer(connection)
        let title = String(repeating: "공", count: 200)
        let row = try connection.query(insert, [1, 30_000, 19_900, title, "https://a.kr/p?x=1"])[0]
        #expect(try row.get("discount_rate") == "33.67")
        let refusals: [(String, [(any PostgresEncodable)?])] = [
            ("gonggus_price_order", [1, 100, 101, "t", "https://a.kr"]),
            ("gonggus_price_order", [1, 100, -1, "t", "https://a.kr"]),
            ("gonggus_opens_before_closes", [0, 100, 99, "t", "https://a.kr"]),
            ("gonggus_title_length", [1, 100, 99, "", "https://a.kr"]),
            ("gonggus_title_length", [1, 100, 99, title + "구", "https://a.kr"]),
            ("gonggus_external_url_form", [1, 100, 99, "t", "javascript:alert(1)"]),
        ]
        for (constraint, parameters) in refusals {
            let error = #expect(throws: PostgresError.self) {
                try connection.query(insert, parameters)
            }
            #expect(error?.constraint == constraint)
        }
    }

    @Test func `short codes are eight plain characters and differ`() throws {
        let connection = try database.connect()
        let row = try connection.query(
            Statement(
                "codes",
                """
                select count(distinct code) as codes,
                       bool_and(code ~ '^[2-9a-hjkmnp-z]{8}$') as plain,
                       count(distinct left(code, 1)) as firsts,
                       count(distinct right(code, 1)) as lasts
                from (select make_short_code() as code from generate_series(1, 5000)) as made
                """))[0]
        #expect(try row.get("codes") == 5000)
        #expect(try row.get("plain") == true)
        #expect(try row.get("firsts") == 31)
        #expect(try row.get("lasts") == 31)
    }

    @Test func `an e-mail address is taken in any spelling`() throws {
        let connection = try database.connect()
        try insertInfluencer(connection)
        let error = #expect(throws: PostgresError.self) {
            try connection.run(
                script: "insert into users (nickname, email) values ('n', 'sHOP@eXAMPLE.KR')")
        }
        #expect(error?.violates("users_email_key") == true)
    }

    @Test func `an edit tells the listeners of links, a moved count does not`() throws {
        let connection = try database.connect()
        let listener = try database.connect()
        try listener.listen(to: "links_changed")
        try insertInfluencer(connection)
        func isTold(by script: String) throws -> Bool {
            try connection.run(script: script)
            // Notifications come in the order of commits, so what was told came before this one.
            try connection.run(script: "notify links_changed, 'end'")
            var payloads: [String] = []
            while !payloads.contains("end") {
                let more = try listener.waitForNotifications(timeoutMilliseconds: 20_000)
                try #require(!more.isEmpty, "the last one arrives")
                payloads += more.map(\.payload)
            }
            return payloads != ["end"]
        }
        _ = try connection.query(insert, [1, 100, 99, "t", "https://a.kr"])
        #expect(try listener.waitForNotifications(timeoutMilliseconds: 20_000).count == 1)
        #expect(try isTold(by: "update gonggus set external_url = 'https://b.kr'"))
        #expect(try isTold(by: "update gonggus set suspended_at = now()"))
        #expect(try !isTold(by: "update gonggus set suspended_at = now(), title = 'other'"))
        let touched = Statement(
            "touched", "select updated_at > created_at as touched, updated_at::text from gonggus")
        let before = try connection.query(touched)[0]
        #expect(try before.get("touched") == true)
        // A count that moves is no edit.
        try connection.run(
            script: """
                insert into click_stats_deltas (gonggu_id, hour, verdict, clicks)
                select id, date_trunc('hour', now()), 0, 3 from gonggus;
                select fold_click_stats();
                """)
        let after = try connection.query(touched)[0]
        #expect(try after.get("updated_at", as: String.self) == before.get("updated_at"))
        #expect(try isTold(by: "delete from gonggus"))
    }
}
