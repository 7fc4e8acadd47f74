// The statements by which texts and dimensions get their numbers.
//
// Most of a day's texts are new at its beginning, and the clicks that have them wait. So they are
// copied, with numbers that were taken before: INSERT … ON CONFLICT … RETURNING costs the server
// half as much again. Where two Ingests store one text at the same time, the second is refused when
// the first has committed, and looks again.
//
// A transaction that stores texts or dimensions does not wait for the disk: who uses their numbers
// commits later, and does, and the server's log has one order.

import Judging
import Postgres

/// A table of rows that are stored once and named by their number.
struct NumberedTable {
    /// So many new numbers, and no wait for the disk at the end of the transaction.
    let takeNumbers: Statement
    let copy: Statement
    /// Besides the number.
    let columnCount: Int

    /// - Parameters:
    ///   - name: its numbers are of the sequence of its identity column, `id`.
    ///   - numbering: what that statement is called.
    ///   - columns: those that are not made by the server.
    init(_ name: String, numbering: StaticString, columns: [String]) {
        columnCount = columns.count
        takeNumbers = Statement(
            numbering,
            """
            select nextval('\(name)_id_seq')::int as id
            from generate_series(1, $1), set_config('synchronous_commit', 'off', true)
            limit \(TextPlaces.questionTextsMax)
            """)
        copy = Statement(
            "ingest_copy_texts",
            """
            copy \(name) (id, \(columns.joined(separator: ", ")))
            from stdin (format binary)
            """)
    }
}

extension IngestQueries {
    static let userAgents = NumberedTable(
        "user_agents", numbering: "ingest_number_agents",
        columns: ["agent", "device", "os", "browser", "in_app"])
    static let referers = NumberedTable(
        "referers", numbering: "ingest_number_referers", columns: ["referer", "host"])

    static let agentIDsStatement = Statement(
        "ingest_agent_ids",
        """
        select known.id, new.place,
            known.seen_on < (now() at time zone 'Asia/Seoul')::date as is_unseen_today
        from unnest($1::text[]) with ordinality as new (agent, place)
        join user_agents as known on known.agent_hash = dictionary_hash(new.agent)
        limit \(TextPlaces.questionTextsMax)
        """)

    static let noteSeenStatement = Statement(
        "ingest_note_seen",
        """
        with unseen as (
            select id
            from user_agents
            where id = any ($1::int[])
            order by id
            for update
        )
        update user_agents
        set seen_on = (now() at time zone 'Asia/Seoul')::date
        from unseen
        where user_agents.id = unseen.id
        """)

    /// The numbers of at most ``TextPlaces/questionTextsMax`` user agents, in the order given;
    /// those not seen before are stored, of others it is noted that they were seen today.
    ///
    /// A number may be used for a day, no longer: `Ingest maintain` deletes agents that nobody has
    /// asked for in so long that every click with them is erased, and two days more.
    static func userAgentIDs(_ agents: [String], in db: Connection) throws -> [Int32] {
        try numbers(of: agents, in: userAgents, db, look: { try lookForAgents($0, in: db) }) {
            let traits = AgentTraits(of: $0)
            $1.writeText($0)
            $1.writeInt16(Int16(traits.device.rawValue))
            $1.writeText(traits.system.rawValue)
            $1.writeText(traits.browser.rawValue)
            $1.writeText(traits.app.rawValue)
        }
    }

    private static func lookForAgents(_ agents: [String], in db: Connection) throws -> [Row] {
        let rows = try db.query(agentIDsStatement, [agents])
        let unseen = try rows.filter { try $0.get("is_unseen_today") }
        guard !unseen.isEmpty else { return rows }
        try db.execute(noteSeenStatement, [try unseen.map { try $0.get("id", as: Int.self) }])
        // One that was deleted in between is not found again.
        return try db.query(agentIDsStatement, [agents])
    }

    static let refererIDsStatement = Statement(
        "ingest_referer_ids",
        """
        select known.id, new.place
        from unnest($1::text[]) with ordinality as new (referer, place)
        join referers as known on known.referer_hash = dictionary_hash(new.referer)
        limit \(TextPlaces.questionTextsMax)
        """)

    /// The numbers of at most ``TextPlaces/questionTextsMax`` referers, in the order given;
    /// those not seen before are stored.
    static func refererIDs(_ texts: [String], in db: Connection) throws -> [Int32] {
        func look(for some: [String]) throws -> [Row] {
            try db.query(refererIDsStatement, [some])
        }
        return try numbers(of: texts, in: referers, db, look: look) {
            $1.writeText($0)
            $1.writeText(RefererHost.of($0))
        }
    }

    /// More than one is needed where others store the same at the same time.
    private static let attemptsMax = 5

    /// Looks first and stores what is missing: a row that is refused uses up a number all the same,
    /// and there are two thousand million of them.
    ///
    /// - Parameters:
    ///   - look: rows of `id` and `place`, from 1, of those that are stored.
    ///   - write: the columns of a new one.
    static func numbers<Wanted>(
        of wanted: [Wanted], in table: NumberedTable, _ db: Connection,
        look: ([Wanted]) throws -> [Row], write: (Wanted, inout CopyIn) -> Void
    ) throws -> [Int32] {
        precondition(
            wanted.count <= TextPlaces.questionTextsMax, "a question has a bounded size")
        var numbers = [Int32](repeating: 0, count: wanted.count)
        var missing = Array(wanted.indices)
        for _ in 0..<attemptsMax where !missing.isEmpty {
            for row in try look(missing.map { wanted[$0] }) {
                numbers[missing[try row.get("place", as: Int.self) - 1]] = try row.get("id")
            }
            missing.removeAll { numbers[$0] != 0 }
            do {
                let new = try store(missing.map { wanted[$0] }, in: table, db, write: write)
                for (index, number) in zip(missing, new) { numbers[index] = number }
                missing = []
            } catch let error as PostgresError where error.isUniqueViolation {}
        }
        guard missing.isEmpty else { throw PumpError.textsContended }
        return numbers
    }

    /// All or nothing.
    private static func store<Wanted>(
        _ new: [Wanted], in table: NumberedTable, _ db: Connection,
        write: (Wanted, inout CopyIn) -> Void
    ) throws -> [Int32] {
        guard !new.isEmpty else { return [] }
        return try db.atomically { db in
            let numbers = try db.query(table.takeNumbers, [new.count])
                .map { try $0.get("id", as: Int32.self) }
            _ = try db.copyIn(table.copy) { copy in
                for (number, one) in zip(numbers, new) {
                    copy.beginRow(columns: 1 + table.columnCount)
                    copy.writeInt32(number)
                    write(one, &copy)
                }
            }
            return numbers
        }
    }
}
