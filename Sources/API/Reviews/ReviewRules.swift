import Clicks

// Who may review what, and what a review may be.

/// Why a review's request is refused.
package enum ReviewRefusal: Error, Equatable, Sendable {
    /// Unknown, or deleted by its influencer.
    case gongguNotFound
    /// Unknown, deleted, or of a gonggu that is.
    case notFound
    case ownGonggu
    /// The caller has reviewed this gonggu.
    case exists
    /// The caller is neither its author nor an admin.
    case notAuthor
    case fieldsInvalid([ReviewFault])
}

/// A faulty field of a draft, beyond its shape.
package enum ReviewFault: Error, Equatable, Sendable {
    case contentBlank
    /// The image of that place does not lie where uploads do.
    case imageNotOurs(Int)
    case imageRepeated
}

/// A draft that may be written.
package struct ReviewContent: Equatable, Sendable {
    package let rating: Int
    package let content: String
    package let images: [String]
}

/// What is decided of reviews without the database.
package enum ReviewRules {
    package static let ratings = 1...5
    /// Characters, as the column counts them.
    package static let contentLengthMax = 2000
    package static let imagesMax = 10

    /// Checks a draft; all faults at once.
    ///
    /// - Parameter mediaURLs: where uploads are served.
    static func accept(
        _ draft: ReviewDraft, mediaURLs: [String]
    ) throws(ReviewRefusal) -> ReviewContent {
        var faults: [ReviewFault] = []
        let content = stripped(draft.content)
        if content.isEmpty { faults.append(.contentBlank) }
        for (place, image) in draft.images.enumerated()
        where !UploadedImage.isOurs(image, below: mediaURLs) {
            faults.append(.imageNotOurs(place))
        }
        if Set(draft.images).count < draft.images.count { faults.append(.imageRepeated) }
        guard faults.isEmpty else { throw .fieldsInvalid(faults) }
        return ReviewContent(rating: draft.rating, content: content, images: draft.images)
    }

    /// Without the blank lines and blanks that an editor leaves around a text.
    private static func stripped(_ text: String) -> String {
        let start = text.drop(while: \.isWhitespace)
        return String(start.reversed().drop(while: \.isWhitespace).reversed())
    }

    /// Whether the caller may change or delete what this author wrote.
    package static func requireAuthor(
        _ author: Identifier, _ caller: Account
    ) throws(ReviewRefusal) {
        guard caller.id == author || caller.role == .admin else { throw .notAuthor }
    }
}
