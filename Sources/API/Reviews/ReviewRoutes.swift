import Clicks
import Hummingbird
import Postgres

/// The routes of reviews.
package struct ReviewRoutes: Sendable {
    let pool: ConnectionPool
    /// Where uploads are served.
    let mediaURLs: [String]

    private static let gonggu = Parameter.path("id", Schema.identifier)
    private static let id = Parameter.path("id", Schema.identifier)
    private static let pages = Pages(ReviewSort.self, default: .createdAt)

    /// - Parameter mediaURLs: where uploads are served; a review shows images from there alone.
    package init(pool: ConnectionPool, mediaURLs: [String]) {
        self.pool = pool
        self.mediaURLs = mediaURLs
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let tag = Tag("reviews", Wording("후기", "Reviews"))
        table.add(
            .get, "/api/v1/gonggus/{id}/reviews", id: "listReviews", tag: tag,
            Wording("공구의 후기와 별점 평균", "A gonggu's reviews and their average"),
            access: .everyone, inputs: [Self.gonggu, Self.pages], answer: .ok(ReviewPage.schema),
            errors: [.gongguNotFound], handler: { try await list($0) })
        table.add(
            .post, "/api/v1/gonggus/{id}/reviews", id: "createReview", tag: tag,
            Wording("후기 작성. 공구마다 한 번", "Review a gonggu, once"), access: .role(.buyer),
            inputs: [Self.gonggu], body: ReviewDraft.schema, answer: .created(Review.schema),
            errors: [.gongguNotFound, .ownGonggu, .reviewExists],
            handler: { try await create($0, $1) })
        table.add(
            .put, "/api/v1/reviews/{id}", id: "replaceReview", tag: tag,
            Wording("후기 수정. 작성자와 관리자", "Replace a review, as its author or an admin"),
            access: .role(.buyer), inputs: [Self.id], body: ReviewDraft.schema,
            answer: .ok(Review.schema), errors: [.reviewNotFound, .notAuthor],
            handler: { try await replace($0, $1) })
        table.add(
            .delete, "/api/v1/reviews/{id}", id: "deleteReview", tag: tag,
            Wording("후기 삭제. 작성자와 관리자", "Delete a review, as its author or an admin"),
            access: .role(.buyer), inputs: [Self.id], answer: .noContent,
            errors: [.reviewNotFound, .notAuthor], handler: { try await delete($0) })
    }

    /// The total is the one that the average is of; it counts what is committed at that moment.
    func list(_ call: Call) async throws -> ReviewPage {
        let (gonggu, wish) = (call[Self.gonggu], call[Self.pages])
        return try await pool.run { connection in
            guard let summary = try ReviewQueries.summary(of: gonggu, in: connection) else {
                throw ReviewRefusal.gongguNotFound
            }
            let items = try ReviewQueries.page(of: gonggu, wish, in: connection)
            return ReviewPage(
                page: wish.page(items, total: summary.count), ratingAverage: summary.ratingAverage)
        }
    }

    /// 404 unknown gonggu, 403 one's own, 409 a second one.
    func create(_ call: Call, _ draft: ReviewDraft) async throws -> Review {
        let (author, gonggu) = (call.account.id, call[Self.gonggu])
        let content = try ReviewRules.accept(draft, mediaURLs: mediaURLs)
        return try await pool.run {
            try ReviewQueries.insert(content, of: gonggu, by: author, in: $0)
        }
    }

    func replace(_ call: Call, _ draft: ReviewDraft) async throws -> Review {
        let (caller, id) = (call.account, call[Self.id])
        let content = try ReviewRules.accept(draft, mediaURLs: mediaURLs)
        let changed = try await pool.transaction { connection in
            try Self.lock(id, for: caller, in: connection)
            return try ReviewQueries.update(id, content, in: connection)
        }
        guard let changed else { throw ReviewRefusal.notFound }
        return changed
    }

    func delete(_ call: Call) async throws {
        let (caller, id) = (call.account, call[Self.id])
        try await pool.transaction { connection in
            try Self.lock(id, for: caller, in: connection)
            try ReviewQueries.delete(id, in: connection)
        }
    }

    /// Holds the row of a review that the caller may change.
    private static func lock(
        _ id: Identifier, for caller: Account, in connection: Connection
    ) throws {
        guard let author = try ReviewQueries.lockAuthor(of: id, in: connection) else {
            throw ReviewRefusal.notFound
        }
        try ReviewRules.requireAuthor(author, caller)
    }
}

// MARK: Refusals

extension ProblemCode {
    static let reviewNotFound = ProblemCode(
        "REVIEW_NOT_FOUND", .notFound, "후기를 찾을 수 없습니다", "There is no such review")
    static let ownGonggu = ProblemCode(
        "OWN_GONGGU", .forbidden, "본인의 공구에는 후기를 쓸 수 없습니다",
        "One cannot review one's own gonggu")
    static let reviewExists = ProblemCode(
        "REVIEW_EXISTS", .conflict, "이미 후기를 작성한 공구입니다", "You have reviewed this gonggu already")
    static let notAuthor = ProblemCode(
        "NOT_AUTHOR", .forbidden, "본인의 후기가 아닙니다", "This review belongs to someone else")
}

extension ReviewRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .gongguNotFound: Problem(.gongguNotFound)
        case .notFound: Problem(.reviewNotFound)
        case .ownGonggu: Problem(.ownGonggu)
        case .exists: Problem(.reviewExists)
        case .notAuthor: Problem(.notAuthor)
        case .fieldsInvalid(let faults):
            Problem(.fieldsInvalid, faults: faults.map(\.fault))
        }
    }
}

extension ReviewFault {
    fileprivate var fault: Fault {
        switch self {
        case .contentBlank:
            Fault("content", "EMPTY", "비워 둘 수 없습니다", "This must not be empty")
        case .imageNotOurs(let place):
            Fault(
                "images[\(place)]", "NOT_UPLOADED", "이미지 업로드가 답한 주소가 아닙니다",
                "Use a URL that the image upload has answered")
        case .imageRepeated:
            Fault("images", "REPEATED", "같은 이미지를 두 번 지정할 수 없습니다", "Name an image only once")
        }
    }
}
