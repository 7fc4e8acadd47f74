import Clicks
import Foundation

// Which account a provider's person is. Pure.
//
// A provider's verified e-mail proves who owns an address. Our own sign-up proves nothing: anybody
// can have typed it, with a password of their own, and be waiting for the owner to come. So an
// account whose address was only typed is given to the proven owner without what let the other one
// in, and only where nothing but that was in it to lose or to trap: see `decision`.

/// What is decided of social sign-ins without the database.
package enum SocialRules {
    /// An account that is about to be made.
    package struct Newcomer: Sendable, Equatable {
        /// Proven by the provider; nil otherwise.
        package let email: String?
        package let nickname: String
        package let imageURL: String?
    }

    /// The account that has the provider's verified e-mail.
    package struct Owner: Sendable, Equatable {
        package let id: Identifier
        package let role: Role
        package let status: UserStatus
        /// Its e-mail was proven here, by this or another provider.
        package let isProven: Bool
        /// It has an identity at this provider; not the one at hand, which would have been found.
        package let hasThisProvider: Bool
        /// It has an identity at any provider.
        package let hasAnyProvider: Bool
    }

    /// What becomes of the account with the same e-mail.
    package enum Decision: Sendable, Equatable {
        case link
        /// Without its password, and with all its sessions ended.
        case linkAndReset
        case refuse
    }

    /// - A proven address is one person's: link. Except where the account is another person's at
    ///   the same provider: addresses are handed on (a company's, a lapsed one), identities not.
    /// - An address that was only typed, of a buyer who has nothing but a password: link and reset.
    /// - Any other account with a typed address: refuse. An influencer's may have been prepared
    ///   with a payee of the preparer's, and finance and admins are made by an operator who knows
    ///   them; whoever has the password goes on with it.
    package static func decision(_ owner: Owner) -> Decision {
        if owner.hasThisProvider { return .refuse }
        if owner.isProven { return .link }
        return owner.role == .buyer && !owner.hasAnyProvider ? .linkAndReset : .refuse
    }

    /// - Parameters:
    ///   - givenName: what the client says the provider told it; used where that tells us none.
    ///   - random: for the nickname of somebody without a name.
    package static func newcomer(
        _ profile: SocialProfile, givenName: String?, random: UInt64
    ) -> Newcomer {
        let nickname = nickname(profile.name) ?? nickname(givenName)
        return Newcomer(
            email: profile.verifiedEmail.flatMap(email),
            nickname: nickname ?? "회원" + String(random % 1_000_000),
            imageURL: profile.imageURL.flatMap(image))
    }

    /// An address as our own sign-up would take it; nil for any other.
    static func email(_ text: String) -> String? {
        text.utf8.count <= 254 && EmailText.accepts(text) ? text : nil
    }

    /// One line of 1 to 50 scalars in composed form; nil where nothing is left.
    private static func nickname(_ text: String?) -> String? {
        guard let text else { return nil }
        let line = text.precomposedStringWithCanonicalMapping.unicodeScalars
            .filter { $0.properties.generalCategory != .control }
        let cut = String(String.UnicodeScalarView(line.prefix(50)))
            .trimmingCharacters(in: .whitespacesAndNewlines)
        return cut.isEmpty ? nil : cut
    }

    /// A public https address that the column holds; Kakao tells http ones, which pages of ours
    /// could not show.
    private static func image(_ text: String) -> String? {
        // try?: a picture that is not fit is left out.
        guard let url = try? ExternalURL(text), url.text.hasPrefix("https://"),
            url.text.utf8.count <= 500
        else { return nil }
        return url.text
    }
}
