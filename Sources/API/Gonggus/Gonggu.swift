import Clicks

// Group buys as the API takes and shows them. Prices are whole won.

/// Where a gonggu stands. It follows the clock and is never stored, so no job can be late with it.
package enum GongguStatus: String, CaseIterable, Sendable {
    case scheduled
    case active
    case closed
}

/// What a list of gonggus can be sorted by.
package enum GongguSort: String, CaseIterable, Sendable {
    case createdAt = "created_at"
    case openAt = "open_at"
    case closeAt = "close_at"
    case price = "gonggu_price"
    case discountRate = "discount_rate"
    case clickCount = "click_count"
}

/// A category as a gonggu names it.
package struct CategoryLabel: Equatable, Sendable {
    package let id: Identifier
    package let name: String

    static let schema = Schema<CategoryLabel>(
        "CategoryLabel",
        [Field("id", .identifier, \.id), Field("name", .text(1...50), \.name, example: "육아/키즈")])
}

/// A gonggu as it is stored, with what is computed from it.
package struct Gonggu: Equatable, Sendable {
    package let id: Identifier
    package let influencerID: Identifier
    package let influencerNickname: String
    /// What its link ends with; drawn by the database, never changed.
    package let shortCode: String
    package let title: String
    package let description: String
    package let originalPrice: Int
    package let gongguPrice: Int
    /// Per cent off the original price, to two digits.
    package let discountRate: Double
    package let status: GongguStatus
    package let openAt: Timestamp
    package let closeAt: Timestamp
    package let externalURL: String
    package let thumbnail: String?
    /// Valid clicks so far.
    package let clickCount: Int
    package let reviews: ReviewSummary
    /// Taken out of lists by an admin; its link leads to its page.
    package let isSuspended: Bool
    package let categories: [CategoryLabel]
    package let createdAt: Timestamp
    package let updatedAt: Timestamp
}

/// A gonggu with the link that is to be shared.
package struct GongguCard: Equatable, Sendable {
    package let gonggu: Gonggu
    /// `https://edge/go/<short code>`.
    package let trackingURL: String

    static let schema = Schema<GongguCard>(
        "Gonggu",
        [
            Field("id", .identifier, \.gonggu.id),
            Field("influencer_id", .identifier, \.gonggu.influencerID),
            Field(
                "influencer_nickname", .text(0...50), \.gonggu.influencerNickname, example: "하나"),
            Field("title", .text(1...200), \.gonggu.title, example: "로봇청소기 공구"),
            Field("description", .prose(0...10_000), \.gonggu.description),
            Field("original_price", .won(), \.gonggu.originalPrice, example: 299_000),
            Field("gonggu_price", .won(), \.gonggu.gongguPrice, example: 199_000),
            Field(
                "discount_rate", .number(0...100, example: 33.44), \.gonggu.discountRate,
                about: Wording("할인율(%)", "Per cent off the original price")),
            Field("status", .oneOf(GongguStatus.self), \.gonggu.status),
            Field("open_at", .time, \.gonggu.openAt),
            Field("close_at", .time, \.gonggu.closeAt, example: "2026-11-28T18:00:00+09:00"),
            Field("external_url", .link(8...ExternalURL.bytesMax), \.gonggu.externalURL),
            Field("thumbnail", Schema.link(8...500).orNull, \.gonggu.thumbnail),
            Field("short_code", .text(1...16), \.gonggu.shortCode, example: "k7m2x9pa"),
            Field(
                "tracking_url", .link(), \.trackingURL,
                about: Wording("공유할 링크. 클릭이 여기서 기록됩니다", "The link to share; it counts clicks"),
                example: "https://go.example.com/go/k7m2x9pa"),
            Field(
                "click_count", .count, \.gonggu.clickCount,
                about: Wording("유효 클릭 수", "Valid clicks")),
            Field("review_count", .count, \.gonggu.reviews.count),
            Field(
                "rating_average", ReviewSummary.averageSchema, \.gonggu.reviews.ratingAverage,
                about: ReviewSummary.averageAbout),
            Field("is_suspended", .boolean, \.gonggu.isSuspended, example: false),
            Field("categories", CategoryLabel.schema.list(0...2), \.gonggu.categories),
            Field("created_at", .time, \.gonggu.createdAt),
            Field("updated_at", .time, \.gonggu.updatedAt),
        ])
}

/// The body that makes a gonggu or replaces its content.
package struct GongguDraft: Sendable {
    package let title: String
    package let description: String
    package let originalPrice: Int
    package let gongguPrice: Int
    package let openAt: Timestamp
    package let closeAt: Timestamp
    package let externalURL: String
    package let thumbnail: String?
    package let categoryIDs: [Identifier]

    package init(
        title: String, description: String, originalPrice: Int, gongguPrice: Int,
        openAt: Timestamp, closeAt: Timestamp, externalURL: String, thumbnail: String?,
        categoryIDs: [Identifier]
    ) {
        self.title = title
        self.description = description
        self.originalPrice = originalPrice
        self.gongguPrice = gongguPrice
        self.openAt = openAt
        self.closeAt = closeAt
        self.externalURL = externalURL
        self.thumbnail = thumbnail
        self.categoryIDs = categoryIDs
    }

    static let schema = Schema<GongguDraft>(
        "GongguDraft",
        [
            Field("title", .text(1...200), example: "로봇청소기 공구"),
            .optional("description", .prose(0...10_000)),
            Field("original_price", .won(), example: 299_000),
            Field("gonggu_price", .won(), example: 199_000),
            Field("open_at", .time),
            Field("close_at", .time, example: "2026-11-28T18:00:00+09:00"),
            Field(
                "external_url", .text(1...ExternalURL.bytesMax),
                about: Wording(
                    "구매 페이지. http(s), 공개된 호스트, 로그인 정보 없음",
                    "The shop's page: http(s), a public host, no credentials"),
                example: "https://shop.example.com/items/1"),
            .optional("thumbnail", .text(1...500), example: "https://cdn.example.com/1.webp"),
            .optional(
                "category_ids", Schema.identifier.list(0...GongguRules.categoriesMax),
                about: Wording("최대 2개", "At most 2")),
        ]
    ) { members in
        let description: String? = members["description"]
        let categories: [Identifier]? = members["category_ids"]
        return GongguDraft(
            title: members["title"], description: description ?? "",
            originalPrice: members["original_price"], gongguPrice: members["gonggu_price"],
            openAt: members["open_at"], closeAt: members["close_at"],
            externalURL: members["external_url"], thumbnail: members["thumbnail"],
            categoryIDs: categories ?? [])
    }
}
