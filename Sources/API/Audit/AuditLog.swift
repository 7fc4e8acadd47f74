import Clicks
import Postgres

// Who decided what over whom. Any room writes here, in the transaction of the change itself, so
// that there is no change without its line and no line without its change.
//
// Invariant: `before` and `after` hold states, ids and numbers, never an e-mail, a nickname or
// other text about a person: the log is never changed, also not when that person's data is erased.

/// What was done: the kind of the object, a dot, and a verb in the past, `user.suspended`.
///
/// Each room adds its own as `static let` in an extension beside its routes.
package struct AuditAction: Hashable, Sendable {
    package let name: String

    /// - Parameter name: two words of `[a-z_]` with a dot between, at most 64 bytes.
    package init(_ name: StaticString) {
        let text = "\(name)"
        let words = text.split(separator: ".", omittingEmptySubsequences: false)
        precondition(
            words.count == 2 && text.utf8.count <= 64
                && words.allSatisfy { word in
                    !word.isEmpty && word.utf8.allSatisfy { $0 == 0x5F || 0x61...0x7A ~= $0 }
                }, "\(text) is not the form of an action, which the database checks as well")
        self.name = text
    }
}

/// The log of decisions.
package enum AuditLog {
    /// Characters of a reason; routes that take one bound it by this.
    package static let reasonLengthMax = 500

    /// Writes one line, to be called in the transaction of the change.
    ///
    /// - Parameters:
    ///   - object: what was changed; nil where it has no UUID.
    ///   - before: the members that changed, as they were; nil for what did not exist.
    ///   - after: the same members, as they are; nil for what exists no more.
    ///   - by: nil for an operator's command.
    package static func write(
        _ action: AuditAction, on object: Identifier?, before: JSON?, after: JSON?,
        reason: String = "", by: Identifier?, in connection: Connection
    ) throws(PostgresError) {
        for state in [before, after] {
            precondition(state == nil || state?.members != nil, "a state is an object")
        }
        try AuditQueries.insert(
            action, on: object, before: before, after: after, reason: reason, by: by,
            in: connection)
    }
}

/// One line of the log.
package struct AuditEntry: Sendable {
    /// Ascending, with gaps.
    package let sequence: Int
    package let at: Timestamp
    /// Nil for an operator's command.
    package let by: Identifier?
    /// Theirs today; nil for an operator's command.
    package let byNickname: String?
    package let action: String
    package let object: Identifier?
    package let before: JSON?
    package let after: JSON?
    package let reason: String

    static let schema = Schema<AuditEntry>(
        "AuditEntry",
        [
            Field("sequence", .count, \.sequence, about: Wording("순번", "Ascending, with gaps")),
            Field("at", .time, \.at),
            Field(
                "by", Schema<Identifier>.identifier.orNull, \.by,
                about: Wording("실행한 계정. 명령으로 한 일은 null", "Who; null for an operator's command")),
            Field(
                "by_nickname", Schema<String>.verbatim(example: "하나").orNull, \.byNickname),
            Field("action", .verbatim(example: "user.suspended"), \.action),
            Field("object_id", Schema<Identifier>.identifier.orNull, \.object),
            Field(
                "before", Schema.anything.orNull, \.before,
                about: Wording("바뀐 값의 이전 상태", "What changed, as it was")),
            Field(
                "after", Schema.anything.orNull, \.after,
                about: Wording("바뀐 값의 이후 상태", "What changed, as it is since")),
            Field("reason", .verbatim(example: "허위 공구 반복 등록"), \.reason),
        ])
}

/// What the log is sorted by.
package enum AuditSort: String, CaseIterable, Sendable {
    case at
}

/// Which lines a list holds; nil leaves a condition out.
package struct AuditFilter: Sendable {
    package var object: Identifier?
    package var by: Identifier?
    package var action: String?
    /// From this moment on.
    package var from: Timestamp?
    /// Before this moment.
    package var to: Timestamp?

    package init(
        object: Identifier? = nil, by: Identifier? = nil, action: String? = nil,
        from: Timestamp? = nil, to: Timestamp? = nil
    ) {
        self.object = object
        self.by = by
        self.action = action
        self.from = from
        self.to = to
    }
}
