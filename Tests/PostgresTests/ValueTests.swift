import Postgres
import TestSupport
import Testing

func connect(_ name: String = "PostgresTests") throws -> Connection {
    try Connection(url: TestServers.databaseURL(), applicationName: name)
}

@Suite struct ValueTests {
    private func echo<T: PostgresEncodable & PostgresDecodable>(
        _ value: T?, _ type: String, in connection: Connection
    ) throws -> T? {
        try connection.query(echoes[type]!, [value])[0].get("value")
    }

    private let echoes: [String: Statement] = [
        "bool": Statement("echo_bool", "select $1::bool as value"),
        "int2": Statement("echo_int2", "select $1::int2 as value"),
        "int4": Statement("echo_int4", "select $1::int4 as value"),
        "int8": Statement("echo_int8", "select $1::int8 as value"),
        "float8": Statement("echo_float8", "select $1::float8 as value"),
        "text": Statement("echo_text", "select $1::text as value"),
        "varchar": Statement("echo_varchar", "select $1::varchar as value"),
        "bytea": Statement("echo_bytea", "select $1::bytea as value"),
        "uuid": Statement("echo_uuid", "select $1::uuid as value"),
        "timestamptz": Statement("echo_timestamptz", "select $1::timestamptz as value"),
        "date": Statement("echo_date", "select $1::date as value"),
        "json": Statement("echo_json", "select $1::json as value"),
        "jsonb": Statement("echo_jsonb", "select $1::jsonb as value"),
        "int8[]": Statement("echo_int8s", "select $1::int8[] as value"),
        "int4[]": Statement("echo_int4s", "select $1::int4[] as value"),
        "text[]": Statement("echo_texts", "select $1::text[] as value"),
        "uuid[]": Statement("echo_uuids", "select $1::uuid[] as value"),
        "timestamptz[]": Statement("echo_times", "select $1::timestamptz[] as value"),
    ]

    private func expectEcho<T: PostgresEncodable & PostgresDecodable & Equatable>(
        _ values: [T], _ type: String, in connection: Connection
    ) throws {
        for value in values {
            #expect(try echo(value, type, in: connection) == value, "as \(type)")
        }
        #expect(try echo(T?.none, type, in: connection) == nil, "null as \(type)")
    }

    @Test func `every type comes back as it went in, and null as nil`() throws {
        let connection = try connect()
        try expectEcho([true, false], "bool", in: connection)
        try expectEcho([0, -1, Int16.max, .min], "int2", in: connection)
        try expectEcho([0, -1, Int32.max, .min], "int4", in: connection)
        try expectEcho([0, -1, Int.max, .min], "int8", in: connection)
        try expectEcho([0, -1, Int64.max, .min], "int8", in: connection)
        try expectEcho([-7], "int4", in: connection)
        try expectEcho([0, -1.5, .infinity, .leastNonzeroMagnitude], "float8", in: connection)
        let texts = [
            "", "공구를 찾을 수 없습니다", "a\u{1F381}'\\\"\n", String(repeating: "한", count: 9000),
        ]
        try expectEcho(texts, "text", in: connection)
        try expectEcho(texts, "varchar", in: connection)
        try expectEcho(
            [[], [0, 255, 39, 92], [UInt8](repeating: 0, count: 70_000)], "bytea", in: connection)
        try expectEcho(
            [PostgresUUID(high: 0x0193_1E5B_7C00_7ABC, low: .max), PostgresUUID(high: 0, low: 0)],
            "uuid", in: connection)
        try expectEcho(
            [1_795_219_200_123_456, -1, 0, 946_684_800_000_000, .max, .min].map {
                PostgresTimestamp(microseconds: $0)
            }, "timestamptz", in: connection)
        try expectEcho(
            [-719_162, 0, 10_957, 20_778].map { PostgresDate(daysSince1970: $0) }, "date",
            in: connection)
        try expectEcho([PostgresJSON(text: #"{"공구":[1,null]}"#)], "json", in: connection)
        try expectEcho([PostgresJSON(text: #"{"a": [1, null]}"#)], "jsonb", in: connection)
        try expectEcho([[], [1, -1, .max]], "int8[]", in: connection)
        try expectEcho([[], [1, -1]] as [[Int]], "int4[]", in: connection)
        try expectEcho([[], ["", "쉼표, 따옴표\"", "{}"]], "text[]", in: connection)
        try expectEcho([[], [PostgresUUID(high: 1, low: 2)]], "uuid[]", in: connection)
        try expectEcho([[PostgresTimestamp(microseconds: -5)]], "timestamptz[]", in: connection)
    }

    @Test func `the server reads a value as what it means`() throws {
        let connection = try connect()
        let row = try connection.query(
            Statement(
                "meanings",
                """
                select $1::timestamptz = '2026-11-21 00:00:00.000001+09',
                       $2::uuid = '01931e5b-7c00-7abc-8000-0000000000ff',
                       $3::date = '2026-11-21',
                       length($4::text),
                       host($5::inet),
                       $6::numeric = 12345.67,
                       cardinality($7::text[])
                """),
            [
                PostgresTimestamp(microseconds: 1_795_186_800_000_001),
                PostgresUUID(high: 0x0193_1E5B_7C00_7ABC, low: 0x8000_0000_0000_00FF),
                PostgresDate(daysSince1970: 20_778), "공구\u{1F381}", "2001:db8::1", "12345.67",
                [String](),
            ])[0]
        #expect(try row.get(0) == true)
        #expect(try row.get(1) == true)
        #expect(try row.get(2) == true)
        #expect(try row.get(3) == 3)
        #expect(try row.get(4) == "2001:db8::1")
        #expect(try row.get(5) == true)
        #expect(try row.get(6) == 0)
    }

    @Test func `a value that does not fit is refused before it is sent`() throws {
        let connection = try connect()
        let pairs: [(any PostgresEncodable, String)] = [
            (32_768, "int2"), (Int(Int32.max) + 1, "int4"), (1.5, "int4"),
            (true, "int4"), (PostgresTimestamp(microseconds: .min + 1), "timestamptz"),
            ("2026\u{0}", "date"),
        ]
        for (value, type) in pairs {
            let error = #expect(throws: PostgresError.self) {
                try connection.query(echoes[type]!, [value])
            }
            #expect(error?.kind == .encoding, "\(value) as \(type)")
            #expect(error?.message.contains("2026") != true, "no values in errors")
        }
        // NUL has a length in the binary form, so the server sees and refuses it.
        let error = #expect(throws: PostgresError.self) {
            try connection.query(echoes["text"]!, ["a\u{0}b"])
        }
        #expect(error?.sqlState == "22021")
    }

    @Test func `a column that does not suit names itself`() throws {
        let row = try connect().query(
            Statement(
                "suits", "select 1::int8 as total, null::text as note, 1.5::numeric as rate"))[
                0]
        for (column, read) in [
            ("total", { _ = try row.get("total", as: Int32.self) }),
            ("total", { _ = try row.get("total", as: String.self) }),
            ("note", { _ = try row.get("note", as: String.self) }),
            ("rate", { _ = try row.get("rate", as: Double.self) }),
            ("absent", { _ = try row.get("absent", as: Int.self) }),
        ] as [(String, () throws -> Void)] {
            let error = #expect(throws: PostgresError.self) { try read() }
            #expect(error?.kind == .decoding)
            #expect(error?.column == column)
            #expect(error?.statement == "suits")
        }
        #expect(try row.get("note", as: String?.self) == nil)
        #expect(try row.get("total", as: Int?.self) == 1)
    }
}
