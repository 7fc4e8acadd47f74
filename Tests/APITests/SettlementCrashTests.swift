import Clicks
import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

@testable import API

/// The real API, killed in the middle of closing a month.
@Suite struct SettlementCrashTests {
    private static let secret = "a secret of more than thirty-two bytes"
    private static let march = month("2025-03")

    let site: SettlementSite
    let folder: TestFolder

    init() throws {
        site = try SettlementSite(influencers: 2, gonggusEach: 2)
        folder = try TestFolder()
    }

    private static let waiting = Statement(
        "test_waiting",
        """
        select count(*) as n from pg_stat_activity
        where datname = current_database() and application_name = 'gonggumoa-api'
            and wait_event_type = 'Lock'
        """)
    private static let present = Statement(
        "test_present",
        """
        select count(*) as n from pg_stat_activity
        where datname = current_database() and application_name = 'gonggumoa-api'
        """)
    private static let standing = Statement(
        "test_standing",
        """
        select (select status from settlement_months) as month,
            (select count(*) from settlements where status <> 'draft') as settlements,
            (select count(*) from click_day_seals where settled_month is not null) as seals,
            (select count(*) from settlement_events where kind = 'closed') as events
        """)

    private func startAPI() throws -> (process: ChildProcess, port: UInt16) {
        let port = try freePort()
        let process = try ChildProcess(
            TestServers.binary("API"), ["serve"],
            environment: [
                "DATABASE_URL": site.database.url, "REDIS_URL": TestServers.redisURL(),
                "JWT_SECRET_KEY": Self.secret, "API_PORT": "\(port)", "BCRYPT_COST": "4",
            ], logPath: folder.path + "/API.log")
        try eventually("the API is ready", within: 30) {
            (try? PlainClient(port: port).ask("GET", "/ready"))??.status == 200
        }
        return (process, port)
    }

    private func sendClose(to port: UInt16, token: String) throws -> PlainClient {
        let client = try PlainClient(port: port)
        try client.send(
            "POST /api/v1/settlements/months/2025-03/close HTTP/1.1\r\nHost: localhost\r\n"
                + "Authorization: Bearer \(token)\r\nContent-Type: application/json\r\n"
                + "Content-Length: 2\r\n\r\n{}")
        return client
    }

    @Test func `a month whose closing was killed is a draft, and closes the second time`()
        async throws
    {
        try site.setRate(100, from: "2020-01-01")
        try site.store(
            (0..<500).map {
                site.click(
                    gonggu: $0 % 4, at: Self.march.start.advanced(bySeconds: Int64($0) * 5000))
            })
        try site.adjudicate(from: Self.march.firstDay, through: Self.march.days.last!)
        let draft = try site.draft(Self.march, minimum: 1)
        let key = await AccessTokenKey(secret: Self.secret, lifetimeSeconds: 600)
        let token = try await key.sign(for: site.checker, role: .finance, now: .now)
        try killInTheMiddle(token)
        let row = try site.connection.query(Self.standing)[0]
        #expect(try row.get("month", as: String.self) == "draft")
        #expect(try row.get("settlements", as: Int.self) == 0)
        #expect(try row.get("seals", as: Int.self) == 0)
        #expect(try row.get("events", as: Int.self) == 0)
        let (process, port) = try startAPI()
        let answer = try sendClose(to: port, token: token).receive()
        #expect(answer?.status == 200)
        let closed = try #require(try SettlementMonthQueries.month(Self.march, in: site.connection))
        #expect(closed.status == .closed && closed.manifest == draft.manifest)
        #expect(try site.verify(Self.march).agrees)
        process.killNow()
    }

    /// The last thing that closing writes is its event, whose table is locked here: so when it is
    /// killed, everything else of it is written and nothing is committed.
    private func killInTheMiddle(_ token: String) throws {
        let (process, port) = try startAPI()
        let blocker = try site.database.connect()
        try blocker.run(script: "begin; lock table settlement_events in exclusive mode")
        let client = try sendClose(to: port, token: token)
        try eventually("closing waits for the lock") {
            try site.connection.query(Self.waiting)[0].get("n", as: Int.self) == 1
        }
        process.killNow()
        try blocker.run(script: "rollback")
        try eventually("its session is gone") {
            try site.connection.query(Self.present)[0].get("n", as: Int.self) == 0
        }
        _ = client
    }
}
