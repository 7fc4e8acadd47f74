// How each kind of death is brought about, while shoppers click.

import Glibc
import Linux
import Postgres
import TestSupport

extension DeathChain {
    /// Does it. Afterwards something may be dead, and PostgreSQL runs.
    func die(
        _ kind: DeathKind, _ shoppers: Shoppers, _ report: inout DeathReport
    ) throws {
        switch kind {
        case .edgeStep: try killAtStep(.edge, alsoOther: false, shoppers, &report)
        case .ingestStep: try killAtStep(.ingest, alsoOther: false, shoppers, &report)
        case .both: try killAtStep(anyProgram(), alsoOther: true, shoppers, &report)
        case .moment: try killAtMoment(shoppers, &report)
        case .recovery: try killInRecovery(shoppers, &report)
        case .postgresImmediate: try stopPostgres(shoppers, &report)
        case .postgresBackend: try killBackend(shoppers, &report)
        case .cut: try cut(shoppers, &report)
        case .diskFull, .readOnly, .syncError: try failCalls(kind, shoppers, &report)
        case .fileLimit: try limitFiles(shoppers, &report)
        case .shortWrite: try shorten(shoppers, &report)
        case .clockStep: try stepClock(shoppers, &report)
        case .stop: try stop(shoppers, &report)
        }
    }

    private func anyProgram() -> DeathWorld.Program {
        DeathWorld.Program.allCases.randomElement(using: &random)!
    }

    /// Steps that a product takes by itself; the kinds in `StepKind` that it never takes are left
    /// out by their counts.
    private static let steps = StepKind.allCases

    private func step(
        _ program: DeathWorld.Program, _ kinds: [StepKind] = DeathChain.steps,
        starting: Bool = false
    ) -> (kind: StepKind, nth: Int) {
        let counts = counts[program]!
        return StepCounts.choose(
            starting ? counts.starting : counts.running, among: kinds, &random)
    }

    // MARK: Waiting

    /// Until the orders were carried out. What happens after the last click, such as deleting,
    /// gets its time.
    /// - Returns: false if the step does not come.
    private func awaitFired(
        _ program: DeathWorld.Program, _ shoppers: Shoppers, graceMilliseconds: Int = 200
    ) -> Bool {
        let control = world.control(program)
        let deadline = Clock.monotonic() + 10_000_000
        var doneSince: Int64?
        while !control.hasFired {
            let now = Clock.monotonic()
            if shoppers.isDone { doneSince = doneSince ?? now }
            if now > deadline { return false }
            if let doneSince, now - doneSince > Int64(graceMilliseconds) * 1000 { return false }
            Clock.sleep(milliseconds: 1)
        }
        return true
    }

    private func kill(_ program: DeathWorld.Program) throws {
        guard let process = world.process(program) else { return }
        process.killNow()
        _ = try isAlive(program, mayFail: false)
    }

    // MARK: Processes

    private func killAtStep(
        _ program: DeathWorld.Program, alsoOther: Bool, _ shoppers: Shoppers,
        _ report: inout DeathReport
    ) throws {
        let (kind, nth) = step(program)
        var order = StepOrder(kind, StepAction.kills.randomElement(using: &random)!)
        order.permille = Int(random.next() % 1000)
        report.story = "\(program) \(order.action) \(kind) #\(nth)"
        world.control(program).arm(order, nth: nth)
        report.isReached = awaitFired(program, shoppers)
        if alsoOther {
            report.deaths = 2
            report.story += ", and the other"
            try kill(program == .edge ? .ingest : .edge)
        }
        try kill(program)
    }

    private func killAtMoment(_ shoppers: Shoppers, _ report: inout DeathReport) throws {
        let choices: [[DeathWorld.Program]] = [[.edge], [.ingest], [.edge, .ingest]]
        let programs = choices.randomElement(using: &random)!
        let until = Int(random.next() % 100)
        report.story = "\(programs) after \(until) clicks"
        report.deaths = programs.count
        try waitUntil("shoppers come") { shoppers.sentCount >= until || shoppers.isDone }
        for program in programs { try kill(program) }
    }

    /// The process dies, and again while it starts: what it was about to mend is mended by the
    /// third or fourth.
    private func killInRecovery(_ shoppers: Shoppers, _ report: inout DeathReport) throws {
        let program = anyProgram()
        let until = Int(random.next() % 60)
        let times = 1 + Int(random.next() % 3)
        try waitUntil("shoppers come") { shoppers.sentCount >= until || shoppers.isDone }
        try kill(program)
        report.story = "\(program) after \(until) clicks"
        for _ in 0..<times {
            let (kind, nth) = step(program, starting: true)
            var order = StepOrder(kind, StepAction.kills.randomElement(using: &random)!)
            order.permille = Int(random.next() % 1000)
            report.story += ", its start \(order.action) \(kind) #\(nth)"
            report.deaths += 1
            try world.start(program, order, nth: nth)
            let deadline = Clock.monotonic() + 1_000_000
            while try isAlive(program, mayFail: false), Clock.monotonic() < deadline {
                if world.isReady(program) && !world.control(program).hasFired {
                    report.isReached = false
                    break
                }
                Clock.sleep(milliseconds: 2)
            }
            try kill(program)
        }
    }

    private func stop(_ shoppers: Shoppers, _ report: inout DeathReport) throws {
        let program = anyProgram()
        let until = Int(random.next() % 100)
        report.story = "\(program) SIGTERM after \(until) clicks"
        try waitUntil("shoppers come") { shoppers.sentCount >= until || shoppers.isDone }
        guard let process = world.process(program) else { return }
        process.kill(SIGTERM)
        guard process.wait(seconds: 12) == EXIT_SUCCESS else {
            throw Difference("\(program) does not end on SIGTERM")
        }
    }

    // MARK: PostgreSQL

    private static let ledgerSteps: [StepKind] = [
        .send, .receive, .commit, .unlink, .rename, .clock, .sync,
    ]

    /// Holds Ingest at a step, does something to its server, lets it go on.
    private func atStepOfIngest(
        _ shoppers: Shoppers, _ report: inout DeathReport, _ deed: () throws -> Void
    ) throws {
        let (kind, nth) = step(.ingest, DeathChain.ledgerSteps)
        let action = [StepAction.holdBefore, .holdAfter].randomElement(using: &random)!
        report.story += "ingest \(action) \(kind) #\(nth): "
        world.ingestControl.arm(StepOrder(kind, action), nth: nth)
        report.isReached = awaitFired(.ingest, shoppers)
        // After a message the server may be anywhere in what it says.
        let pause = Int(random.next() % 4)
        if pause > 0 { Clock.sleep(milliseconds: pause - 1) }
        try deed()
        world.ingestControl.disarm()
    }

    private func stopPostgres(_ shoppers: Shoppers, _ report: inout DeathReport) throws {
        let alsoIngest = random.next() % 3 == 0
        let downMilliseconds = Int(random.next() % 100)
        try atStepOfIngest(shoppers, &report) {
            world.stage.server.end(SIGQUIT)
            world.forgetLedger()
        }
        report.story += "immediate shutdown" + (alsoIngest ? ", Ingest killed" : "")
        if alsoIngest {
            report.deaths = 2
            try kill(.ingest)
        }
        Clock.sleep(milliseconds: downMilliseconds)
        try world.stage.server.start()
    }

    private func killBackend(_ shoppers: Shoppers, _ report: inout DeathReport) throws {
        let session = ["clicks", "links", "upkeep"].randomElement(using: &random)!
        try atStepOfIngest(shoppers, &report) {
            let ledger = try world.ledger()
            let pids = try ledger.backends("gonggumoa-ingest-\(session)")
            for pid in pids { _ = Glibc.kill(pid_t(pid), SIGKILL) }
            // The server then ends all sessions, once it has noticed: one of ours that began
            // before that would be ended in the middle of the books.
            let deadline = Clock.monotonic() + 1_000_000
            while !pids.isEmpty, !ledger.isEnded, Clock.monotonic() < deadline {
                Clock.sleep(milliseconds: 2)
            }
            world.forgetLedger()
        }
        report.story += "kill -9 of the session for \(session)"
    }

    private func cut(_ shoppers: Shoppers, _ report: inout DeathReport) throws {
        if random.next() % 3 == 0 {
            try atStepOfIngest(shoppers, &report) {
                try world.ledger().terminate("gonggumoa-ingest-%")
            }
            report.story += "sessions terminated"
            return
        }
        let (kind, nth) = step(.ingest, [.send, .receive, .commit])
        var order = StepOrder(kind, .cut)
        order.permille = Int(random.next() % 1001)
        report.story = "ingest cut \(kind) #\(nth) at \(order.permille) ‰"
        world.ingestControl.arm(order, nth: nth)
        report.isReached = awaitFired(.ingest, shoppers)
    }

    // MARK: Disks

    private func failCalls(
        _ kind: DeathKind, _ shoppers: Shoppers, _ report: inout DeathReport
    ) throws {
        let program = anyProgram()
        let starting = random.next() % 3 == 0 && kind != .syncError
        let failures = 1 + Int(random.next() % (random.next() % 4 == 0 ? 400 : 20))
        var order: StepOrder
        switch kind {
        case .diskFull:
            order = .diskFull(.open, failures: failures, permille: Int(random.next() % 1000))
        case .readOnly: order = .readOnly(.open, failures: failures)
        default: order = .syncError(failures: failures)
        }
        let (step, nth) = step(program, order.failing, starting: starting)
        order.kind = step
        report.story =
            "\(program)\(starting ? " starting" : ""): errno \(order.code) for \(failures) calls "
            + "from \(step) #\(nth)"
        if starting {
            try kill(program)
            try world.start(program, order, nth: nth)
            let deadline = Clock.monotonic() + 500_000
            while try isAlive(program, mayFail: true), Clock.monotonic() < deadline,
                !world.isReady(program)
            {
                Clock.sleep(milliseconds: 2)
            }
            report.isReached = world.control(program).hasFired
        } else {
            world.control(program).arm(order, nth: nth)
            report.isReached = awaitFired(program, shoppers)
        }
        // It is over when so many calls have failed, or after a while.
        let deadline = Clock.monotonic() + 300_000
        while world.control(program).isFailing, Clock.monotonic() < deadline {
            Clock.sleep(milliseconds: 2)
        }
    }

    /// The kernel's own refusal: a write that reaches the limit is cut there, the next is EFBIG.
    private func limitFiles(_ shoppers: Shoppers, _ report: inout DeathReport) throws {
        let until = Int(random.next() % 60)
        let bytes = 200 + Int(random.next() % 6000)
        let milliseconds = 10 + Int(random.next() % 100)
        report.story = "edge's files at most \(bytes) bytes for \(milliseconds) ms"
        try waitUntil("shoppers come") { shoppers.sentCount >= until || shoppers.isDone }
        guard let pid = world.process(.edge)?.pid else { return }
        try limit(pid, UInt(bytes))
        Clock.sleep(milliseconds: milliseconds)
        try limit(pid, UInt(bitPattern: -1))
    }

    private func limit(_ pid: pid_t, _ bytes: UInt) throws {
        let text = bytes == UInt(bitPattern: -1) ? "unlimited" : "\(bytes)"
        // The hard limit stays, or nobody could lift it again.
        let run = try ShellRun.run("prlimit --pid \(pid) --fsize=\(text):unlimited")
        guard run.code == 0 else { throw TimedOut(description: run.output) }
    }

    private func shorten(_ shoppers: Shoppers, _ report: inout DeathReport) throws {
        let program = anyProgram()
        let (kind, nth) = step(program, [.write, .send])
        var order = StepOrder(kind, .short)
        order.permille = Int(random.next() % 1000)
        report.story = "\(program) short \(kind) #\(nth) at \(order.permille) ‰"
        world.control(program).arm(order, nth: nth)
        report.isReached = awaitFired(program, shoppers)
    }

    // MARK: The clock

    private func stepClock(_ shoppers: Shoppers, _ report: inout DeathReport) throws {
        let second: Int64 = 1_000_000
        let offsets = [0, 2, 3600, 86_400, -2, -3600, -86_400].map { $0 * second }
        let offset = offsets.randomElement(using: &random)!
        let until = Int(random.next() % 100)
        let alsoDies = random.next() % 2 == 0
        report.story = "the clock set to \(offset / second) s after \(until) clicks"
        try waitUntil("shoppers come") { shoppers.sentCount >= until || shoppers.isDone }
        for program in DeathWorld.Program.allCases {
            world.control(program).clockOffsetMicros = offset
        }
        if alsoDies {
            report.story += ", the edge killed"
            try kill(.edge)
        }
    }
}
