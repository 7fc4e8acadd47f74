import Clicks
import Postgres

// What people are told. An event is written into the inbox in the transaction that causes it, once
// per person; its words are made when it is read. Other ways to tell it (push, mail, messages) take
// their place beside the inbox, from the same event.

/// What kind of thing happened. Raw values are the column's; never renamed.
package enum InboxKind: String, CaseIterable, Sendable {
    case verificationApproved = "verification_approved"
    case verificationRejected = "verification_rejected"
    case gongguSuspended = "gonggu_suspended"
    case gongguRestored = "gonggu_restored"
    case settlementPaid = "settlement_paid"
}

/// Something that happened, for one person.
package struct InboxEvent: Equatable, Sendable {
    package let user: Identifier
    package let kind: InboxKind
    /// What makes it this event and no other of its kind: the same subject is told once.
    package let subject: Identifier
    /// What its words need; few and short.
    package let params: [String: String]

    package init(
        to user: Identifier, _ kind: InboxKind, about subject: Identifier,
        params: [String: String] = [:]
    ) {
        self.user = user
        self.kind = kind
        self.subject = subject
        self.params = params
    }

    /// The words, in both languages.
    package static func words(
        of kind: InboxKind, _ params: [String: String]
    ) -> (title: Wording, body: Wording) {
        let title = params["title"] ?? ""
        let reason = params["reason"] ?? ""
        switch kind {
        case .verificationApproved:
            return (
                Wording("인플루언서 심사를 통과했습니다", "You are a verified influencer"),
                Wording("이제 공구를 등록할 수 있습니다.", "You can make gonggus now.")
                    .followed(by: reason)
            )
        case .verificationRejected:
            return (
                Wording("인플루언서 심사가 반려되었습니다", "Your verification was not granted"),
                Wording(reason, reason)
            )
        case .gongguSuspended:
            return (
                Wording("공구가 중지되었습니다: \(title)", "A gonggu was suspended: \(title)"),
                Wording(reason, reason)
            )
        case .gongguRestored:
            return (
                Wording("공구 중지가 해제되었습니다: \(title)", "A gonggu is back: \(title)"),
                Wording(reason, reason)
            )
        case .settlementPaid:
            let (month, day, won) = (
                params["month"] ?? "", params["day"] ?? "", params["won"] ?? ""
            )
            return (
                Wording("\(month) 정산금이 지급되었습니다", "Your settlement of \(month) was paid"),
                Wording("\(day)에 \(won)원을 지급했습니다.", "\(won) won were paid on \(day).")
            )
        }
    }
}

extension Wording {
    fileprivate func followed(by text: String) -> Wording {
        text.isEmpty ? self : Wording(korean + "\n" + text, english + "\n" + text)
    }
}

/// A notification as it is stored.
package struct InboxItem: Sendable {
    package let id: Identifier
    package let kind: InboxKind
    package let subject: Identifier
    package let params: [String: String]
    package let createdAt: Timestamp
    package let readAt: Timestamp?
}

/// A notification as its receiver sees it.
package struct ShownInboxItem: Sendable {
    let item: InboxItem
    let language: Language

    var title: String { InboxEvent.words(of: item.kind, item.params).title[language] }
    var body: String { InboxEvent.words(of: item.kind, item.params).body[language] }

    static let schema = Schema<ShownInboxItem>(
        "Notification",
        [
            Field("id", .identifier, \.item.id),
            Field("kind", .oneOf(InboxKind.self), \.item.kind),
            Field(
                "subject_id", .identifier, \.item.subject,
                about: Wording("무엇에 대한 알림인지", "What it is about")),
            Field("title", .text(1...300), \.title, example: "인플루언서 심사를 통과했습니다"),
            Field("body", .prose(0...2000), \.body, example: "이제 공구를 등록할 수 있습니다."),
            Field("created_at", .time, \.item.createdAt),
            Field(
                "read_at", Schema.time.orNull, \.item.readAt,
                about: Wording("읽은 시각. 읽지 않았으면 null", "When it was read, or null"),
                example: .null),
        ])
}

/// What a list of notifications can be sorted by.
package enum InboxSort: String, CaseIterable, Sendable {
    case createdAt = "created_at"
}
