import CCrypt
import Foundation
import Synchronization

// Passwords are kept as bcrypt hashes made by libxcrypt. Bcrypt is meant to be slow, so it runs on
// a few lanes of its own with a bounded queue: a flood of sign-ins fills the queue and is told to
// come back, while every other route goes on.

/// A password fit for bcrypt, in Unicode's composed form, so that it matches however a keyboard
/// composes Korean or accents.
///
/// Invariant: 8 to 72 bytes of UTF-8 without NUL; bcrypt would drop what comes after either bound.
package struct Password: Sendable {
    package static let bytesMin = 8
    package static let bytesMax = 72

    let composed: String

    /// Why a text is not such a password.
    package enum Fault: Error, Equatable, Sendable {
        case tooShort, tooLong, characterForbidden
    }

    /// - Parameter text: as typed, in any of Unicode's forms.
    package init(_ text: String) throws(Fault) {
        // Composing a long text costs more than refusing it; no composed form is 8 times shorter.
        guard text.utf8.count <= 8 * Password.bytesMax else { throw .tooLong }
        let composed = text.precomposedStringWithCanonicalMapping
        guard composed.utf8.count >= Password.bytesMin else { throw .tooShort }
        guard composed.utf8.count <= Password.bytesMax else { throw .tooLong }
        guard !composed.utf8.contains(0) else { throw .characterForbidden }
        self.composed = composed
    }

    /// Stands for a text that is none, so that checking it costs the same.
    static let nobodys = Password(unchecked: "a password nobody has")

    private init(unchecked composed: String) {
        self.composed = composed
    }
}

/// Makes and checks bcrypt hashes on a fixed number of lanes. Thread-safe.
///
/// At the bound of the queue it refuses at once with ``Busy``. A check costs about 170 ms of one
/// core at cost 12, half of that for each step down.
package final class PasswordHasher: Sendable {
    /// The queue is full; nothing was computed.
    package struct Busy: Error {
        package init() {}
    }

    private let lanes: [BcryptLane]
    private let queued = Mutex([Int]())
    private let queueMax: Int
    private let cost: Int
    /// Checked where there is no account, so that an unknown e-mail costs what a wrong password
    /// does.
    private let decoy: String

    /// - Parameters:
    ///   - cost: 2^cost rounds, 4 to 14.
    ///   - lanes: hashes computed at once; each may take a core for as long as it runs.
    ///   - queueMax: hashes under way or waiting, over all lanes.
    package init(cost: Int, lanes: Int, queueMax: Int) {
        precondition((4...14).contains(cost), "the settings keep the cost between 4 and 14")
        precondition(lanes > 0 && queueMax >= lanes, "each lane may at least be busy")
        let made = (0..<lanes).map { BcryptLane(number: $0) }
        self.lanes = made
        self.queueMax = queueMax
        self.cost = cost
        decoy = made[0].queue.sync { made[0].hash("a password nobody has", cost: cost) }
        queued.withLock { $0 = Array(repeating: 0, count: lanes) }
    }

    /// A new hash, `$2b$…`, 60 bytes.
    ///
    /// - Parameter isForSignUp: for an account that is not there yet. Nothing limits who asks for
    ///   how many, so together they take no more than half of the queue, and who has an account
    ///   still signs in.
    package func hash(_ password: Password, isForSignUp: Bool = false) async throws -> String {
        let cost = cost
        return try await onALane(atMost: isForSignUp ? max(1, queueMax / 2) : queueMax) {
            $0.hash(password.composed, cost: cost)
        }
    }

    /// Whether the password made the hash. Nil stands for no account (or one without a password):
    /// the same work, and always false.
    package func matches(_ password: Password, hash: String?) async throws -> Bool {
        let decoy = decoy
        return try await onALane(atMost: queueMax) { lane in
            let isMatch = lane.matches(password.composed, hash: hash ?? decoy)
            return hash != nil && isMatch
        }
    }

    /// Whether a hash was made with the cost of today.
    package func isCurrent(_ hash: String) -> Bool {
        hash.hasPrefix("$2b$\(cost < 10 ? "0" : "")\(cost)$")
    }

    private func onALane<Value: Sendable>(
        atMost queueMax: Int, _ body: @escaping @Sendable (BcryptLane) -> Value
    ) async throws -> Value {
        let chosen = queued.withLock { counts -> Int? in
            guard counts.reduce(0, +) < queueMax else { return nil }
            let lane = counts.indices.min { counts[$0] < counts[$1] }!
            counts[lane] += 1
            return lane
        }
        guard let chosen else { throw Busy() }
        return await withCheckedContinuation { continuation in
            lanes[chosen].queue.async { [self] in
                let value = body(lanes[chosen])
                queued.withLock { $0[chosen] -= 1 }
                continuation.resume(returning: value)
            }
        }
    }
}

/// One bcrypt computation at a time, with its scratch memory (32 KiB, too much for a stack frame).
///
/// `@unchecked Sendable`: `scratch` is touched only from `queue`, which is serial.
private final class BcryptLane: @unchecked Sendable {
    let queue: DispatchQueue
    private let scratch: UnsafeMutablePointer<crypt_data>

    init(number: Int) {
        queue = DispatchQueue(label: "bcrypt-\(number)")
        scratch = .allocate(capacity: 1)
        scratch.initialize(to: crypt_data())
    }

    deinit {
        scratch.deinitialize(count: 1)
        scratch.deallocate()
    }

    func hash(_ password: String, cost: Int) -> String {
        var setting = [CChar](repeating: 0, count: Int(CRYPT_GENSALT_OUTPUT_SIZE))
        // No bytes given: libxcrypt takes them from the kernel.
        let made = crypt_gensalt_rn("$2b$", UInt(cost), nil, 0, &setting, Int32(setting.count))
        precondition(made != nil, "libxcrypt knows bcrypt and the kernel gives random bytes")
        guard let hash = crypt(password, setting: setting) else {
            preconditionFailure("libxcrypt accepts the setting it has just made")
        }
        return hash
    }

    /// False also for a hash that is none.
    func matches(_ password: String, hash: String) -> Bool {
        guard let computed = crypt(password, setting: Array(hash.utf8CString)) else { return false }
        let (left, right) = (Array(computed.utf8), Array(hash.utf8))
        guard left.count == right.count else { return false }
        // Every byte is looked at, so that the time tells nothing about where they differ.
        return zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// crypt_r(3): nil where the setting is unknown or malformed ("*0", "*1").
    private func crypt(_ password: String, setting: [CChar]) -> String? {
        guard let result = crypt_r(password, setting, scratch) else { return nil }
        let text = String(cString: result)
        return text.hasPrefix("*") ? nil : text
    }
}
