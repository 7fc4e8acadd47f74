import Glibc
import TestSupport

/// A way in which something dies, or nearly does.
package enum DeathKind: String, CaseIterable, Sendable {
    /// `kill -9` of a process before, within or after one of its calls, while clicks come.
    case edgeStep = "edge-step"
    case ingestStep = "ingest-step"
    /// As before, and the other process dies by `kill -9` at the same moment.
    case both
    /// `kill -9` at any moment.
    case moment
    /// `kill -9` at a step of a start, after a death, up to three times in a row.
    case recovery
    /// SIGQUIT to PostgreSQL (`immediate`) at a step of Ingest.
    case postgresImmediate = "postgres-immediate"
    /// `kill -9` of a session's process, after which PostgreSQL ends all others.
    case postgresBackend = "postgres-backend"
    /// A connection to PostgreSQL cut within any message, or ended by the server at a step.
    case cut = "connection-cut"
    /// ENOSPC for a while, while running or while starting.
    case diskFull = "disk-full"
    /// RLIMIT_FSIZE on the running edge: the kernel itself cuts a write.
    case fileLimit = "file-limit"
    /// EROFS for a while.
    case readOnly = "read-only"
    /// EIO from fsync and fdatasync for a while.
    case syncError = "sync-error"
    /// The kernel takes a part of a write, or of a message, and the rest at the next call.
    case shortWrite = "short-write"
    /// The clock is set, forth or back.
    case clockStep = "clock-step"
    /// SIGTERM under load.
    case stop

    /// How many of a hundred deaths; those that wait for PostgreSQL cost more time.
    var weight: Int {
        switch self {
        case .edgeStep, .ingestStep: 18
        case .both, .recovery, .cut: 9
        case .moment, .diskFull: 6
        case .postgresImmediate, .clockStep, .readOnly: 4
        case .postgresBackend, .fileLimit, .syncError, .shortWrite: 3
        case .stop: 2
        }
    }

    static func random(_ random: inout SplitMix, among kinds: [DeathKind]) -> DeathKind {
        var left = Int(random.next() % UInt64(kinds.reduce(0) { $0 + $1.weight }))
        for kind in kinds {
            left -= kind.weight
            if left < 0 { return kind }
        }
        return kinds[0]
    }
}

/// How often each kind of call happens in a start and in a round without a death; by it steps are
/// chosen so that they are reached.
struct StepCounts {
    var starting: [Int]
    var running: [Int]

    /// One of the kinds that happen, each as likely, and one of its calls.
    static func choose(
        _ counts: [Int], among kinds: [StepKind], _ random: inout SplitMix
    ) -> (kind: StepKind, nth: Int) {
        let possible = kinds.filter { counts[$0.rawValue] > 0 }
        guard let kind = possible.randomElement(using: &random) else { return (.clock, 1) }
        return (kind, 1 + Int(random.next() % UInt64(counts[kind.rawValue])))
    }
}

extension StepOrder {
    /// Changes of a folder that is out of space, that may not be written, or whose device fails.
    static func diskFull(_ kind: StepKind, failures: Int, permille: Int) -> StepOrder {
        var order = StepOrder(kind, .fail)
        order.code = ENOSPC
        order.failing = [.open, .write, .pwrite, .allocate, .truncate, .makeFolder]
        order.failures = failures
        order.permille = permille
        return order
    }

    static func readOnly(_ kind: StepKind, failures: Int) -> StepOrder {
        var order = StepOrder(kind, .fail)
        order.code = EROFS
        order.failing = [.open, .rename, .unlink, .makeFolder]
        order.failures = failures
        return order
    }

    static func syncError(failures: Int) -> StepOrder {
        var order = StepOrder(.sync, .fail)
        order.code = EIO
        order.failing = [.sync]
        order.failures = failures
        return order
    }
}
