import Clicks
import Hummingbird
import HummingbirdTesting
import NIOCore
import Postgres
import TestSupport
import Testing

@testable import API

/// The same commands on two copies of one database: the same bytes of everything that they make.
@Suite struct SettlementCopyTests {
    private static let march = month("2025-03")
    private static let payeeKeys = "2025:" + String(repeating: "0f", count: 32)

    let site: SettlementSite
    let folder: TestFolder

    init() throws {
        site = try SettlementSite(influencers: 3, gonggusEach: 2)
        folder = try TestFolder()
    }

    /// March of three influencers: late and revised clicks, a correction to come, payees.
    private func fill() throws {
        try site.setRate(333, from: "2020-01-01")
        try site.setRate(410, from: "2025-03-20", gonggu: site.gonggus[0].id)
        var clicks = (0..<1500).map { index in
            site.click(
                gonggu: index % 6, at: Self.march.start.advanced(bySeconds: Int64(index) * 1700),
                verdict: [0, 0, 0, 1, 3][index % 5], count: index % 7 == 0 ? 3 : 1)
        }
        try site.store(clicks)
        try site.adjudicate(from: Self.march.firstDay, through: Self.march.days.last!)
        try site.sealAll(before: Self.march.next)
        for index in stride(from: 1, to: 1500, by: 211) { try site.judge(&clicks[index], 1) }
        try site.store([site.click(gonggu: 1, at: seoul("2025-03-09 09:09"))])
        try site.adjudicate(from: Self.march.firstDay, through: Self.march.days.last!)
        let keys = try #require(PayeeKeys(Self.payeeKeys))
        for influencer in site.influencers {
            try site.setPayee(influencer, .individual, keys: keys)
        }
        try site.connection.run(
            script: """
                insert into settlement_adjustments
                    (influencer_id, amount_won, made_by, corrects_month, reason)
                values ('\(site.influencers[2])', -1234, '\(site.maker)', '2025-03-01', '합의')
                """)
    }

    /// Two URLs of what is the same database until somebody does something.
    private func copy() throws -> (urls: [String], name: String) {
        let name = "copy_of_\(site.database.name)"
        let server = try Connection(url: TestServers.databaseURL(), applicationName: "test")
        // A template must not be in use.
        try server.run(
            script: """
                select pg_terminate_backend(pid) from pg_stat_activity
                where datname = '\(site.database.name)'
                """)
        try eventually("it is copied") {
            (try? server.run(
                script: "create database \(name) template \(site.database.name)")) != nil
        }
        let url = site.database.url
        return ([url, url.replacing(site.database.name, with: name)], name)
    }

    @Test func `two copies of a database give the same bytes`() async throws {
        try fill()
        let (urls, name) = try copy()
        defer {
            let server = try? Connection(
                url: TestServers.databaseURL(), applicationName: "test")
            try? server?.run(script: "drop database \(name) with (force)")
        }
        var made: [[String: [UInt8]]] = []
        for (index, url) in urls.enumerated() {
            var files = try await close(url)
            let verify = try ChildProcess(
                TestServers.binary("API"), ["settlement", "verify", "2025-03"],
                environment: ["DATABASE_URL": url], logPath: "\(folder.path)/verify-\(index)")
            #expect(verify.wait() == 0)
            // How long it took is not among the lines.
            let lines = verify.log.split(separator: "\n").filter { !$0.hasPrefix("API: ") }
            #expect(lines.last == "agrees")
            files["verify"] = Array(lines.joined(separator: "\n").utf8)
            made.append(files)
        }
        #expect(made[0].count > 12)
        #expect(Set(made[0].keys) == Set(made[1].keys))
        for (name, bytes) in made[0] {
            #expect(!bytes.isEmpty && bytes == made[1][name], "\(name)")
        }
    }

    /// Drafts, closes, pays, and takes every file.
    private func close(_ url: String) async throws -> [String: [UInt8]] {
        let test = try await TestAPI(
            environment: ["DATABASE_URL": url, "PAYEE_KEYS": Self.payeeKeys])
        return try await Application(router: test.server.router()).test(.router) { client in
            var files: [String: [UInt8]] = [:]
            var callers: [Caller] = []
            for account in [site.maker, site.checker, site.payer] {
                let token = try await test.server.tokenKey.sign(
                    for: account, role: .finance, now: .now)
                callers.append(Caller(client: client, token: token))
            }
            let path = "/api/v1/settlements/months/2025-03"
            let draft = try await callers[0].send(.post, path + "/draft")
            let closed = try await callers[1].send(.post, path + "/close", [:])
            let paid = try await callers[2].send(
                .post, path + "/pay", ["payment_date": "2025-04-10"])
            #expect(paid.json["payments"] == 3)
            let manifest = draft.json["manifest_sha256"]?.text ?? ""
            files["manifest"] = Array(manifest.utf8)
            #expect(closed.json["manifest_sha256"]?.text == manifest)
            files["paid"] = paid.json.bytes
            for name in [
                "ledger.csv", "bank.csv", "withholding.csv", "tax-invoices.csv", "settlement.xlsx",
            ] {
                files[name] = try await bytes(of: "\(path)/\(name)", callers[0])
            }
            let list = try await callers[0].send(
                .get, "/api/v1/settlements?month=2025-03&size=10")
            for settlement in list.json["items"]?.list ?? [] {
                let id = settlement["id"]?.text ?? ""
                let lines = try await callers[0].send(
                    .get, "/api/v1/settlements/\(id)/lines?size=100")
                files["lines of \(id)"] = lines.json.bytes
                for line in lines.json["items"]?.list ?? [] where line["kind"] != "manual" {
                    let uri =
                        "/api/v1/settlements/\(id)/lines/\(line["number"]?.integer ?? 0)/clicks.csv"
                    files[uri] = try await bytes(of: uri, callers[0])
                }
            }
            return files
        }
    }

    private func bytes(of uri: String, _ caller: Caller) async throws -> [UInt8] {
        try await caller.client.execute(
            uri: uri, method: .get, headers: [.authorization: "Bearer \(caller.token ?? "")"],
            body: nil
        ) { response in
            #expect(response.status == .ok, "\(uri)")
            return Array(response.body.readableBytesView)
        }
    }
}
