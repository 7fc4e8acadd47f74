import Clicks

// What may stand on an influencer's page, and when a verification may be asked for and decided.

/// Why an influencer's request is refused.
package enum InfluencerRefusal: Error, Equatable, Sendable {
    /// No such influencer, or the caller is none.
    case notFound
    case fieldsInvalid([InfluencerFault])
}

/// A faulty field of a page, beyond its shape.
package enum InfluencerFault: Error, Equatable, Sendable {
    case link(field: String, ExternalURL.Fault)
    /// A page elsewhere than at the platform that the field is for.
    case hostForeign(field: String, domain: String)
    case messageBlank
}

/// A page that may be written.
package struct InfluencerContent: Equatable, Sendable {
    package let bio: String
    package let bannerImage: String?
    package let instagramURL: String?
    package let tiktokURL: String?
}

/// What is decided of influencers without the database.
package enum InfluencerRules {
    /// The columns' bound.
    package static let linkBytesMax = 500

    /// Checks a page; all faults at once.
    package static func accept(
        _ draft: InfluencerDraft
    ) throws(InfluencerRefusal) -> InfluencerContent {
        var faults: [InfluencerFault] = []
        let content = InfluencerContent(
            bio: draft.bio,
            bannerImage: draft.bannerImage.flatMap { link($0, "banner_image", &faults)?.text },
            instagramURL: draft.instagramURL.flatMap {
                page($0, at: "instagram.com", "instagram_url", &faults)
            },
            tiktokURL: draft.tiktokURL.flatMap { page($0, at: "tiktok.com", "tiktok_url", &faults) }
        )
        guard faults.isEmpty else { throw .fieldsInvalid(faults) }
        return content
    }

    /// A link of a person's to somewhere on the public web.
    static func link(
        _ text: String, _ field: String, _ faults: inout [InfluencerFault]
    ) -> ExternalURL? {
        do throws(ExternalURL.Fault) {
            let url = try ExternalURL(text)
            guard url.text.utf8.count <= linkBytesMax else { throw .tooLong }
            return url
        } catch {
            faults.append(.link(field: field, error))
            return nil
        }
    }

    /// A page of one platform: https, on its domain or below, at the usual port.
    private static func page(
        _ text: String, at domain: String, _ field: String, _ faults: inout [InfluencerFault]
    ) -> String? {
        guard let url = link(text, field, &faults) else { return nil }
        let isThere = url.host == domain || url.host.hasSuffix("." + domain)
        // A port, or http, would follow the scheme and host differently.
        guard isThere, url.text.hasPrefix("https://\(url.host)/") else {
            faults.append(.hostForeign(field: field, domain: domain))
            return nil
        }
        return url.text
    }
}

/// Why a verification is not taken or decided.
package enum VerificationRefusal: Error, Equatable, Sendable {
    case notFound
    /// The caller has no influencer's profile.
    case notInfluencer
    case alreadyVerified
    /// There is an open one already.
    case alreadyAsked
    /// As many in the last days as are looked at.
    case tooOften
    /// Somebody decided it before.
    case alreadyDecided
    case fieldsInvalid([InfluencerFault])
}

/// A request that may be written.
package struct VerificationRequest: Equatable, Sendable {
    package let message: String
    package let links: [String]
}

/// What is decided of verifications without the database.
package enum VerificationRules {
    /// The column's bound.
    package static let linksMax = 5
    /// Requests of one person in ``windowDays``; each costs an admin a look.
    package static let requestsMax = 5
    package static let windowDays = 30

    /// Checks a request; all faults at once.
    package static func accept(
        _ draft: VerificationDraft
    ) throws(VerificationRefusal) -> VerificationRequest {
        var faults: [InfluencerFault] = []
        if draft.message.allSatisfy(\.isWhitespace) { faults.append(.messageBlank) }
        let links = draft.links.indices.compactMap { index in
            InfluencerRules.link(draft.links[index], "links[\(index)]", &faults)?.text
        }
        guard faults.isEmpty else { throw .fieldsInvalid(faults) }
        return VerificationRequest(message: draft.message, links: links)
    }

    /// Whether an influencer may ask now.
    package static func mayAsk(
        isVerified: Bool, hasOpen: Bool, recent: Int
    ) throws(VerificationRefusal) {
        if isVerified { throw .alreadyVerified }
        if hasOpen { throw .alreadyAsked }
        if recent >= requestsMax { throw .tooOften }
    }
}
