import Clicks
import Hummingbird
import Postgres

/// The routes of flags, rule sets and adjudications.
package struct AdjudicationRoutes: Sendable {
    let pool: ConnectionPool

    private static let flag = Parameter.path("flag_id", Schema.identifier)
    private static let run = Parameter.path("adjudication_id", Schema.identifier)
    private static let status = Parameter<FlagStatus?>.optional(
        "status", Schema.oneOf(FlagStatus.self))
    private static let gonggu = Parameter<Identifier?>.optional("gonggu_id", Schema.identifier)
    private static let pages = Pages(FlagSort.self, default: .lastClickedAt, .descending)

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        addFlags(to: &table)
        table.add(
            .get, "/api/v1/rule-sets", id: "listRuleSets", tag: .adjudication,
            Wording("규칙 집합 목록", "Rule sets, the newest first"), access: .role(.finance),
            answer: .ok(RuleSetList.schema), handler: { try await ruleSets($0) })
        table.add(
            .get, "/api/v1/adjudications", id: "listAdjudications", tag: .adjudication,
            Wording("최근 판정 작업", "The latest adjudications"), access: .role(.finance),
            answer: .ok(RunList.schema), handler: { try await runs($0) })
        table.add(
            .post, "/api/v1/adjudications", id: "createAdjudication", tag: .adjudication,
            Wording(
                "기간을 다시 판정한다. 끝나지 않은 같은 작업이 있으면 그것을 돌려준다",
                "Judges a period again; answers with the same run if it is under way"),
            access: .role(.admin), body: RunBody.schema, answer: .accepted(RunAnswer.schema),
            errors: [.ruleSetNotHere, .adjudicationUnderWay],
            handler: { try await create($0, $1) })
        table.add(
            .get, "/api/v1/adjudications/{adjudication_id}", id: "getAdjudication",
            tag: .adjudication, Wording("판정 작업과 그 변경 내역", "A run and what it has changed"),
            access: .role(.finance), inputs: [Self.run], answer: .ok(RunDetail.schema),
            errors: [.adjudicationNotFound], handler: { try await get($0) })
    }

    private func addFlags(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/flags", id: "listFlags", tag: .adjudication,
            Wording(
                "클릭 폭주 경고 목록. total은 10,000까지 셉니다",
                "Floods for a person to decide; total counts up to 10,000"),
            access: .role(.admin),
            inputs: [Self.status, Self.gonggu, Self.pages],
            answer: .ok(.page(of: ClickFlag.schema)), handler: { try await flags($0) })
        table.add(
            .get, "/api/v1/flags/{flag_id}", id: "getFlag", tag: .adjudication,
            Wording("경고와 그 결정의 반영 상태", "A flag, and how far its decision is applied"),
            access: .role(.admin), inputs: [Self.flag], answer: .ok(DecisionAnswer.schema),
            errors: [.flagNotFound], handler: { try await flag($0) })
        table.add(
            .post, "/api/v1/flags/{flag_id}/release", id: "releaseFlag", tag: .adjudication,
            Wording(
                "보류된 클릭을 시간순으로 다시 판정한다",
                "Has the held clicks judged as if they were no flood"),
            access: .role(.admin), inputs: [Self.flag], body: DecisionBody.schema,
            answer: .ok(DecisionAnswer.schema),
            errors: [.flagNotFound, .flagDecided, .adjudicationUnderWay, .ruleSetNotHere],
            handler: { try await decide($0, .release, $1) })
        table.add(
            .post, "/api/v1/flags/{flag_id}/confirm", id: "confirmFlag", tag: .adjudication,
            Wording("보류된 클릭을 무효로 한다", "Refuses the held clicks"),
            access: .role(.admin), inputs: [Self.flag], body: DecisionBody.schema,
            answer: .ok(DecisionAnswer.schema),
            errors: [.flagNotFound, .flagDecided, .adjudicationUnderWay, .ruleSetNotHere],
            handler: { try await decide($0, .refuse, $1) })
    }

    func flags(_ call: Call) async throws -> Page<ClickFlag> {
        let (wish, status, gonggu) = (call[Self.pages], call[Self.status], call[Self.gonggu])
        let (items, total) = try await pool.transaction { connection in
            try FlagQueries.flags(status: status, gonggu: gonggu, wish, in: connection)
        }
        return wish.page(items, total: total)
    }

    /// 404 unknown.
    func flag(_ call: Call) async throws -> DecisionAnswer {
        let id = call[Self.flag]
        return try await pool.run { connection in
            guard let flag = try FlagQueries.flag(id, in: connection) else {
                throw AdjudicationRefusal.flagNotFound
            }
            return DecisionAnswer(
                flag: flag, run: try DecisionQueries.newestRun(on: id, in: connection))
        }
    }

    /// 404 unknown; 409 decided so already, or a run or decision over its clicks is under way. A
    /// decision over many clicks is answered before it is applied to all of them.
    func decide(
        _ call: Call, _ outcome: ClickDecision.Outcome, _ body: DecisionBody
    ) async throws -> DecisionAnswer {
        let (caller, id) = (call.account, call[Self.flag])
        return try await pool.run { connection in
            let run = try FlagDecisions.decide(
                id, outcome, reason: body.reason, by: caller.id, in: connection)
            guard let flag = try FlagQueries.flag(id, in: connection) else {
                throw AdjudicationRefusal.flagNotFound
            }
            return DecisionAnswer(flag: flag, run: run)
        }
    }

    func ruleSets(_: Call) async throws -> RuleSetList {
        RuleSetList(items: try await pool.run { try RunQueries.ruleSets(in: $0) })
    }

    func runs(_: Call) async throws -> RunList {
        let runs = try await pool.run { connection in
            try RunQueries.runs(onlyUnfinished: false, limit: RunList.countMax, in: connection)
        }
        return RunList(items: runs.map { RunAnswer(run: $0) })
    }

    /// 409 while another run over a part of the period is not finished; 422 an unknown rule set, a
    /// period that is empty, too long or not begun.
    func create(_ call: Call, _ body: RunBody) async throws -> RunAnswer {
        let caller = call.account
        let period = try AdjudicationPeriod(from: body.from, to: body.to)
        return try await pool.run { connection in
            let rules = try RunQueries.ruleSet(named: body.ruleSet, in: connection)
            let id = try RunQueries.request(
                period, rules: rules, by: caller.id, in: connection)
            guard let run = try RunQueries.run(id, in: connection) else {
                throw AdjudicationRefusal.runNotFound
            }
            return RunAnswer(run: run)
        }
    }

    /// 404 unknown.
    func get(_ call: Call) async throws -> RunDetail {
        let id = call[Self.run]
        return try await pool.run { connection in
            guard let run = try RunQueries.run(id, in: connection) else {
                throw AdjudicationRefusal.runNotFound
            }
            return RunDetail(run: run, report: try RunQueries.report(of: run, in: connection))
        }
    }
}

extension Tag {
    static let adjudication = Tag("adjudication", Wording("판정", "Adjudication"))
}
