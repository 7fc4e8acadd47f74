import HTTPTypes
import Postgres

/// The connection pool as handlers use it: a database that is away, or a pool that is full, is a 503
/// that asks to come back, not a fault of ours; everything else comes through as it is.
package struct Database: Sendable {
    package let pool: ConnectionPool

    /// Seconds after which another try is worth it: about the pool's own back-off.
    private static let retryAfterSeconds = 2

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// See ``ConnectionPool/run(_:)``.
    package func run<T: Sendable>(
        _ body: @escaping @Sendable (Connection) throws -> T
    ) async throws -> T {
        try await Database.available { try await pool.run(body) }
    }

    /// See ``ConnectionPool/transaction(_:)``. After a connection lost at commit the outcome is
    /// unknown, and the client's retry has to be harmless.
    package func transaction<T: Sendable>(
        _ body: @escaping @Sendable (Connection) throws -> T
    ) async throws -> T {
        try await Database.available { try await pool.transaction(body) }
    }

    private static func available<T: Sendable>(
        _ body: () async throws -> T
    ) async throws -> T {
        do {
            return try await body()
        } catch let error as PostgresError where error.kind == .connection || error.kind == .pool {
            throw Problem(.unavailable, headers: [.retryAfter: "\(retryAfterSeconds)"])
        }
    }
}
