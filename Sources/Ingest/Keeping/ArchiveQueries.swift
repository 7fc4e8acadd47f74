// The statements by which a day goes to its file and comes back.

import Clicks
import Postgres

extension MaintainQueries {
    /// The file's columns, in their order. Changed only together with ``ArchiveFile/format``.
    static let columns = [
        "clicked_at", "id", "gonggu_id", "user_id", "visitor_key", "click_count", "verdict",
        "rule_set", "reason", "device", "path", "country", "channel", "referer", "referer_host",
    ]

    /// Sends a detached table as CSV in the order of its key. - Returns: rows.
    static func export(
        _ part: WaitingPart, in db: Connection, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> Int {
        let statement = Statement(
            "maintain_export",
            """
            copy (
                select
                    clicked_at, click.id, gonggu_id, user_id, visitor_key, click_count, verdict,
                    rule_set, reason, device, path, country, channel, referer.referer,
                    referer.host as referer_host
                from \(table(part)) as click
                left join referers as referer on referer.id = click.referer_id
                order by clicked_at, click.id
            ) to stdout (format csv, header)
            """)
        return try db.copyOut(statement, body)
    }

    static let writtenStatement = Statement(
        "maintain_written",
        """
        update click_archives
        set state = 'written', made_at = now(), rows = $3, content_bytes = $4,
            content_sha256 = $5, file_bytes = $6, file_sha256 = $7, location = $8
        where day = $1
            and part = $2
            and state in ('detached', 'written')
        """)

    static func noteWritten(
        _ part: WaitingPart, _ archive: ArchiveFile.Record, in db: Connection
    ) throws {
        try db.execute(
            writtenStatement,
            [
                date(part.day), part.part, archive.content.rows, archive.content.bytes,
                archive.content.sha256, archive.fileBytes, archive.fileSHA256, archive.location,
            ])
    }

    static let damagedStatement = Statement(
        "maintain_damaged",
        """
        update click_archives
        set state = 'detached'
        where day = $1
            and part = $2
            and state = 'written'
        """)

    /// Its file is to be written again.
    static func noteDamaged(_ part: WaitingPart, in db: Connection) throws {
        try db.execute(damagedStatement, [date(part.day), part.part])
    }

    static let archivedStatement = Statement(
        "maintain_archived",
        """
        update click_archives
        set state = case when part = $2 then 'archived' else 'superseded' end,
            archived_at = case when part = $2 then now() else archived_at end
        where day = $1
            and (part = $2 and state = 'written' or part < $2 and state = 'restored')
        """)

    /// Drops the table whose file was verified; what was restored before is in this file too.
    /// - Throws: ``MaintainError/notArchived(_:)`` where no file is written down; then the table
    ///   stays.
    static func dropArchived(_ part: WaitingPart, in db: Connection) throws {
        try db.transaction { db in
            try db.run(script: "drop table if exists \(table(part))")
            let changed = try db.execute(archivedStatement, [date(part.day), part.part])
            guard changed > 0 else { throw MaintainError.notArchived(part.day) }
        }
    }

    static let fileStatement = Statement(
        "maintain_file",
        """
        select state, rows, content_bytes, content_sha256, file_bytes, file_sha256, location
        from click_archives
        where day = $1
            and part = $2
        """)

    /// What is written down of a part's file; nil before there is one.
    static func record(_ part: WaitingPart, in db: Connection) throws -> ArchiveFile.Record? {
        guard let row = try db.query(fileStatement, [date(part.day), part.part]).first,
            try row.get("state", as: String.self) != "detached"
        else { return nil }
        return ArchiveFile.Record(
            content: ArchiveFile.Content(
                rows: try row.get("rows"), bytes: try row.get("content_bytes"),
                sha256: try row.get("content_sha256")),
            fileBytes: try row.get("file_bytes"), fileSHA256: try row.get("file_sha256"),
            location: try row.get("location"))
    }

    // MARK: Back

    static let restorableStatement = Statement(
        "maintain_restorable",
        """
        select part, state
        from click_archives
        where day = $1
        order by part
        limit 1000
        """)

    /// All parts of a day with their states.
    static func parts(
        of day: KoreanDay, in db: Connection
    ) throws -> [(part: WaitingPart, state: String)] {
        try db.query(restorableStatement, [date(day)]).map {
            (WaitingPart(day: day, part: try $0.get("part")), try $0.get("state"))
        }
    }

    static let keepStatement = Statement(
        "maintain_keep",
        """
        insert into click_days (day, keep_until)
        values ($1, $2)
        on conflict on constraint click_days_pkey
            do update set keep_until = greatest(click_days.keep_until, $2)
        """)

    static func keep(_ day: KoreanDay, until: KoreanDay, in db: Connection) throws {
        try db.execute(keepStatement, [date(day), date(until)])
    }

    /// A table for the file's rows, until the transaction ends.
    static func makeRestoring(in db: Connection) throws {
        try db.run(
            script: """
                create temporary table click_restoring (
                    clicked_at timestamptz not null, id uuid not null, gonggu_id uuid not null,
                    user_id uuid, visitor_key bigint not null, click_count int not null,
                    verdict smallint not null, rule_set smallint not null,
                    reason smallint not null, device smallint not null, path smallint not null,
                    country char(2) not null, channel text not null, referer text,
                    referer_host text
                ) on commit drop
                """)
    }

    /// `header match`: a file with other columns, or in another order, is refused.
    static func fillRestoring(
        in db: Connection,
        _ body: (_ send: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws -> Int {
        let statement = Statement(
            "maintain_restore",
            """
            copy click_restoring (\(columns.joined(separator: ", ")))
            from stdin (format csv, header match)
            """)
        return try db.copyIn(text: statement, body)
    }

    /// Puts the rows into the ledger; those that are there already stay as they are. Referers get
    /// numbers again. The state changes with them.
    static func insertRestored(_ day: KoreanDay, parts: [WaitingPart], in db: Connection) throws {
        let numbers = parts.map { String($0.part) }.joined(separator: ", ")
        try db.run(
            script: """
                analyze click_restoring;
                insert into referers (referer, host)
                select distinct on (dictionary_hash(new.referer)) new.referer, new.referer_host
                from click_restoring as new
                where new.referer is not null
                    and not exists (
                        select from referers as known
                        where known.referer_hash = dictionary_hash(new.referer))
                order by dictionary_hash(new.referer)
                on conflict (referer_hash) do nothing;
                insert into click_trackings (
                    clicked_at, visitor_key, id, gonggu_id, user_id, referer_id, click_count,
                    verdict, rule_set, reason, device, path, country, channel)
                select
                    clicked_at, visitor_key, new.id, gonggu_id, user_id, known.id, click_count,
                    verdict, rule_set, reason, device, path, country, channel
                from click_restoring as new
                left join referers as known on known.referer_hash = dictionary_hash(new.referer)
                order by clicked_at, new.id
                on conflict do nothing;
                update click_archives
                set state = 'restored'
                where day = date '\(day)'
                    and part in (\(numbers));
                """)
    }
}
