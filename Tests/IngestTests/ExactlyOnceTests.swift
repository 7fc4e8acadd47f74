import Clicks
import Linux
import Postgres
import Spool
import Synchronization
import TestSupport
import Testing

@testable import Ingest

/// What becomes of clicks when the ledger's answer does not come.
@Suite struct ExactlyOnceTests {
    private let bench: PumpBench
    private let proxy: CuttingProxy
    private let urlByProxy: String
    /// The message by which libpq says "commit": a simple query.
    private static let commit: [UInt8] = Array("Q\0\0\0\u{0B}commit\0".utf8)

    init() throws {
        bench = try PumpBench()
        let url = try #require(ServerAddress(bench.database.url))
        proxy = try CuttingProxy(to: url.port)
        urlByProxy = url.text(port: proxy.port)
    }

    /// - Parameter clicks: what was spooled.
    private func expectAllOnce(_ clicks: Int) throws {
        #expect(try bench.storedNumbers() == Array(0..<clicks))
        #expect(try bench.statisticsDifferences() == 0)
        #expect(bench.quarantined.isEmpty)
    }

    @Test func `a connection that ends before the commit is seen loses nothing`() throws {
        defer { proxy.stop() }
        bench.write((0..<20).map { [.numbered($0)] })
        try bench.numberTexts()
        proxy.decide(.cutBefore(Self.commit))
        #expect(throws: PostgresError.self) { try bench.pump(url: urlByProxy).runOnce() }
        #expect(proxy.cutCount == 1)
        #expect(try bench.storedNumbers().isEmpty)
        try bench.drain(bench.pump(url: urlByProxy))
        try expectAllOnce(20)
    }

    @Test func `a commit whose answer is lost is not done twice`() throws {
        defer { proxy.stop() }
        bench.write((0..<20).map { [.numbered($0)] })
        try bench.numberTexts()
        proxy.decide(.cutAnswerTo(Self.commit))
        let pump = bench.pump(url: urlByProxy)
        #expect(throws: PostgresError.self) { try pump.runOnce() }
        #expect(proxy.cutCount == 1)
        #expect(try bench.storedNumbers().count == 20, "it was committed")
        bench.write([[.numbered(20)]])
        #expect(try bench.drain(pump) == [1])
        try expectAllOnce(21)
    }

    @Test func `texts whose commit has lost its answer are found by the next look`() throws {
        defer { proxy.stop() }
        bench.write((0..<20).map { [.numbered($0)] })
        proxy.decide(.cutAnswerTo(Self.commit))
        let pump = bench.pump(url: urlByProxy)
        #expect(throws: PostgresError.self) { try pump.runOnce() }
        #expect(proxy.cutCount == 1)
        #expect(try bench.storedNumbers().isEmpty, "that was not the clicks' commit")
        #expect(try bench.drain(pump) == [20])
        try expectAllOnce(20)
        #expect(try bench.number("test_agents", "select max(id)::bigint from user_agents") == 1)
    }

    @Test func `a session terminated between COPY and COMMIT leaves nothing behind`() throws {
        defer { proxy.stop() }
        bench.write((0..<20).map { [.numbered($0)] })
        try bench.numberTexts()
        let url = bench.database.url
        proxy.decide(
            .pauseBefore(Self.commit) {
                // If this fails, the commit passes and the test says so.
                let db = try? Connection(url: url, applicationName: "test")
                try? db?.run(
                    script: """
                        select pg_terminate_backend(pid, 5000) from pg_stat_activity
                        where application_name = 'gonggumoa-ingest-clicks'
                            and datname = current_database()
                        """)
            })
        let pump = bench.pump(url: urlByProxy)
        #expect(throws: PostgresError.self) { try pump.runOnce() }
        #expect(try bench.storedNumbers().isEmpty)
        try bench.drain(pump)
        try expectAllOnce(20)
    }

    /// Cut anywhere, in any message of either side, also in the middle of a COPY and of the answer
    /// to a commit.
    @Test func `a hundred cuts at any byte lose, double and set aside nothing`() throws {
        defer { proxy.stop() }
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        var written = 0
        var pump = bench.pump(batchRecordsMax: 6, url: urlByProxy)
        while proxy.cutCount < 100 {
            let frame = (0..<Int.random(in: 1...4, using: &random)).map { offset in
                WholeClick.numbered(written + offset, userAgent: "agent \(written / 7)")
            }
            written += frame.count
            bench.write([frame])
            let bytes = Int.random(in: 0...9000, using: &random)
            proxy.decide(
                Bool.random(using: &random)
                    ? .cutAfterClientBytes(bytes) : .cutAfterServerBytes(bytes / 2))
            if random.next() % 8 == 0 { pump = bench.pump(batchRecordsMax: 6, url: urlByProxy) }
            if random.next() % 16 == 0 { try bench.restartEdge() }
            // Fails or not, as the cut falls.
            _ = try? pump.runOnce()
        }
        proxy.decide(.passes)
        // The last failure may have been a while ago for the server.
        try eventually("the pump goes on") { (try? bench.drain(pump)) != nil }
        try expectAllOnce(written)
        try bench.restartEdge()
        try bench.drain(pump)
        #expect(try bench.intake.segments().count == 1)
    }

    /// The session of a pump whose connection was cut may live on at the server and commit later.
    @Test func `a commit that is still under way is waited for, not met as duplicates`() throws {
        defer { proxy.stop() }
        bench.write((0..<20).map { [.numbered($0)] })
        let segments = try bench.intake.segments()
        let taken = SpoolTail(bench.intake).read(
            segments, closed: [], from: [:], texts: KnownTexts(), recordsMax: 100, framesMax: 100)
        let old = try bench.database.connect()
        try IngestQueries.ensurePartition(WholeClick.numbered(0).click.time.koreanDay, in: old)
        let rows = BatchRows()
        rows.make(of: taken.batch)
        try rows.number(in: old)
        rows.complete()
        try old.run(script: "begin")
        try IngestQueries.advance(taken.batch.progress, edgeID: "edge-1", in: old)
        #expect(try rows.copyClicks(to: old) == 20)
        try rows.copyDeltas(to: old)

        let pump = bench.pump()
        let outcome = Mutex<String?>(nil)
        let thread = SystemThread(name: "pump") {
            do {
                let round = try pump.runOnce()
                outcome.withLock { $0 = "\(round)" }
            } catch {
                outcome.withLock { $0 = "\(error)" }
            }
        }
        try eventually("the new pump waits for the old session") {
            try bench.number(
                "test_waiting",
                """
                select count(*) from pg_stat_activity
                where application_name = 'gonggumoa-ingest-clicks' and wait_event_type = 'Lock'
                    and datname = current_database()
                """) == 1
        }
        try old.run(script: "commit")
        thread.join()
        #expect(outcome.withLock { $0 } == "\(PumpError.offsetMoved)")
        #expect(try bench.drain(pump) == [])
        try expectAllOnce(20)
    }

    @Test func `a second pump on one edge id is refused by the lock, or by the offsets`() throws {
        defer { proxy.stop() }
        #expect(throws: SpoolError.self) {
            try SpoolIntake.open(bench.root.path, edgeID: "edge-1")
        }
        let first = bench.pump()
        bench.write([[.numbered(0)]])
        try bench.drain(first)
        try File.remove(bench.intake.path + "/ingest.lock")
        let second = bench.pump(
            intake: try SpoolIntake.open(bench.root.path, edgeID: "edge-1"))
        try bench.drain(second)
        bench.write([[.numbered(1)]])
        #expect(try second.runOnce().clicks == 1)
        #expect(throws: PumpError.self) { try first.runOnce() }
        #expect(try first.runOnce().clicks == 0)
        try expectAllOnce(2)
    }

    @Test func `a segment that comes back is not taken up twice, for a week`() throws {
        defer { proxy.stop() }
        let pump = bench.pump()
        bench.write((0..<3).map { [.numbered($0)] })
        let segment = try #require(try bench.intake.segments().first)
        let bytes = try bench.bytes(of: segment)
        try bench.restartEdge()
        try bench.drain(pump)
        #expect(try !bench.intake.segments().contains(segment))
        try bench.replace(segment, with: bytes)
        #expect(try bench.drain(pump) == [])
        #expect(try !bench.intake.segments().contains(segment), "deleted again")
        func forget() throws -> Int {
            try IngestQueries.forgetOffsets(
                edgeID: "edge-1", exceptOf: try bench.intake.segments(), in: bench.db)
        }
        try age("6 days 23 hours")
        #expect(try forget() == 0)
        try age("8 days")
        try bench.replace(segment, with: bytes)
        #expect(try forget() == 0, "it is there")
        try bench.intake.remove(segment)
        #expect(try forget() == 1)
        try expectAllOnce(3)
    }

    private func age(_ interval: String) throws {
        try bench.db.run(
            script: """
                alter table spool_offsets disable trigger spool_offsets_touch;
                update spool_offsets set updated_at = now() - interval '\(interval)';
                alter table spool_offsets enable trigger spool_offsets_touch;
                """)
    }
}

/// The port in a database URL, and the URL with another.
struct ServerAddress {
    let port: UInt16
    private let before: Substring
    private let after: Substring

    init?(_ url: String) {
        guard let scheme = url.firstRange(of: "://"),
            let slash = url[scheme.upperBound...].firstIndex(of: "/"),
            let colon = url[..<slash].lastIndex(of: ":"),
            let port = UInt16(url[url.index(after: colon)..<slash])
        else { return nil }
        self.port = port
        before = url[...colon]
        after = url[slash...]
    }

    /// Unencrypted, so that a proxy can read along.
    func text(port: UInt16) -> String {
        "\(before)\(port)\(after)" + (after.contains("?") ? "&" : "?") + "sslmode=disable"
    }
}
