import Clicks

// Influencers as the API shows them. An influencer's id is the account's.

/// What a list of influencers can be sorted by.
package enum InfluencerSort: String, CaseIterable, Sendable {
    case subscriberCount = "subscriber_count"
    case createdAt = "created_at"
}

/// An influencer in a list.
package struct Influencer: Equatable, Sendable {
    package let id: Identifier
    package let nickname: String
    package let profileImage: String?
    package let bio: String
    package let bannerImage: String?
    package let instagramURL: String?
    package let tiktokURL: String?
    package let subscriberCount: Int
    package let isVerified: Bool
    package let createdAt: Timestamp

    static let schema = Schema<Influencer>("Influencer", fields { $0 })

    /// The same in each answer that shows one.
    static func fields<Owner>(
        _ influencer: @escaping @Sendable (Owner) -> Influencer
    ) -> [Field<Owner>] {
        [
            Field("id", .identifier, { influencer($0).id }),
            Field("nickname", .text(0...50), { influencer($0).nickname }, example: "하나"),
            Field("profile_image", Schema.link(8...500).orNull, { influencer($0).profileImage }),
            Field("bio", .prose(0...2000), { influencer($0).bio }),
            Field("banner_image", Schema.link(8...500).orNull, { influencer($0).bannerImage }),
            Field(
                "instagram_url", Schema.link(8...500).orNull, { influencer($0).instagramURL },
                example: "https://www.instagram.com/hana"),
            Field(
                "tiktok_url", Schema.link(8...500).orNull, { influencer($0).tiktokURL },
                example: "https://www.tiktok.com/@hana"),
            Field("subscriber_count", .count, { influencer($0).subscriberCount }),
            Field("is_verified", .boolean, { influencer($0).isVerified }),
            Field("created_at", .time, { influencer($0).createdAt }),
        ]
    }
}

/// How many gonggus of an influencer stand where, by the clock; only those that are listed.
package struct GongguCounts: Equatable, Sendable {
    package let scheduled: Int
    package let active: Int
    package let closed: Int

    static let schema = Schema<GongguCounts>(
        "GongguCounts",
        [
            Field("scheduled", .count, \.scheduled), Field("active", .count, \.active),
            Field("closed", .count, \.closed),
        ])
}

/// An influencer's page.
package struct InfluencerProfile: Sendable {
    package let influencer: Influencer
    package let gonggus: GongguCounts

    static let schema = Schema<InfluencerProfile>(
        "InfluencerProfile",
        Influencer.fields { $0.influencer }
            + [Field("gonggu_counts", GongguCounts.schema, \.gonggus)])
}

/// An influencer's own page, with where the verification stands.
package struct OwnInfluencerProfile: Sendable {
    package let profile: InfluencerProfile
    /// The latest; nil before the first.
    package let verification: Verification?

    static let schema = Schema<OwnInfluencerProfile>(
        "OwnInfluencerProfile",
        Influencer.fields { $0.profile.influencer }
            + [
                Field("gonggu_counts", GongguCounts.schema, \.profile.gonggus),
                Field("verification", Verification.schema.orNull, \.verification),
            ])
}

/// The body that replaces an influencer's own page.
package struct InfluencerDraft: Sendable {
    package let bio: String
    package let bannerImage: String?
    package let instagramURL: String?
    package let tiktokURL: String?

    static let schema = Schema<InfluencerDraft>(
        "InfluencerDraft",
        [
            .optional("bio", .prose(0...2000)),
            .optional("banner_image", .text(1...500), example: "https://cdn.example.com/1.webp"),
            .optional(
                "instagram_url", .text(1...500),
                about: Wording(
                    "https, instagram.com과 그 하위 도메인", "https, instagram.com and its subdomains"),
                example: "https://www.instagram.com/hana"),
            .optional(
                "tiktok_url", .text(1...500),
                about: Wording(
                    "https, tiktok.com과 그 하위 도메인", "https, tiktok.com and its subdomains"),
                example: "https://www.tiktok.com/@hana"),
        ]
    ) {
        let bio: String? = $0["bio"]
        return InfluencerDraft(
            bio: bio ?? "", bannerImage: $0["banner_image"], instagramURL: $0["instagram_url"],
            tiktokURL: $0["tiktok_url"])
    }
}
