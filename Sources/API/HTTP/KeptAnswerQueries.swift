import Clicks
import Postgres

// SQL on kept_answers, each a row by its primary key but for the two that count and delete.

/// What became of an attempt to take a key.
enum KeyTaken: Sendable {
    /// It is the caller's to answer, until the lease ends.
    case taken
    /// Answered before, to the same question.
    case answered(KeptAnswer)
    /// Somebody is at the same question now.
    case underWay
    /// It was used for another question.
    case usedOtherwise
    /// The account has as many keys as it may.
    case full
}

/// SQL on kept_answers.
package enum KeptAnswerQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [take, select, countOf, answer, release, deleteExpired]

    static let take = Statement(
        "kept_answers_take",
        """
        insert into kept_answers as k
            (account_id, operation, key, holder, leased_until, expires_at, question)
        values (
            $1, $2, $3, $4, now() + make_interval(secs => $5), now() + make_interval(secs => $6), $7
        )
        on conflict on constraint kept_answers_pkey do update
        set holder = excluded.holder, leased_until = excluded.leased_until,
            expires_at = excluded.expires_at, question = excluded.question,
            status = null, headers = null, body = null
        where k.expires_at <= now()
            or k.status is null and k.leased_until <= now() and k.question = excluded.question
        returning (xmax = 0) as is_new
        """)

    static let select = Statement(
        "kept_answers_select",
        """
        select question, status, headers, body
        from kept_answers
        where account_id = $1 and operation = $2 and key = $3
        """)

    /// Stops at the bound, so it costs no more than that, by the primary key.
    static let countOf = Statement(
        "kept_answers_count",
        """
        select count(*) as count
        from (select 1 from kept_answers where account_id = $1 limit $2) k
        """)

    /// Takes a key, or says why not. In one transaction, so that a key over the bound is not taken.
    static func take(
        _ question: KeptQuestion, holder: Identifier, bounds: KeptAnswerBounds,
        in connection: Connection
    ) throws(PostgresError) -> KeyTaken {
        let rows = try connection.query(
            take,
            [
                question.account, question.operation, question.key, holder,
                Double(bounds.leaseSeconds), Double(bounds.keptSeconds), question.hash,
            ])
        if let row = rows.first {
            guard try row.get("is_new", as: Bool.self) else { return .taken }
            let counted = try connection.query(
                countOf, [question.account, bounds.keysOfAccountMax + 1])
            guard try counted[0].get("count", as: Int.self) > bounds.keysOfAccountMax else {
                return .taken
            }
            try connection.execute(
                release, [question.account, question.operation, question.key, holder])
            return .full
        }
        let known = try connection.query(
            select, [question.account, question.operation, question.key])
        // Given back in this very moment: whoever asks again gets it.
        guard let row = known.first else { return .underWay }
        let hash: [UInt8] = try row.get("question")
        guard hash == question.hash else { return .usedOtherwise }
        let status: Int? = try row.get("status")
        guard let status else { return .underWay }
        return .answered(
            KeptAnswer(
                status: status, headers: try row.get("headers"), body: try row.get("body")))
    }

    static let answer = Statement(
        "kept_answers_answer",
        """
        update kept_answers
        set status = $5, headers = $6, body = $7
        where account_id = $1 and operation = $2 and key = $3 and holder = $4
        """)

    static let release = Statement(
        "kept_answers_release",
        """
        delete from kept_answers
        where account_id = $1 and operation = $2 and key = $3 and holder = $4 and status is null
        """)

    /// Keeps the answer, or with nil gives the key back; nothing where another has taken it since.
    static func settle(
        _ question: KeptQuestion, holder: Identifier, with kept: KeptAnswer?,
        in connection: Connection
    ) throws(PostgresError) {
        let key: [(any PostgresEncodable)?] = [
            question.account, question.operation, question.key, holder,
        ]
        guard let kept else {
            try connection.execute(release, key)
            return
        }
        try connection.execute(answer, key + [kept.status, kept.headers, kept.body])
    }

    static let deleteExpired = Statement(
        "kept_answers_delete_expired",
        """
        delete from kept_answers
        where ctid = any (array(
            select ctid
            from kept_answers
            where expires_at <= now()
            order by expires_at
            limit $1
            for update skip locked
        ))
        """)

    /// At most so many, by the index on expires_at. Returns how many there were.
    static func deleteExpired(
        limit: Int, in connection: Connection
    ) throws(PostgresError) -> Int {
        try connection.execute(deleteExpired, [limit])
    }
}
