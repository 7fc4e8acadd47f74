import Clicks
import Judging
import Postgres

// How a judgement reads the ledger and writes to it. Clicks are read in pages by keyset, so that
// memory is a page's, and looked up is only what a page's clicks need.

/// SQL on click_trackings and what belongs to it, for judging again.
package enum LedgerQueries {
    static let statements = [
        page, finals, agents, terms, admins, decisions, insertChanges, openFlags, lockAll,
    ]

    /// At most $5 clicks of [$1, $2) behind ($1, $3, $4), by the partitions' keys: the sort has
    /// only clicks of one instant to put in order.
    private static let page = Statement(
        "adjudication_page",
        """
        select clicked_at, id, gonggu_id, visitor_key, user_id, user_agent_id,
            inet_send(ip_address) as address, click_count, verdict, reason
        from click_trackings
        where clicked_at >= $1 and clicked_at < $2
            and (clicked_at, (verdict <> 0)::int, id) > ($1, $3, $4)
        order by clicked_at, (verdict <> 0)::int, id
        limit $5
        """)

    /// Those of a page that were judged otherwise before. By final_verdicts_clicked_at_idx; a join
    /// would look for each click, or read the whole table.
    private static let finals = Statement(
        "adjudication_finals",
        """
        select click_id, verdict, reason
        from final_verdicts
        where clicked_at >= $1 and clicked_at <= $2
        """)

    /// The next clicks before `end`, in the order of judgement. Within a transaction.
    static func page(
        after place: ClickPlace, before end: Timestamp, rowsMax: Int, in connection: Connection
    ) throws(PostgresError) -> [StoredClick] {
        let rows = try connection.inKeyOrder { connection throws(PostgresError) in
            try connection.query(page, [place.time, end, place.rank, place.id, rowsMax])
        }
        guard let first = rows.first, let last = rows.last else { return [] }
        var current: [Identifier: Finding] = [:]
        let range: [(any PostgresEncodable)?] = [
            try first.get(0, as: Timestamp.self), try last.get(0, as: Timestamp.self),
        ]
        for row in try connection.query(finals, range) {
            current[try row.get(0)] = try row.finding(1)
        }
        return try rows.map { row throws(PostgresError) in
            let id: Identifier = try row.get(1)
            return StoredClick(
                id: id, gonggu: try row.get(2), time: try row.get(0),
                visitor: UInt64(bitPattern: try row.get(3, as: Int64.self)),
                user: try row.get(4), agent: try row.get(5), address: try row.address(6),
                count: try row.get(7), edge: try row.finding(8), current: current[id])
        }
    }

    private static let agents = Statement(
        "adjudication_agents", "select id, agent from user_agents where id = any ($1::int[])")

    /// What stored agents say; those whose text is erased or was mended are missing. By the key.
    static func agents(
        _ numbers: [Int], in connection: Connection
    ) throws(PostgresError) -> [Int: AgentEvidence] {
        var found: [Int: AgentEvidence] = [:]
        for row in try connection.query(agents, [numbers]) {
            let text: String = try row.get(1)
            found[try row.get(0)] = AgentEvidence(of: text, bots: .current)
        }
        return found
    }

    private static let terms = Statement(
        "adjudication_terms",
        """
        select gonggu_id, known_at, open_at, close_at, influencer_id, is_off
        from gonggu_terms
        where gonggu_id = any ($1::uuid[])
        order by gonggu_id, known_at
        """)

    /// All that was ever known of these gonggus, in the order of time. By the key.
    static func terms(
        of gonggus: [Identifier], in connection: Connection
    ) throws(PostgresError) -> [Identifier: [GongguTerms]] {
        var found: [Identifier: [GongguTerms]] = [:]
        for row in try connection.query(terms, [gonggus]) {
            found[try row.get(0), default: []].append(
                GongguTerms(
                    knownAt: try row.get(1), opensAt: try row.get(2), closesAt: try row.get(3),
                    influencer: try row.get(4), isOff: try row.get(5)))
        }
        return found
    }

    private static let admins = Statement(
        "adjudication_admins",
        "select id from users where id = any ($1::uuid[]) and role = 'admin'")

    static func admins(
        among users: [Identifier], in connection: Connection
    ) throws(PostgresError) -> Set<Identifier> {
        var found: Set<Identifier> = []
        for row in try connection.query(admins, [users]) { found.insert(try row.get(0)) }
        return found
    }

    private static let decisions = Statement(
        "adjudication_decisions",
        """
        select decision.seq, decision.gonggu_id, decision.from_at, decision.to_at,
            decision.verdict, decision.outcome, decision.flag_id is not null as is_of_flag,
            inet_send(flag.ip_address) as address
        from click_decisions as decision
        left join click_flags as flag on flag.id = decision.flag_id
        where decision.to_at >= $1 and decision.from_at < $2
        order by decision.seq desc
        limit \(decisionsMax + 1)
        """)

    /// People decide them one by one, so more over one period are a fault of somebody's.
    static let decisionsMax = 100_000

    /// What was decided of clicks of a period, by gonggu, newest first. By
    /// click_decisions_to_at_idx. A flag's whose address is erased ties to no click any more.
    static func decisions(
        from: Timestamp, to: Timestamp, in connection: Connection
    ) throws -> [Identifier: [ClickDecision]] {
        let rows = try connection.query(decisions, [from, to])
        guard rows.count <= decisionsMax else { throw AdjudicationFault.tooManyDecisions }
        var found: [Identifier: [ClickDecision]] = [:]
        for row in rows {
            let address = try row.address(7)
            guard try address != nil || !row.get(6, as: Bool.self) else { continue }
            guard let outcome = ClickDecision.Outcome(rawValue: try row.get(5)) else {
                throw PostgresError(
                    kind: .decoding, message: "there is no such outcome", column: "outcome")
            }
            let gonggu: Identifier = try row.get(1)
            found[gonggu, default: []].append(
                ClickDecision(
                    order: try row.get(0), gonggu: gonggu, from: try row.get(2),
                    to: try row.get(3), verdict: try row.knownVerdict(4), address: address,
                    outcome: outcome))
        }
        return found
    }

    // MARK: Writing

    private static let insertChanges = Statement(
        "adjudication_changes",
        """
        insert into click_adjudications (
            clicked_at, click_id, gonggu_id, from_verdict, to_verdict, to_reason, reason, rule_set,
            run_id, decision_id, decided_by)
        select clicked_at, click_id, gonggu_id, from_verdict, to_verdict, to_reason, why, $8, $9,
            $10, $11
        from unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::smallint[], $5::smallint[],
            $6::smallint[], $7::text[]) with ordinality as change (
                clicked_at, click_id, gonggu_id, from_verdict, to_verdict, to_reason, why, place)
        order by place
        """)

    /// Writes changes down; the trigger moves final verdicts and statistics along.
    static func write(
        _ changes: [VerdictChange], cause: VerdictChange.Cause, ruleSet: Int,
        in connection: Connection
    ) throws(PostgresError) {
        guard !changes.isEmpty else { return }
        try connection.execute(
            insertChanges,
            [
                changes.map { PostgresTimestamp(microseconds: $0.click.time.microseconds) },
                changes.map(\.click.id), changes.map(\.click.gonggu),
                changes.map { Int($0.click.current.verdict.rawValue) },
                changes.map { Int($0.finding.verdict.rawValue) },
                changes.map { Int($0.finding.reason) }, changes.map(\.why), ruleSet, cause.run,
                cause.decision, cause.by,
            ])
    }

    /// As Ingest opens them, and adds to them.
    private static let openFlags = Statement(
        "adjudication_flags",
        """
        insert into click_flags (
            day, gonggu_id, ip_address, first_clicked_at, last_clicked_at, clicks)
        select day, gonggu_id, address::inet, min(clicked_at), max(clicked_at), sum(clicks)
        from unnest($1::date[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[])
            as new (day, gonggu_id, address, clicked_at, clicks)
        group by day, gonggu_id, address
        order by day, gonggu_id, address::inet
        on conflict on constraint click_flags_flood_key do update
        set first_clicked_at = least(click_flags.first_clicked_at, excluded.first_clicked_at),
            last_clicked_at = greatest(click_flags.last_clicked_at, excluded.last_clicked_at),
            clicks = click_flags.clicks + excluded.clicks,
            status = 'open'
        """)

    /// A flag for each flood that was found now, so that a person decides.
    static func openFlags(
        for changes: [VerdictChange], in connection: Connection
    ) throws(PostgresError) {
        let floods = changes.filter { $0.finding.verdict == .flood && $0.click.address != nil }
        guard !floods.isEmpty else { return }
        try connection.execute(
            openFlags,
            [
                floods.map {
                    PostgresDate(daysSince1970: $0.click.time.koreanDay.daysSince1970)
                },
                floods.map(\.click.gonggu), floods.map { "\($0.click.address!)" },
                floods.map { PostgresTimestamp(microseconds: $0.click.time.microseconds) },
                floods.map(\.click.count),
            ])
    }

    private static let lockAll = Statement(
        "adjudication_lock", "select pg_advisory_xact_lock(hashtextextended('adjudication', 0))")

    /// Held to the transaction's end: what may judge when is decided by one at a time.
    static func lockAll(in connection: Connection) throws(PostgresError) {
        _ = try connection.query(lockAll)
    }
}

/// Why a judgement cannot be made at all.
package enum AdjudicationFault: Error, Equatable, CustomStringConvertible {
    case tooManyDecisions
    /// More visitors and addresses within a window than memory is meant for.
    case tooManyVisitors

    package var description: String {
        switch self {
        case .tooManyDecisions:
            "more than \(LedgerQueries.decisionsMax) decisions are in the period: judge a part"
        case .tooManyVisitors:
            "more than \(AdjudicationPass.rememberedMax) visitors clicked within one window"
        }
    }
}

extension Connection {
    /// Runs a query that takes the next rows by a key, within a transaction.
    ///
    /// Of a partition that was not analyzed, or under a plan for any parameters, the planner thinks
    /// that few rows are left and sorts all of them for each page: an export of 300,000 clicks took
    /// seven minutes. So it is told to go by the index.
    func inKeyOrder<T>(
        _ body: (Connection) throws(PostgresError) -> T
    ) throws(PostgresError) -> T {
        try run(
            script: "set local enable_sort = off; set local plan_cache_mode = force_custom_plan")
        let value = try body(self)
        try run(script: "set local enable_sort = on; set local plan_cache_mode = auto")
        return value
    }
}

extension Connection {
    /// Runs queries that are planned for their parameters each time, within a transaction: those of
    /// a list with several filters, whose plan for any of them reads the table whole.
    func plannedAnew<T>(
        _ body: (Connection) throws(PostgresError) -> T
    ) throws(PostgresError) -> T {
        try run(script: "set local plan_cache_mode = force_custom_plan")
        let value = try body(self)
        try run(script: "set local plan_cache_mode = auto")
        return value
    }
}

extension Row {
    /// A verdict and, in the next column, the rule behind it.
    fileprivate func finding(_ place: Int) throws(PostgresError) -> Finding {
        Finding(
            try knownVerdict(place), reason: UInt16(clamping: try get(place + 1, as: Int.self)))
    }

    /// A verdict that this build knows; the schema's version sees to that.
    func knownVerdict(_ place: Int) throws(PostgresError) -> Verdict {
        let number: Int = try get(place)
        guard let verdict = UInt8(exactly: number).flatMap(Verdict.init(rawValue:)) else {
            throw PostgresError(kind: .decoding, message: "there is no verdict \(number)")
        }
        return verdict
    }

    /// Of inet_send, whose form is: family, bits, is a network, bytes, then the address itself.
    func address(_ place: Int) throws(PostgresError) -> NetworkAddress? {
        guard let bytes: [UInt8] = try get(place) else { return nil }
        let word = { (from: Int, count: Int) in
            bytes[from..<from + count].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        switch bytes.count {
        case 8: return NetworkAddress(ipv4: UInt32(word(4, 4)))
        case 20: return NetworkAddress(high: word(4, 8), low: word(12, 8))
        default: throw PostgresError(kind: .decoding, message: "this is no inet")
        }
    }
}
