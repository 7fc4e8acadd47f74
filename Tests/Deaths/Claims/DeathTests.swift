import Deaths
import Glibc
import Linux
import TestSupport
import Testing

/// A few of the deaths that scripts/soak dies by the thousand. Each test is a chain over one
/// database and one folder: a death begins with what the one before has left behind.
///
/// Again with a seed that failed: `scripts/soak --seed <seed> --only <kinds>`.
@Suite(.serialized) struct DeathTests {
    /// Brings about so many deaths, and compares the books after each.
    private func die(_ deaths: Int, of kinds: [DeathKind]) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let ownsServer = kinds.contains(.postgresImmediate)
        let stage = try DeathStage(
            binaries: try TestServers.binary(""), ownsServer: ownsServer)
        do {
            let chain = try DeathChain(stage, seed: seed, only: kinds)
            defer { chain.end() }
            var done = 0
            while done < deaths { done += try chain.next().deaths }
        } catch {
            let names = kinds.map(\.rawValue).joined(separator: ",")
            Issue.record("scripts/soak --seed \(seed) --only \(names): \(error)")
        }
    }

    @Test func `an edge killed at any of its calls loses, doubles and invents no click`() throws {
        try die(5, of: [.edgeStep])
    }

    @Test func `an Ingest killed at any of its calls stores each click once`() throws {
        try die(5, of: [.ingestStep])
    }

    @Test func `both killed at once, at any moment, and again while they start, lose nothing`()
        throws
    {
        try die(8, of: [.both, .moment, .recovery])
    }

    @Test func `PostgreSQL ended without a shutdown at any step of a batch costs no click`() throws
    {
        try die(3, of: [.postgresImmediate, .postgresBackend])
    }

    @Test func `a connection cut within any message is a batch stored once or done again`() throws {
        try die(4, of: [.cut, .shortWrite])
    }

    @Test func `a disk that is full, read-only or broken for a while costs what the edge says`()
        throws
    {
        try die(6, of: [.diskFull, .fileLimit, .readOnly, .syncError])
    }

    @Test func `a clock that is set under both, and SIGTERM under load, cost nothing`() throws {
        try die(4, of: [.clockStep, .stop])
    }
}
