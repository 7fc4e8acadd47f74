import Clicks

// What shoppers say of a gonggu. How many say so, and how they rate it on the whole, is kept by the
// database itself, see the migration.

/// One person's review of one gonggu.
package struct Review: Equatable, Sendable {
    package let id: Identifier
    package let gongguID: Identifier
    package let userID: Identifier
    package let userNickname: String
    /// 1…5.
    package let rating: Int
    package let content: String
    /// URLs of uploaded images.
    package let images: [String]
    package let createdAt: Timestamp
    package let updatedAt: Timestamp

    static let schema = Schema<Review>(
        "Review",
        [
            Field("id", .identifier, \.id),
            Field("gonggu_id", .identifier, \.gongguID),
            Field("user_id", .identifier, \.userID),
            Field("user_nickname", .text(0...50), \.userNickname, example: "하나"),
            Field("rating", .integer(ReviewRules.ratings), \.rating, example: 5),
            Field("content", .prose(0...ReviewRules.contentLengthMax), \.content),
            Field("images", UploadedImage.schema.list(0...ReviewRules.imagesMax), \.images),
            Field("created_at", .time, \.createdAt),
            Field("updated_at", .time, \.updatedAt),
        ])
}

/// The reviews of a gonggu in two numbers.
package struct ReviewSummary: Equatable, Sendable {
    package let count: Int
    /// To two digits; nil where nobody has said anything.
    package let ratingAverage: Double?

    static let averageSchema = Schema.number(1...5, example: 4.52).orNull
    static let averageAbout = Wording("별점 평균. 후기가 없으면 null", "The mean rating, null without any")
}

/// One page of a gonggu's reviews, with their average.
struct ReviewPage: Sendable {
    let page: Page<Review>
    let ratingAverage: Double?

    static let schema = Schema<ReviewPage>(
        "ReviewPage",
        [
            Field("items", Review.schema.list(0...100), \.page.items),
            Field("total", .count, \.page.total, example: 1),
            Field("page", .integer(1...PageRequest<ReviewSort>.pageMax), \.page.page),
            Field("size", .integer(1...100), \.page.size, example: 20),
            Field("pages", .count, \.page.pages, example: 1),
            Field(
                "rating_average", ReviewSummary.averageSchema, \.ratingAverage,
                about: ReviewSummary.averageAbout),
        ])
}

/// What a gonggu's reviews can be sorted by.
package enum ReviewSort: String, CaseIterable, Sendable {
    case createdAt = "created_at"
    case rating
}

/// The body that makes a review or replaces it.
struct ReviewDraft: Sendable {
    let rating: Int
    let content: String
    let images: [String]

    static let schema = Schema<ReviewDraft>(
        "ReviewDraft",
        [
            Field("rating", .integer(ReviewRules.ratings), example: 5),
            Field("content", .prose(1...ReviewRules.contentLengthMax), example: "배송도 빠르고 좋아요"),
            .optional(
                "images", UploadedImage.schema.list(0...ReviewRules.imagesMax),
                about: Wording(
                    "이미지 업로드가 답한 주소, 최대 \(ReviewRules.imagesMax)개",
                    "What the image upload has answered, at most \(ReviewRules.imagesMax)")),
        ]
    ) { members in
        let images: [String]? = members["images"]
        return ReviewDraft(
            rating: members["rating"], content: members["content"], images: images ?? [])
    }
}
