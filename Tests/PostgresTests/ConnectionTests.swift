import Glibc
import Postgres
import TestSupport
import Testing

@Suite struct ConnectionTests {
    private let terminate = Statement(
        "terminate_self", "select pg_terminate_backend(pg_backend_pid())")

    @Test func `a violated constraint is named, the values are not`() throws {
        let connection = try connect()
        try connection.run(
            script: """
                create temporary table accounts (
                    email text constraint accounts_email_key unique,
                    age int constraint accounts_age_range check (age > 0),
                    nickname text not null default 'n')
                """)
        let insert = Statement("accounts_insert", "insert into accounts values ($1, $2)")
        #expect(try connection.execute(insert, ["secret@example.kr", 1]) == 1)
        let taken = #expect(throws: PostgresError.self) {
            try connection.execute(insert, ["secret@example.kr", 1])
        }
        #expect(taken?.violates("accounts_email_key") == true)
        #expect(taken?.violates("accounts_age_range") == false)
        #expect(taken?.sqlState == "23505")
        #expect(taken?.statement == "accounts_insert")
        #expect(taken?.table == "accounts")
        #expect(taken.map { "\($0)" }?.contains("secret") == false)
        let young = #expect(throws: PostgresError.self) {
            try connection.execute(insert, ["b", -5])
        }
        #expect(young?.violates("accounts_age_range") == true)
        let cast = #expect(throws: PostgresError.self) {
            try connection.execute(Statement("cast", "select ($1::text)::int"), ["secret"])
        }
        #expect(cast?.sqlState == "22P02")
        #expect(cast.map { "\($0)" }?.contains("secret") == false)
        #expect(cast?.isConnectionLost == false)
    }

    @Test func `a statement is prepared once, and the session is in UTC and UTF-8`() throws {
        let connection = try connect("prepared once")
        let once = Statement("once", "select $1::int4 + 1 as next")
        for value in 0..<5 {
            #expect(try connection.query(once, [value])[0].get("next") == value + 1)
        }
        let row = try connection.query(
            Statement(
                "prepared",
                """
                select count(*) as times, max(generic_plans + custom_plans) as runs,
                       current_setting('TimeZone') as zone,
                       current_setting('client_encoding') as encoding,
                       current_setting('application_name') as application
                from pg_prepared_statements where name = 'once'
                """))[0]
        #expect(try row.get("times") == 1)
        #expect(try row.get("runs") == 5)
        #expect(try row.get("zone") == "UTC")
        #expect(try row.get("encoding") == "UTF8")
        #expect(try row.get("application") == "prepared once")
    }

    @Test func `what a transaction did is gone when its body throws`() throws {
        struct Refusal: Error {}
        let connection = try connect()
        try connection.run(script: "create temporary table notes (note text)")
        let insert = Statement("notes_insert", "insert into notes values ($1)")
        let count = Statement("notes_count", "select count(*) from notes")
        #expect(throws: Refusal.self) {
            try connection.transaction { connection in
                try connection.execute(insert, ["lost"])
                throw Refusal()
            }
        }
        #expect(try connection.query(count)[0].get(0) == 0)
        let kept = try connection.transaction { connection in
            try connection.execute(insert, ["kept"])
        }
        #expect(kept == 1)
        #expect(try connection.query(count)[0].get(0) == 1)
    }

    @Test func `a part of a transaction that throws is gone, and the rest of it stays`() throws {
        let connection = try connect()
        try connection.run(script: "create temporary table notes (note text unique)")
        let insert = Statement("notes_insert", "insert into notes values ($1)")
        let notes = Statement("notes_all", "select string_agg(note, ' ' order by note) from notes")
        func attempt(_ note: String) throws {
            try connection.atomically { connection in
                try connection.execute(insert, [note])
                try connection.execute(insert, ["taken"])
            }
        }
        try attempt("alone")
        #expect(throws: PostgresError.self) { try attempt("lost") }
        try connection.transaction { connection in
            try connection.execute(insert, ["before"])
            #expect(throws: PostgresError.self) { try attempt("lost") }
            _ = try connection.atomically { try $0.execute(insert, ["within"]) }
        }
        #expect(try connection.query(notes)[0].get(0) == "alone before taken within")
    }

    @Test func `a transaction whose error was swallowed does not pretend to have committed`() throws
    {
        let connection = try connect()
        try connection.run(script: "create temporary table notes (note text)")
        let error = #expect(throws: PostgresError.self) {
            try connection.transaction { connection in
                try connection.run(script: "insert into notes values ('x')")
                try? connection.run(script: "select 1/0")
            }
        }
        #expect(error?.sqlState == "25P02")
        try connection.transaction { try $0.run(script: "insert into notes values ('y')") }
    }

    @Test func `a killed session is a lost connection`() throws {
        let connection = try connect()
        let error = #expect(throws: PostgresError.self) { try connection.query(terminate) }
        #expect(error?.isConnectionLost == true)
        // The server's reason or the end of the stream, whichever libpq ends with.
        #expect(["57P01", "08006"].contains(error?.sqlState))
        #expect(connection.isLost)
        let after = #expect(throws: PostgresError.self) { try connection.query(terminate) }
        #expect(after?.isConnectionLost == true)
    }

    @Test func `a refused connection says so without the password`() throws {
        for url in [
            "postgres://root:hunter2@127.0.0.1:1/postgres",
            "postgresql://root:hunter2@127.0.0.1:1/postgres",
            "postgres://root:hunter2@[::1/postgres", "root:hunter2@nowhere",
            "postgres://root:hunter2@127.0.0.1:1/postgres?hunter2=1",
        ] {
            let error = #expect(throws: PostgresError.self) {
                _ = try Connection(url: url, applicationName: "refused")
            }
            #expect(error?.isConnectionLost == true)
            #expect(error.map { "\($0)" }?.contains("hunter2") == false, "\(url)")
        }
    }

    @Test func `a statement over its time is given up`() throws {
        let connection = try Connection(
            url: TestServers.databaseURL(), applicationName: "slow", statementTimeoutSeconds: 1)
        let error = #expect(throws: PostgresError.self) {
            try connection.run(script: "select pg_sleep(20)")
        }
        #expect(error?.sqlState == "57014")
        #expect(error?.isConnectionLost == false)
    }

    @Test func `a notification wakes the listener at once`() throws {
        let listener = try connect()
        let sender = try connect()
        try listener.listen(to: "Links \"changed\"")
        #expect(try listener.waitForNotifications(timeoutMilliseconds: 0) == [])
        try sender.run(script: "notify \"Links \"\"changed\"\"\", '공구'")
        let start = microseconds()
        let notifications = try listener.waitForNotifications(timeoutMilliseconds: 5000)
        #expect(notifications == [Notification(channel: "Links \"changed\"", payload: "공구")])
        #expect(microseconds() - start < 2_000_000)
        // One that came along with an answer is not forgotten.
        try sender.run(script: "notify \"Links \"\"changed\"\"\"")
        _ = try listener.query(Statement("one", "select 1"))
        #expect(try listener.waitForNotifications(timeoutMilliseconds: 5000).count == 1)
    }

    @Test func `waiting ends by the clock, by the wake descriptor, and by a loss`() throws {
        let listener = try connect()
        try listener.listen(to: "quiet")
        var pipe: (Int32, Int32) = (0, 0)
        withUnsafeMutableBytes(of: &pipe) {
            _ = Glibc.pipe($0.assumingMemoryBound(to: Int32.self).baseAddress!)
        }
        defer { close(pipe.0); close(pipe.1) }
        var start = microseconds()
        #expect(
            try listener.waitForNotifications(timeoutMilliseconds: 50, wakeDescriptor: pipe.0) == []
        )
        #expect((50_000..<2_000_000).contains(microseconds() - start))
        write(pipe.1, "x", 1)
        start = microseconds()
        #expect(
            try listener.waitForNotifications(timeoutMilliseconds: 9000, wakeDescriptor: pipe.0)
                == [])
        #expect(microseconds() - start < 2_000_000)
        let row = try listener.query(Statement("me", "select pg_backend_pid()"))[0]
        try connect().execute(
            Statement("kill", "select pg_terminate_backend($1)"), [row.get(0, as: Int.self)])
        let error = #expect(throws: PostgresError.self) {
            try listener.waitForNotifications(timeoutMilliseconds: 9000)
        }
        #expect(error?.isConnectionLost == true)
    }
}

func microseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
}
