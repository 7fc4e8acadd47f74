import Clicks
import Hummingbird
import Postgres

/// The routes under /tracking/appeals.
package struct AppealRoutes: Sendable {
    let pool: ConnectionPool

    private static let id = Parameter.path("appeal_id", Schema.identifier)
    private static let status = Parameter<AppealStatus?>.optional(
        "status", Schema.oneOf(AppealStatus.self))
    private static let gonggu = Parameter<Identifier?>.optional("gonggu_id", Schema.identifier)
    private static let pages = Pages(AppealSort.self, default: .createdAt, .descending)

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/tracking/appeals", id: "listAppeals", tag: .tracking,
            Wording(
                "이의 신청 목록. 인플루언서는 본인 것만. total은 10,000까지 셉니다",
                "Appeals; an influencer's own; total counts up to 10,000"),
            access: .role(.influencer, .finance),
            inputs: [Self.status, Self.gonggu, Self.pages],
            answer: .ok(.page(of: ClickAppeal.schema)), handler: { try await list($0) })
        table.add(
            .post, "/api/v1/tracking/appeals", id: "createAppeal", tag: .tracking,
            Wording("지급되지 않은 클릭에 대한 이의 신청", "Questions clicks that are not paid"),
            access: .role(.influencer), body: AppealBody.schema,
            answer: .created(
                ClickAppeal.schema, location: { "/api/v1/tracking/appeals/\($0.id)" }),
            errors: [.gongguNotFound, .notOwner, .nothingToAppeal, .tooManyAppeals],
            handler: { try await create($0, $1) })
        table.add(
            .get, "/api/v1/tracking/appeals/{appeal_id}", id: "getAppeal", tag: .tracking,
            Wording("이의 신청 하나", "One appeal"), access: .role(.influencer, .finance),
            inputs: [Self.id], answer: .ok(ClickAppeal.schema), errors: [.appealNotFound],
            handler: { try await get($0) })
        table.add(
            .post, "/api/v1/tracking/appeals/{appeal_id}/answer", id: "answerAppeal",
            tag: .tracking,
            Wording(
                "이의 신청에 답한다. 받아들이면 다음 판정부터 적용된다",
                "Answers an appeal; an accepted one counts from the next adjudication of its days"),
            access: .role(.finance), inputs: [Self.id], body: AppealAnswerBody.schema,
            answer: .ok(ClickAppeal.schema),
            errors: [.appealNotFound, .appealAnswered, .adjudicationUnderWay],
            handler: { try await answer($0, $1) })
    }

    func list(_ call: Call) async throws -> Page<ClickAppeal> {
        let wish = call[Self.pages]
        let (status, gonggu) = (call[Self.status], call[Self.gonggu])
        let own = call.account.seesAllClicks ? nil : call.account.id
        let (items, total) = try await pool.transaction { connection in
            try AppealQueries.appeals(
                status: status, by: own, of: gonggu, wish, in: connection)
        }
        return wish.page(items, total: total)
    }

    /// 404 unknown gonggu, 403 somebody else's, 409 nothing to appeal or too many open, 422 a
    /// period that is empty, too long or not begun.
    func create(_ call: Call, _ body: AppealBody) async throws -> ClickAppeal {
        let caller = call.account
        return try await pool.transaction { connection in
            guard let subject = try StatsQueries.subject(body.gonggu, in: connection) else {
                throw StatsRefusal.gongguNotFound
            }
            guard subject.owner == caller.id || caller.role == .admin else {
                throw StatsRefusal.notOwner
            }
            try AppealRules.requirePeriod(body, now: subject.now)
            // Two at once may make one more than the bound, which bounds all the same.
            guard
                try AppealQueries.openCount(by: caller.id, in: connection) < AppealRules.openMax
            else { throw Problem(.tooManyAppeals) }
            guard try AppealQueries.hasClicks(body, in: connection) else {
                throw AdjudicationRefusal.nothingToAppeal
            }
            return try AppealQueries.insert(body, by: caller.id, in: connection)
        }
    }

    /// 404 unknown, or somebody else's.
    func get(_ call: Call) async throws -> ClickAppeal {
        let (caller, id) = (call.account, call[Self.id])
        let found = try await pool.run { try AppealQueries.appeal(id, in: $0) }
        guard let found, caller.seesAllClicks || found.createdBy == caller.id else {
            throw AdjudicationRefusal.appealNotFound
        }
        return found
    }

    /// 404 unknown, 409 answered already, or a run over its clicks is under way.
    func answer(_ call: Call, _ body: AppealAnswerBody) async throws -> ClickAppeal {
        let (caller, id) = (call.account, call[Self.id])
        return try await pool.transaction { connection in
            try LedgerQueries.lockAll(in: connection)
            guard let appeal = try AppealQueries.appeal(id, forUpdate: true, in: connection) else {
                throw AdjudicationRefusal.appealNotFound
            }
            guard appeal.status == .open else { throw AdjudicationRefusal.appealAnswered }
            guard
                try !RunQueries.isUnderWay(from: appeal.from, to: appeal.to, in: connection)
            else { throw AdjudicationRefusal.underWay }
            try AppealQueries.answer(appeal, body, by: caller.id, in: connection)
            guard let answered = try AppealQueries.appeal(id, in: connection) else {
                throw AdjudicationRefusal.appealNotFound
            }
            return answered
        }
    }
}

extension ProblemCode {
    static let tooManyAppeals = ProblemCode(
        "TOO_MANY_APPEALS", .conflict, "답변을 기다리는 이의 신청이 너무 많습니다",
        "Too many of your appeals wait for an answer")
}

extension Account {
    /// Finance and admins see everyone's clicks, and whole addresses.
    var seesAllClicks: Bool {
        switch role {
        case .finance, .admin: true
        case .buyer, .influencer: false
        }
    }
}

extension Tag {
    static let tracking = Tag("tracking", Wording("클릭 통계", "Clicks"))
}
