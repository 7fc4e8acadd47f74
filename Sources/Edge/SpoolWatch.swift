// Keeps an eye on how much the spool holds, so that no worker has to; says once when recording
// stops and once when it goes on.

import Admin
import Linux
import Spool

/// Measures the spool's folder until stopped, on a thread of its own.
final class SpoolWatch: Sendable {
    let allowance: SpoolAllowance
    private let stopping: WakeSignal

    private static let intervalMilliseconds = 250
    /// A look takes at most a twentieth of the time, however many segments there are.
    private static let pausesPerLook = 20

    init(_ allowance: SpoolAllowance) throws(SystemError) {
        self.allowance = allowance
        stopping = try WakeSignal()
        // Full from the start: the first look was the allowance's own.
        if let stop = allowance.stop { SpoolWatch.tell(.stopped(stop)) }
    }

    func run() {
        var waitMilliseconds = SpoolWatch.intervalMilliseconds
        while !stopping.wait(milliseconds: waitMilliseconds) {
            let began = Clock.monotonic()
            SpoolWatch.tell(allowance.measure())
            let tookMilliseconds = Int((Clock.monotonic() - began) / 1000)
            waitMilliseconds = max(
                SpoolWatch.intervalMilliseconds, tookMilliseconds * SpoolWatch.pausesPerLook)
        }
    }

    func stop() { stopping.raise() }

    private static func tell(_ change: SpoolAllowance.Change) {
        switch change {
        case .none: break
        case .stopped(let stop):
            Log.error("recording stopped", [("reason", "\(stop)")])
        case .resumed(let untold):
            if let untold { tell(.stopped(untold)) }
            Log.info("recording resumed")
        }
    }
}
