import Postgres
import TestSupport
import Testing

@Suite struct CopyInTests {
    private let copy = Statement(
        "samples_copy",
        """
        copy samples (n, small, half, wide, id, at, note, address, flag, rate, bytes)
        from stdin (format binary)
        """)

    private func makeTable(_ connection: Connection) throws {
        try connection.run(
            script: """
                create temporary table samples (
                    n int primary key, small int2, half int4, wide int8, id uuid, at timestamptz,
                    note text, address inet, flag bool, rate float8, bytes bytea)
                """)
    }

    private func writeRow(_ n: Int32, note: String, into copy: inout CopyIn) {
        copy.beginRow(columns: 11)
        copy.writeInt32(n)
        copy.writeInt16(Int16(truncatingIfNeeded: n))
        if n % 3 == 0 { copy.writeNull() } else { copy.writeInt32(-n) }
        copy.writeInt64(Int64(n) << 32)
        copy.writeUUID(high: UInt64(n), low: 0x8000_0000_0000_0000)
        copy.writeTimestamp(Int64(n) * 1_000_003)
        copy.writeText(note)
        if n % 2 == 0 {
            copy.writeInet(high: 0, low: 0xFFFF_0000_0000 | UInt64(n))
        } else {
            copy.writeInet(high: 0x2001_0DB8_0000_0000, low: UInt64(n))
        }
        copy.writeBool(n % 5 == 0)
        copy.writeDouble(Double(n) / 8)
        copy.writeText("")
    }

    @Test func `100,000 copied rows are what SQL computes`() throws {
        let connection = try connect()
        try makeTable(connection)
        let rows = try connection.copyIn(copy) { copy in
            for n in 1...100_000 as ClosedRange<Int32> {
                writeRow(n, note: "공구 \(n)", into: &copy)
            }
        }
        #expect(rows == 100_000)
        // The oracle is the server's own arithmetic over generate_series.
        let different = try connection.query(
            Statement(
                "samples_differences",
                """
                select count(*) from samples full join generate_series(1, 100000) as s on s = n
                where (small, half, wide, id, at, note, address, flag, rate, bytes)
                  is distinct from
                  ((((s + 32768) % 65536) - 32768)::int2,
                   case when s % 3 <> 0 then -s end,
                   s::int8 * 4294967296,
                   (lpad(to_hex(s), 16, '0') || '8000000000000000')::uuid,
                   timestamptz '1970-01-01 00:00+00' + s * interval '1.000003 s',
                   '공구 ' || s,
                   case when s % 2 = 0 then inet '0.0.0.0' + s else inet '2001:db8::' + s end,
                   s % 5 = 0, s / 8.0::float8, ''::bytea)
                """))[0]
        #expect(try different.get(0) == 0)
    }

    @Test func `a text longer than the buffer goes through whole, wherever it starts`() throws {
        let connection = try connect()
        try makeTable(connection)
        let long = String(repeating: "0123456789", count: 300_000)
        let sizes = [0, 1, CopyIn.chunkBytes - 200, CopyIn.chunkBytes, 3_000_000]
        _ = try connection.copyIn(copy) { copy in
            for (n, size) in sizes.enumerated() {
                writeRow(Int32(n + 1), note: String(long.prefix(size)), into: &copy)
            }
        }
        let stored = try connection.query(
            Statement(
                "samples_lengths",
                """
                select array_agg(length(note) order by n) as lengths,
                       bool_and(note = left(repeat('0123456789', 300000), length(note))) as same
                from samples
                """))[0]
        #expect(try stored.get("lengths", as: [Int].self) == sizes)
        #expect(try stored.get("same") == true)
    }

    @Test func `a copy given up by a throw leaves nothing, and the connection usable`() throws {
        struct Refusal: Error {}
        let connection = try connect()
        try makeTable(connection)
        #expect(throws: Refusal.self) {
            try connection.copyIn(copy) { copy in
                for n in 1...30_000 as ClosedRange<Int32> { writeRow(n, note: "x", into: &copy) }
                throw Refusal()
            }
        }
        let count = Statement("samples_count", "select count(*) from samples")
        #expect(try connection.query(count)[0].get(0) == 0)
        #expect(try connection.copyIn(copy) { writeRow(1, note: "y", into: &$0) } == 1)
    }

    @Test func `a refused row is the server's error with its constraint`() throws {
        let connection = try connect()
        try makeTable(connection)
        let error = #expect(throws: PostgresError.self) {
            try connection.copyIn(copy) { copy in
                // Enough rows after the bad one that the refusal arrives while we still send.
                writeRow(1, note: "first", into: &copy)
                for n in 1...200_000 as ClosedRange<Int32> { writeRow(n, note: "x", into: &copy) }
            }
        }
        #expect(error?.violates("samples_pkey") == true)
        #expect(error?.statement == "samples_copy")
        let missing = #expect(throws: PostgresError.self) {
            try connection.copyIn(
                Statement("nowhere_copy", "copy nowhere from stdin (format binary)")
            ) { _ in }
        }
        #expect(missing?.sqlState == "42P01")
        #expect(try connection.copyIn(copy) { writeRow(1, note: "y", into: &$0) } == 1)
    }

    @Test func `a session killed during a copy is a lost connection`() throws {
        let connection = try connect()
        try makeTable(connection)
        let me = try connection.query(Statement("pid", "select pg_backend_pid()"))[0].get(
            0, as: Int.self)
        let killer = try connect()
        let error = #expect(throws: PostgresError.self) {
            try connection.copyIn(copy) { copy in
                for n in 1...100_000 as ClosedRange<Int32> {
                    if n == 30_000 {
                        try killer.execute(
                            Statement("kill", "select pg_terminate_backend($1, 5000)"), [me])
                    }
                    writeRow(n, note: "공구", into: &copy)
                }
            }
        }
        #expect(error?.isConnectionLost == true)
    }

    @Test func `rows made beforehand arrive as streamed ones do, as often as they are sent`() throws
    {
        let connection = try connect()
        let rows = CopyRows()
        // One row, rows that outgrow their room several times, and some larger than all before.
        let long = String(repeating: "b", count: 9_999_999)
        for (count, note) in [(1, "a"), (20_000, "공구"), (2, long)] as [(Int32, String)] {
            func write(_ copy: inout CopyIn) {
                for n in 1...count { writeRow(n, note: note, into: &copy) }
            }
            try makeTable(connection)
            _ = try connection.copyIn(copy, write)
            try connection.run(script: "alter table samples rename to streamed")
            rows.make(write)
            for _ in 1...2 {
                try makeTable(connection)
                #expect(try connection.copyIn(copy, rows: rows) == Int(count))
                let different = Statement(
                    "made_differences",
                    "select count(*) from samples as s full join streamed as t using (n) "
                        + "where s is distinct from t")
                #expect(try connection.query(different)[0].get(0) == 0)
                try connection.run(script: "drop table samples")
            }
            try connection.run(script: "drop table streamed")
        }
    }

    @Test func `a number is written over a row that is made, and another's rows are left alone`()
        throws
    {
        let connection = try connect()
        try makeTable(connection)
        let rows = CopyRows()
        var offsets: [Int] = []
        rows.make { copy in
            for n in 1...5000 as ClosedRange<Int32> {
                copy.beginRow(columns: 2)
                copy.writeInt32(n)
                offsets.append(copy.nextOffset)
                copy.writeInt32(0)
            }
        }
        for (n, offset) in offsets.enumerated() where n % 2 == 1 {
            rows.replaceInt32(at: offset, by: -Int32(n))
        }
        let some = Statement("some_copy", "copy samples (n, half) from stdin (format binary)")
        #expect(try connection.copyIn(some, rows: rows) == 5000)
        let wrong = Statement(
            "some_wrong",
            "select count(*) from samples "
                + "where half <> case when n % 2 = 0 then 1 - n else 0 end")
        #expect(try connection.query(wrong)[0].get(0) == 0)
    }
}
