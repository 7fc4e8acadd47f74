import Clicks

// Whom somebody follows. How many follow an influencer stands in the influencer's profile and is
// kept there by the database itself, see the migration.

/// One influencer that the caller follows.
package struct Subscription: Equatable, Sendable {
    package let influencerID: Identifier
    package let influencerNickname: String
    package let influencerImage: String?
    /// Whether new gonggus of theirs are told.
    package let notifies: Bool
    package let createdAt: Timestamp

    static let schema = Schema<Subscription>(
        "Subscription",
        [
            Field("influencer_id", .identifier, \.influencerID),
            Field(
                "influencer_nickname", .text(0...50), \.influencerNickname, example: "하나"),
            Field("influencer_profile_image", Schema.link(8...500).orNull, \.influencerImage),
            Field(
                "notify_enabled", .boolean, \.notifies,
                about: Wording("새 공구 알림을 받는지", "Whether new gonggus are told")),
            Field("created_at", .time, \.createdAt),
        ])
}

/// What a subscriber may change.
struct SubscriptionChange: Sendable {
    let notifies: Bool

    static let schema = Schema<SubscriptionChange>(
        "SubscriptionChange",
        [
            Field(
                "notify_enabled", .boolean,
                about: Wording("새 공구 알림을 받을지", "Whether to be told of new gonggus"))
        ]
    ) { SubscriptionChange(notifies: $0["notify_enabled"]) }
}

/// What a list of subscriptions, and a feed, can be sorted by.
package enum SubscriptionSort: String, CaseIterable, Sendable {
    case createdAt = "created_at"
}

/// Why a subscription is refused.
package enum SubscriptionRefusal: Error, Equatable, Sendable {
    /// Nobody of that id, no influencer, or one whose account is suspended.
    case influencerNotFound
    case oneself
    case notSubscribed
    /// The caller follows ``SubscriptionRules/subscriptionsMax`` influencers.
    case tooMany
    /// The caller subscribes and unsubscribes in a race with themselves.
    case contended
}

/// What is decided of subscriptions without the database.
package enum SubscriptionRules {
    /// Influencers that one may follow; it bounds what a feed looks through. Two calls at the same
    /// moment may make one more, which bounds all the same.
    package static let subscriptionsMax = 2000

    package static func requireOther(
        _ influencer: Identifier, than caller: Identifier
    ) throws(SubscriptionRefusal) {
        guard influencer != caller else { throw .oneself }
    }
}
