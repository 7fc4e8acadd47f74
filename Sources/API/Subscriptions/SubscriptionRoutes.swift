import Clicks
import Hummingbird
import Postgres

/// The routes under /subscriptions. A caller sees and changes only their own.
package struct SubscriptionRoutes: Sendable {
    let pool: ConnectionPool
    /// How a gonggu is shown.
    let card: @Sendable (Gonggu) -> GongguCard

    private static let influencer = Parameter.path("influencer_id", Schema.identifier)
    private static let pages = Pages(SubscriptionSort.self, default: .createdAt)

    package init(pool: ConnectionPool, card: @escaping @Sendable (Gonggu) -> GongguCard) {
        self.pool = pool
        self.card = card
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let tag = Tag("subscriptions", Wording("구독", "Following influencers"))
        let path = "/api/v1/subscriptions/{influencer_id}"
        table.add(
            .post, path, id: "subscribe", tag: tag,
            Wording("구독. 이미 구독 중이면 200", "Subscribe; 200 where one has before"),
            access: .signedIn, inputs: [Self.influencer],
            answer: .raw(
                .json(Subscription.schema, status: .created), .json(Subscription.schema)),
            errors: [.influencerNotFound, .subscribesOneself, .tooManySubscriptions],
            handler: { try await subscribe($0) })
        table.add(
            .delete, path, id: "unsubscribe", tag: tag,
            Wording("구독 해제. 구독 중이 아니어도 204", "Unsubscribe; 204 also where one has not"),
            access: .signedIn, inputs: [Self.influencer], answer: .noContent,
            handler: { try await unsubscribe($0) })
        table.add(
            .patch, path, id: "changeSubscription", tag: tag,
            Wording("새 공구 알림 설정", "Whether to be told of new gonggus"), access: .signedIn,
            inputs: [Self.influencer], body: SubscriptionChange.schema,
            answer: .ok(Subscription.schema), errors: [.notSubscribed],
            handler: { try await change($0, $1) })
        table.add(
            .get, path, id: "getSubscription", tag: tag,
            Wording("이 인플루언서를 구독 중인지", "Whether one follows this influencer"),
            access: .signedIn, inputs: [Self.influencer], answer: .ok(Subscription.schema),
            errors: [.notSubscribed], handler: { try await show($0) })
        table.add(
            .get, "/api/v1/subscriptions", id: "listSubscriptions", tag: tag,
            Wording("내 구독 목록", "Whom one follows"), access: .signedIn, inputs: [Self.pages],
            answer: .ok(.page(of: Subscription.schema)), handler: { try await list($0) })
        table.add(
            .get, "/api/v1/subscriptions/feed", id: "subscriptionFeed", tag: tag,
            Wording("구독한 인플루언서의 공구, 새것부터", "Gonggus of whom one follows, newest first"),
            access: .signedIn, inputs: [Self.pages], answer: .ok(.page(of: GongguCard.schema)),
            handler: { try await feed($0) })
    }

    /// 201, or 200 where the caller follows them already, with the notification as it was set.
    func subscribe(_ call: Call) async throws -> Response {
        let (caller, influencer) = (call.account.id, call[Self.influencer])
        try SubscriptionRules.requireOther(influencer, than: caller)
        let (subscription, isNew) = try await pool.run {
            try SubscriptionQueries.insert(influencer, by: caller, in: $0)
        }
        return Response(
            status: isNew ? .created : .ok, json: Subscription.schema.write(subscription))
    }

    func unsubscribe(_ call: Call) async throws {
        let (caller, influencer) = (call.account.id, call[Self.influencer])
        try await pool.run { try SubscriptionQueries.delete(influencer, by: caller, in: $0) }
    }

    func change(_ call: Call, _ change: SubscriptionChange) async throws -> Subscription {
        let (caller, influencer) = (call.account.id, call[Self.influencer])
        let changed = try await pool.run {
            try SubscriptionQueries.update(influencer, by: caller, change, in: $0)
        }
        guard let changed else { throw SubscriptionRefusal.notSubscribed }
        return changed
    }

    func show(_ call: Call) async throws -> Subscription {
        let (caller, influencer) = (call.account.id, call[Self.influencer])
        let found = try await pool.run {
            try SubscriptionQueries.subscription(influencer, by: caller, in: $0)
        }
        guard let found else { throw SubscriptionRefusal.notSubscribed }
        return found
    }

    func list(_ call: Call) async throws -> Page<Subscription> {
        let (caller, wish) = (call.account.id, call[Self.pages])
        let (items, total) = try await pool.run {
            try SubscriptionQueries.page(of: caller, wish, in: $0)
        }
        return wish.page(items, total: total)
    }

    func feed(_ call: Call) async throws -> Page<GongguCard> {
        let (caller, wish) = (call.account.id, call[Self.pages])
        let (items, total) = try await pool.run {
            try SubscriptionQueries.feed(of: caller, wish, in: $0)
        }
        return wish.page(items.map(card), total: total)
    }
}

// MARK: Refusals

extension ProblemCode {
    static let influencerNotFound = ProblemCode(
        "INFLUENCER_NOT_FOUND", .notFound, "인플루언서를 찾을 수 없습니다", "There is no such influencer")
    static let subscribesOneself = ProblemCode(
        "SUBSCRIBES_ONESELF", .conflict, "본인은 구독할 수 없습니다", "One cannot subscribe to oneself")
    static let notSubscribed = ProblemCode(
        "NOT_SUBSCRIBED", .notFound, "구독 중인 인플루언서가 아닙니다",
        "You are not subscribed to this influencer")
    static let tooManySubscriptions = ProblemCode(
        "TOO_MANY_SUBSCRIPTIONS", .conflict,
        "구독은 \(SubscriptionRules.subscriptionsMax)명까지 할 수 있습니다",
        "One can follow at most \(SubscriptionRules.subscriptionsMax) influencers")
}

extension SubscriptionRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .influencerNotFound: Problem(.influencerNotFound)
        case .oneself: Problem(.subscribesOneself)
        case .notSubscribed: Problem(.notSubscribed)
        case .tooMany: Problem(.tooManySubscriptions)
        case .contended: Problem(.unavailable, headers: [.retryAfter: "1"])
        }
    }
}
