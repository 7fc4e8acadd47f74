/// Whether an attempt is followed by another, and after how long. Pure.
package enum RetryRule {
    /// The first one included.
    package static let attemptsMax = 3
    /// The longest wait before the second attempt; it doubles for the third.
    package static let firstDelay = Duration.milliseconds(100)

    /// How an attempt ended.
    package enum Ending: Sendable, Equatable {
        case status(Int)
        case failure(OutboundFailure)
    }

    /// The wait before the next attempt; nil where there is to be none.
    ///
    /// What was never sent may be sent again, whatever it is. What may have arrived is sent again
    /// only if doing it twice is doing it once. Waits are spread over the whole of their range, so
    /// that callers who failed together do not come back together.
    ///
    /// - Parameters:
    ///   - attempt: the one that ended, from 1.
    ///   - spread: 0 up to 1, drawn by the caller.
    package static func delay(
        after attempt: Int, _ ending: Ending, isRepeatable: Bool, spread: Double
    ) -> Duration? {
        precondition(attempt > 0 && (0...1).contains(spread), "attempts count from 1, spread to 1")
        guard attempt < attemptsMax else { return nil }
        let isWorthIt =
            switch ending {
            case .status(let status): isRepeatable && [502, 503, 504].contains(status)
            case .failure(.unreachable): true
            case .failure(.broken): isRepeatable
            // A second attempt would meet the same: the circuit, the bound, the slow or huge
            // answer.
            case .failure(.circuitOpen), .failure(.busy), .failure(.timedOut),
                .failure(.answerTooLarge):
                false
            }
        guard isWorthIt else { return nil }
        return firstDelay * (1 << (attempt - 1)) * spread
    }
}
