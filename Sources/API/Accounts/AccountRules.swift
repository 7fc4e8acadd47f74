import Clicks

// What may be an account, and what becomes of a refresh token. Pure: who is asked, not where.

/// Why an account's request is refused.
package enum AccountRefusal: Error, Equatable, Sendable {
    case emailTaken
    /// Unknown e-mail or wrong password; nobody is told which.
    case credentialsWrong
    /// Nothing was checked.
    case tooManyAttempts(retryAfterSeconds: Int)
    case suspended
    /// Unknown, expired, or of an account that is gone.
    case refreshTokenInvalid
    /// Used before, so either the client or a thief holds a copy: the whole family is revoked.
    case refreshTokenReused
    /// All lanes that compute password hashes are taken.
    case hashersBusy
    case fieldsInvalid([AccountFault])
}

/// A faulty field of a sign-up, beyond its shape.
package enum AccountFault: Error, Equatable, Sendable {
    case nicknameBlank
    case password(Password.Fault)
}

/// A sign-up that may be written.
package struct NewUser: Sendable {
    package let email: String
    package let nickname: String
    package let role: Role
    package let password: Password
}

/// What is decided of accounts without the database.
package enum AccountRules {
    /// Checks a sign-up; all faults at once.
    ///
    /// The e-mail is kept as written, and is unique regardless of case. Its shape has it in ASCII,
    /// so that the database's lower() is no surprise.
    package static func accept(_ body: SignUp) throws(AccountRefusal) -> NewUser {
        var faults: [AccountFault] = []
        let nickname = body.nickname.trimmed
        if nickname.allSatisfy(\.isWhitespace) { faults.append(.nicknameBlank) }
        do throws(Password.Fault) {
            let password = try Password(body.password)
            if faults.isEmpty {
                return NewUser(
                    email: body.email, nickname: nickname, role: body.role.role, password: password)
            }
        } catch {
            faults.append(.password(error))
        }
        throw .fieldsInvalid(faults)
    }
}

/// What the database says of a refresh token that a client sent.
package enum Rotation: Sendable {
    /// The old token is used up, the new one stored.
    case rotated(user: Identifier, role: Role, now: Timestamp)
    case suspended
    case invalid
    /// The family has been revoked.
    case reused
}
