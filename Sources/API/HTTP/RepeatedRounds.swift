import Hummingbird
import Logging
import ServiceLifecycle

extension Service {
    /// Makes round after round, with a pause between them, until the service is to stop. One that
    /// fails is logged, and the next one is made all the same.
    ///
    /// - Parameter failure: what the log says of a round that failed.
    func repeatRounds(
        pauseSeconds: Int, _ logger: Logger, failure: Logger.Message,
        _ round: @escaping @Sendable () async throws -> Void
    ) async {
        // try?: it ends by being cancelled when the service stops.
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await round()
                } catch {
                    logger.error(failure, metadata: ["reason": "\(error)"])
                }
                try await Task.sleep(for: .seconds(pauseSeconds))
            }
        }
    }
}
