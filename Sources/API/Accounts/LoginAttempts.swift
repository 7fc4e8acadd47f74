import Clicks
import Crypto
import Foundation
import Postgres

// Ten failures within fifteen minutes, for an account or from an address, and the next attempt is
// refused before any password is hashed. The counts are in PostgreSQL: signing in needs it anyway,
// so they hold across processes and are no reason more to fail; beside a password hash of 170 ms
// their statements cost nothing. Redis would need a second place for when it is away, and the two
// would disagree.
//
// An attempt counts from before its password is looked at, so that many at once are no way around
// the bound; if it succeeds or cannot be carried out, it is taken back.
//
// Bounds: a row is made by an admitted attempt only, which costs a password hash or an answer of
// another service, and each admitted attempt removes up to 20 rows that have expired. So there are
// at most two rows for each hash, and one for each answer, that all processes can get in fifteen
// minutes.

/// Attempts of one account, or from one address, that count still.
///
/// Invariant: at most ``failuresMax``, ascending.
package struct CountedAttempts: Equatable, Sendable {
    /// Attempts that may count at a time.
    package static let failuresMax = 10
    /// How long a failure counts.
    package static let windowSeconds = 15 * 60
    /// How long an attempt counts whose outcome is never told, since its process died.
    package static let pendingSeconds = 60

    /// When each stops counting.
    package private(set) var until: [Timestamp]

    package init(until: [Timestamp] = []) {
        self.until = until.sorted().suffix(Self.failuresMax)
    }

    /// Counts an attempt as pending and returns the stamp that stands for it; or refuses, and then
    /// changes nothing and returns the seconds to wait.
    package mutating func admit(now: Timestamp) -> Admission {
        until.removeAll { $0 <= now }
        if until.count == Self.failuresMax {
            let microseconds = until[0].microseconds - now.microseconds
            let seconds =
                (microseconds + Timestamp.microsecondsPerSecond - 1)
                / Timestamp.microsecondsPerSecond
            return .refused(retryAfterSeconds: Int(seconds))
        }
        let stamp = now.advanced(bySeconds: Int64(Self.pendingSeconds))
        insert(stamp)
        return .admitted(stamp)
    }

    /// The outcome of ``admit(now:)``.
    package enum Admission: Equatable, Sendable {
        case admitted(Timestamp)
        /// At least 1.
        case refused(retryAfterSeconds: Int)
    }

    /// The pending attempt has failed.
    package mutating func fail(_ stamp: Timestamp, now: Timestamp) {
        withdraw(stamp)
        insert(now.advanced(bySeconds: Int64(Self.windowSeconds)))
    }

    /// The pending attempt counts no more. Of two with one stamp either will do.
    package mutating func withdraw(_ stamp: Timestamp) {
        if let index = until.firstIndex(of: stamp) { until.remove(at: index) }
    }

    private mutating func insert(_ stamp: Timestamp) {
        until.append(stamp)
        until.sort()
        // An attempt that was forgotten, and failed after others had taken its place.
        until.removeFirst(max(0, until.count - Self.failuresMax))
    }
}

/// Refuses to check passwords after too many failures. Of all processes of a database.
package struct LoginThrottle: Sendable {
    private let pool: ConnectionPool
    private let key: SymmetricKey
    /// Nil for the database's, which all processes share.
    private let clock: (@Sendable () -> Timestamp)?

    /// - Parameters:
    ///   - secret: the same in all processes; hides whose attempts are stored.
    ///   - clock: for tests.
    package init(
        pool: ConnectionPool, secret: String, clock: (@Sendable () -> Timestamp)? = nil
    ) {
        self.pool = pool
        key = SymmetricKey(data: SHA256.hash(data: Data("login attempts \(secret)".utf8)))
        self.clock = clock
    }

    /// Runs a check of a password unless there were too many failures; nil from the check is one.
    ///
    /// A success clears what is counted for the account, not for the address: else whoever has one
    /// account could try all others. An error counts as no attempt.
    ///
    /// - Parameters:
    ///   - account: an e-mail, known or not, in any case; or what stands for one.
    ///   - address: an unknown one is not counted: it would be everybody's.
    /// - Throws: ``AccountRefusal/tooManyAttempts(retryAfterSeconds:)``.
    package func guarding<Value: Sendable>(
        account: String, from address: NetworkAddress,
        _ check: () async throws -> Value?
    ) async throws -> Value? {
        try await guarding(subjects(account: account, address: address), check)
    }

    /// The same for a login by another service, where no account is known before it succeeds: by
    /// the address alone, counted apart from passwords, so that neither closes the other.
    ///
    /// - Parameter address: an unknown one is not counted: it would be everybody's.
    /// - Throws: ``AccountRefusal/tooManyAttempts(retryAfterSeconds:)``.
    package func guarding<Value: Sendable>(
        socialFrom address: NetworkAddress, _ check: () async throws -> Value?
    ) async throws -> Value? {
        guard address != .unknown else { return try await check() }
        let key = digest("social address \(address.subscriber)".utf8)
        return try await guarding(Subjects(address: key, account: nil), check)
    }

    private func guarding<Value: Sendable>(
        _ subjects: Subjects, _ check: () async throws -> Value?
    ) async throws -> Value? {
        let stamps = try await admit(subjects)
        let value: Value?
        do {
            value = try await check()
        } catch {
            try await settle(subjects, stamps, .withdrawn)
            throw error
        }
        try await settle(subjects, stamps, value == nil ? .failed : .succeeded)
        return value
    }

    private enum Outcome: Sendable {
        case failed, succeeded, withdrawn
    }

    /// Whose attempts are counted, in the one order in which their rows are locked.
    private struct Subjects: Sendable {
        let address: [UInt8]?
        /// Nil where it is not known before.
        let account: [UInt8]?

        var keys: [[UInt8]] { [address, account].compactMap(\.self) }
    }

    private func subjects(account: String, address: NetworkAddress) -> Subjects {
        // As the database compares them; what is not ASCII is nobody's e-mail.
        let folded = account.utf8.map { asciiLowercased($0) }
        let place = address.subscriber
        return Subjects(
            address: address == .unknown ? nil : digest("address \(place)".utf8),
            account: digest(Array("account ".utf8) + folded))
    }

    private func digest(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Data(bytes), using: key).prefix(16))
    }

    /// The stamps of the attempt, in the subjects' order.
    private func admit(_ subjects: Subjects) async throws -> [Timestamp] {
        let time = clock?()
        return try await pool.transaction { connection in
            var stamps: [Timestamp] = []
            for key in subjects.keys {
                // Thrown out of the transaction, so a refused attempt leaves no trace, and from an
                // address that is refused no e-mail makes a row.
                var (attempts, now) = try LoginAttemptQueries.lock(key, at: time, in: connection)
                switch attempts.admit(now: now) {
                case .refused(let seconds):
                    throw AccountRefusal.tooManyAttempts(retryAfterSeconds: seconds)
                case .admitted(let stamp): stamps.append(stamp)
                }
                try LoginAttemptQueries.save(attempts, of: key, at: now, in: connection)
            }
            try LoginAttemptQueries.sweep(at: time, in: connection)
            return stamps
        }
    }

    private func settle(
        _ subjects: Subjects, _ stamps: [Timestamp], _ outcome: Outcome
    ) async throws {
        let time = clock?()
        try await pool.transaction { connection in
            for (key, stamp) in zip(subjects.keys, stamps) {
                if outcome == .succeeded, key == subjects.account {
                    try LoginAttemptQueries.clear(key, in: connection)
                    continue
                }
                var (attempts, now) = try LoginAttemptQueries.lock(key, at: time, in: connection)
                if outcome == .failed {
                    attempts.fail(stamp, now: now)
                } else {
                    attempts.withdraw(stamp)
                }
                try LoginAttemptQueries.save(attempts, of: key, at: now, in: connection)
            }
        }
    }
}
