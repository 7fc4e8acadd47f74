// Deaths in a row over one world: what one leaves behind is what the next begins with. A round is a
// load, a death in it, a restart of whatever died, the rest of the load, and the books.

import Glibc
import Linux
import Postgres
import TestSupport

/// What a round came to.
package struct DeathReport: Sendable {
    package let kind: DeathKind
    package let number: Int
    /// What was done, for a person.
    package var story = ""
    package var deaths = 1
    /// Whether the chosen step was reached; if not, the death came at the end of the load instead.
    package var isReached = true
    package var clicks = 0
    package var seconds = 0.0
}

/// A chain of deaths. Its seed decides every order; how threads interleave it cannot decide.
package final class DeathChain {
    let world: DeathWorld
    private let only: [DeathKind]
    private let seed: UInt64
    var random: SplitMix
    private var books = DeathBooks()
    private var rounds = 0
    var counts: [DeathWorld.Program: StepCounts] = [:]

    package init(_ stage: DeathStage, seed: UInt64, only: [DeathKind]) throws {
        self.seed = seed
        self.only = only
        random = SplitMix(state: seed)
        world = try DeathWorld(stage, WorldSettings(random: &random))
        try calibrate()
    }

    package func end() { world.end() }

    /// One more death. - Throws: ``Difference`` if something is not as promised.
    package func next() throws -> DeathReport {
        let kind = DeathKind.random(&random, among: only)
        var report = DeathReport(kind: kind, number: rounds)
        let began = Clock.monotonic()
        do {
            try round(kind, &report)
        } catch {
            throw Difference(
                "\(error)\n  in round \(rounds), \(kind.rawValue): \(report.story)\n"
                    + "  \(world.settings)\n--- Edge\n\(world.log(.edge))"
                    + "--- Ingest\n\(world.log(.ingest))")
        }
        report.seconds = Double(Clock.monotonic() - began) / 1e6
        return report
    }

    // MARK: A round

    private func round(_ kind: DeathKind, _ report: inout DeathReport) throws {
        rounds += 1
        // What the round before has hurt may leave clicks unrecorded for another moment: a disk
        // that refused is asked again after 100 ms, when a segment of 8 KiB is long full.
        try restart()
        let hasAttacker = !kind.canLeaveUnrecorded && random.next() % 8 == 0
        try world.editLink()
        let before = (pid: world.process(.edge)?.pid, unrecorded: try world.unrecorded())
        let shoppers = Shoppers(
            port: world.edgePort, gonggu: world.gonggu, round: rounds, seed: random.next(),
            quota: 100 + Int(random.next() % 200), clients: 2, hasAttacker: hasAttacker)
        defer { _ = shoppers.stop() }
        var allowance = DeathBooks.Allowance()
        try die(kind, shoppers, &report)
        world.edgeControl.disarm()
        world.ingestControl.disarm()
        try restart()
        try waitUntil("shoppers done") { shoppers.isDone }
        try waitUntil("links are current") {
            shoppers.probe()?.contains("/p/\(world.linkVersion)?") == true
        }
        // After the last click, which may be one that is not recorded.
        if kind.canLeaveUnrecorded {
            let isSame = world.process(.edge)?.pid == before.pid
            allowance.unrecorded = try world.unrecorded() - (isSame ? before.unrecorded : 0)
            allowance.isExact = isSame && world.settings.syncPolicy != "always"
        }
        let closed = shoppers.stop()
        report.clicks = closed.sent + closed.attacksSent
        try books.close(rounds, closed, allowance, in: world)
    }

    /// Starts whatever is dead, until all are ready.
    func restart() throws {
        try waitWhile {
            for program in DeathWorld.Program.allCases {
                if try !isAlive(program, mayFail: true) { try world.start(program) }
            }
            return DeathWorld.Program.allCases.compactMap { world.unreadiness($0) }.first
        }
    }

    /// - Returns: false for one that has ended. A crash of its own is a difference.
    func isAlive(_ program: DeathWorld.Program, mayFail: Bool) throws -> Bool {
        guard let process = world.process(program) else { return false }
        guard let code = process.wait(seconds: 0) else { return true }
        if code == -SIGKILL || code == EXIT_SUCCESS || mayFail && code > 0 { return false }
        throw Difference("\(program.rawValue) ended by itself with \(code)")
    }

    func waitUntil(_ what: String, _ isSo: () throws -> Bool) throws {
        try waitWhile { try isSo() ? nil : what }
    }

    /// Until nothing keeps from going on.
    private func waitWhile(_ obstacle: () throws -> String?) throws {
        let deadline = Clock.monotonic() + Int64(DeathBooks.patienceSeconds * 1e6)
        while let what = try obstacle() {
            guard Clock.monotonic() < deadline else { throw Difference("for too long: \(what)") }
            Clock.sleep(milliseconds: 5)
        }
    }

    // MARK: Calibration

    /// A start and a round without a death, counted.
    private func calibrate() throws {
        try restart()
        let starting = DeathWorld.Program.allCases.map { ($0, world.control($0).counts) }
        let unrecorded = try world.unrecorded()
        rounds += 1
        try world.editLink()
        let shoppers = Shoppers(
            port: world.edgePort, gonggu: world.gonggu, round: rounds, seed: random.next(),
            quota: 150, clients: 2, hasAttacker: true)
        try waitUntil("shoppers done") { shoppers.isDone }
        try waitUntil("links are current") {
            shoppers.probe()?.contains("/p/\(world.linkVersion)?") == true
        }
        try books.close(rounds, shoppers.stop(), DeathBooks.Allowance(), in: world)
        guard try world.unrecorded() == unrecorded else {
            throw Difference("clicks are unrecorded without a death")
        }
        // Or no death would ever meet an edge between two segments.
        guard try world.ledger().segments() > 2 else {
            throw Difference("two workers' clicks are in two segments, whatever their size")
        }
        for (program, before) in starting {
            counts[program] = StepCounts(
                starting: before,
                running: zip(world.control(program).counts, before).map { $0 - $1 })
        }
    }
}

extension DeathKind {
    /// Whether the edge may answer without a record, and count it.
    var canLeaveUnrecorded: Bool {
        switch self {
        case .diskFull, .fileLimit, .readOnly, .syncError: true
        default: false
        }
    }
}
