import Postgres
import TestSupport
import Testing

@Suite struct CopyOutTests {
    private let db: Connection
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase(migrated: false)
        db = try database.connect()
    }

    @Test func `every row comes once, in order, with its nulls`() throws {
        let rows = Statement(
            "test_copy_out",
            """
            copy (
                select n::bigint, case when n % 3 = 0 then null else repeat('공', n % 50) end,
                    n % 2 = 0, lpad(to_hex(n), 32, '0')::uuid,
                    timestamptz '1970-01-01 00:00+00' + n * interval '1 second'
                from generate_series(0, 49999) as n
            ) to stdout (format binary)
            """)
        var next: Int64 = 0
        let count = try db.copyOutRows(rows) { row in
            #expect(row.integer(0) == next)
            let text = row.bytes(1).map { String(decoding: $0, as: UTF8.self) }
            #expect(text == (next % 3 == 0 ? nil : String(repeating: "공", count: Int(next % 50))))
            #expect(row.bool(2) == (next % 2 == 0))
            #expect(row.uuid(3) == PostgresUUID(high: 0, low: UInt64(next)))
            #expect(row.timestamp(4)?.microseconds == next * 1_000_000)
            #expect(row.bool(0) == nil && row.uuid(0) == nil)
            next += 1
        }
        #expect(count == 50_000 && next == 50_000)
    }

    @Test func `times beyond what can be said are infinite`() throws {
        let rows = Statement(
            "test_copy_times",
            """
            copy (values (timestamptz 'infinity', timestamptz '-infinity',
                timestamptz '294270-01-01 00:00+00')) to stdout (format binary)
            """)
        _ = try db.copyOutRows(rows) { row in
            #expect(row.timestamp(0) == .infinity && row.timestamp(1) == .negativeInfinity)
            #expect(row.timestamp(2) == .infinity)
        }
    }

    @Test func `after an error, ours or the server's, the connection serves on`() throws {
        struct Ours: Error {}
        let many = Statement(
            "test_copy_many",
            "copy (select n from generate_series(1, 100000) as n) to stdout (format binary)")
        #expect(throws: Ours.self) { _ = try db.copyOutRows(many) { _ in throw Ours() } }
        let broken = Statement(
            "test_copy_broken",
            """
            copy (select 1 / (500 - n) from generate_series(1, 1000) as n)
            to stdout (format binary)
            """)
        var rows = 0
        let error = #expect(throws: PostgresError.self) {
            _ = try db.copyOutRows(broken) { _ in rows += 1 }
        }
        #expect(error?.sqlState == "22012" && rows == 499)
        let none = Statement(
            "test_copy_none", "copy (select where false) to stdout (format binary)")
        #expect(try db.copyOutRows(none) { _ in } == 0)
        #expect(try db.copyOutRows(many) { _ in } == 100_000)
    }
}
