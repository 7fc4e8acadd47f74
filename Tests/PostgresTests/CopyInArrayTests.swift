import Postgres
import TestSupport
import Testing

@Suite struct CopyInArrayTests {
    private let copy = Statement(
        "arrays_copy", "copy arrays (n, ids, times, halves, wides) from stdin (format binary)")

    /// Rows of 1 to 400 elements, so that elements straddle what is sent at a time.
    @Test func `arrays are what SQL computes`() throws {
        let connection = try connect()
        try connection.run(
            script: """
                create temporary table arrays (
                    n int primary key, ids uuid[], times timestamptz[], halves int[],
                    wides bigint[])
                """)
        let rows = try connection.copyIn(copy) { copy in
            for n in 1...400 as ClosedRange<Int32> {
                let elements = 1...Int64(n)
                copy.beginRow(columns: 5)
                copy.writeInt32(n)
                copy.beginArray(of: .uuid, count: Int(n))
                for element in elements {
                    copy.writeElement(uuidHigh: UInt64(n) << 32, low: UInt64(element))
                }
                copy.beginArray(of: .timestamptz, count: Int(n))
                for element in elements { copy.writeElement(timestamp: element * 1_000_003) }
                copy.beginArray(of: .int4, count: Int(n))
                for element in elements { copy.writeElement(Int32(-element)) }
                copy.beginArray(of: .int8, count: Int(n))
                for element in elements { copy.writeElement(element << 40) }
            }
        }
        #expect(rows == 400)
        let wrong = Statement(
            "arrays_wrong",
            """
            select count(*) as n from arrays
            where n <> cardinality(ids) or array_lower(ids, 1) <> 1
                or ids <> array(
                    select (lpad(to_hex(n), 8, '0') || lpad('', 8, '0')
                        || lpad(to_hex(e), 16, '0'))::uuid
                    from generate_series(1, n) as e)
                or times <> array(
                    select timestamptz 'epoch' + e * interval '1000003 microseconds'
                    from generate_series(1, n) as e)
                or halves <> array(select -e from generate_series(1, n) as e)
                or wides <> array(select e::bigint << 40 from generate_series(1, n) as e)
            """)
        #expect(try connection.query(wrong)[0].get("n") == 0)
    }
}
