import Clicks
import Foundation
import HTTPTypes
import Postgres
import Testing
import TestSupport

@testable import API

/// What iCalendar's text looks like, whatever is in it.
@Suite struct ICalendarTextTests {
    /// Undoes what section 3.1 and 3.3.11 of RFC 5545 ask for, straight from their words.
    private func read(_ bytes: [UInt8]) throws -> (name: String, value: String) {
        let text = String(decoding: bytes, as: UTF8.self).unicodeScalars
        var unfolded = String.UnicodeScalarView()
        var rest = text[...]
        while let scalar = rest.popFirst() {
            if scalar == "\r", rest.first == "\n", rest.dropFirst().first == " " {
                rest = rest.dropFirst(2)
            } else {
                unfolded.append(scalar)
            }
        }
        let whole = unfolded.prefix { $0 != "\r" }
        let colon = try #require(whole.firstIndex(of: ":"))
        var value = String.UnicodeScalarView()
        var escaped = whole[whole.index(after: colon)...]
        while let scalar = escaped.popFirst() {
            guard scalar == "\\" else {
                #expect(scalar != ";" && scalar != ",")
                value.append(scalar)
                continue
            }
            let after = escaped.popFirst()
            let next = try #require(after)
            value.append(next == "n" ? "\n" : next)
        }
        return (String(whole[..<colon]), String(value))
    }

    @Test func `any text comes back, in lines of at most 75 octets of whole characters`() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(state: seed)
        let alphabet: [Unicode.Scalar] = [
            "a", "Z", " ", ",", ";", "\\", ":", "\"", "\n", "\t", "é", "가", "힣", "😀", "\u{301}",
        ]
        for length in 0..<400 {
            var scalars = String.UnicodeScalarView()
            for _ in 0..<length { scalars.append(alphabet.randomElement(using: &random)!) }
            let value = String(scalars)
            var text = ICalendarText()
            text.text("SUMMARY", value)
            for line in text.bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
                .dropLast()
            {
                #expect(line.last == 0x0D)
                #expect(line.count - 1 <= 75, "\(seed)")
                #expect(String(validating: line, as: UTF8.self) != nil, "\(seed)")
            }
            let (name, found) = try read(text.bytes)
            #expect(name == "SUMMARY")
            #expect(Array(found.utf8) == Array(value.utf8), "\(seed)")
        }
    }

    @Test func `the limit is met to the octet`() {
        for (count, lines) in [(67, 1), (68, 2), (68 + 73, 2), (68 + 74, 3)] {
            var text = ICalendarText()
            text.text("SUMMARY", String(repeating: "a", count: count))
            #expect(text.bytes.filter { $0 == 0x0A }.count == lines, "\(count)")
        }
    }

    @Test func `line breaks are one, control characters none`() {
        var text = ICalendarText()
        text.text("X", "a\r\nb\rc\nd\u{0}\u{1B}\u{7F}e")
        text.line("Y", "a\r\nBEGIN:VEVENT")
        #expect(
            String(decoding: text.bytes, as: UTF8.self)
                == "X:a\\nb\\nc\\nde\r\nY:aBEGIN:VEVENT\r\n")
    }
}

@Suite struct ConditionalTests {
    @Test func `dates are written and read as HTTP has them`() {
        let table = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Tue, 29 Feb 2028 23:59:59 GMT", 1_835_481_599),
            ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
        ]
        for (text, seconds) in table {
            let time = Timestamp(microseconds: Int64(seconds) * 1_000_000 + 999_999)
            #expect(HTTPDate(containing: time).text == text)
            #expect(HTTPDate(text)?.seconds == Int64(seconds))
        }
        for text in [
            "", "Sun, 06 Nov 1994 08:49:37", "Sun, 31 Feb 1994 08:49:37 GMT", "yesterday",
            "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
        ] {
            #expect(HTTPDate(text) == nil, "\(text)")
        }
    }
}

@Suite struct CalendarRoutesTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    private static let insert = Statement(
        "test_gonggu",
        """
        insert into gonggus (
            id, influencer_id, title, original_price, gonggu_price, external_url, open_at,
            close_at, created_at, updated_at
        )
        select gen_random_uuid(), id, $2, 2000, 1000, 'https://shop.example/', $3, $4,
            now() - interval '1 day', now() - interval '1 hour'
        from users
        where id = $1
        returning id
        """)

    private func add(
        _ title: String, of owner: Identifier, _ open: String, _ close: String
    ) throws -> Identifier {
        try test.connect().query(
            Self.insert, [owner, title, Timestamp(rfc3339: open), Timestamp(rfc3339: close)])[0]
            .get("id")
    }

    private func owner(_ caller: Caller) async throws -> Identifier {
        let member = try await caller.member(.influencer, on: test)
        let id = try await member.send(.get, "/api/v1/users/me").json["id"]?.text
        return try #require(Identifier(id ?? ""))
    }

    @Test func `a month has what opens and closes on each day of Korea`() async throws {
        try await test.call { caller in
            let (hana, duri) = (try await owner(caller), try await owner(caller))
            // The last microseconds of October in Korea, and the first of November and December.
            _ = try add(
                "전달", of: hana, "2026-10-31T23:59:59.999999+09:00", "2026-11-01T00:00:00+09:00")
            _ = try add("첫날", of: hana, "2026-10-31T15:00:00Z", "2026-11-30T14:59:59.999999Z")
            _ = try add("다음 달", of: duri, "2026-11-15T12:00:00+09:00", "2026-12-01T00:00:00+09:00")
            for number in 0..<25 {
                let minute = number < 10 ? "0\(number)" : "\(number)"
                _ = try add(
                    "많음 \(minute)", of: duri, "2026-11-20T12:\(minute):00+09:00",
                    "2027-01-01T00:00:00+09:00")
            }
            let answer = try await caller.send(.get, "/api/v1/calendar?month=2026-11")
            #expect(answer.status == 200 && answer.json["month"] == "2026-11")
            let days = answer.json["days"]?.list ?? []
            #expect(days.count == 30)
            func titles(_ day: Int, _ kind: String) -> [String] {
                (days[day - 1][kind]?["items"]?.list ?? []).compactMap { $0["title"]?.text }
            }
            #expect(days[0]["date"] == "2026-11-01" && days[29]["date"] == "2026-11-30")
            #expect(titles(1, "openings") == ["첫날"] && titles(1, "closings") == ["전달"])
            #expect(titles(30, "closings") == ["첫날"] && titles(15, "openings") == ["다음 달"])
            #expect(titles(2, "openings") == [] && days[1]["openings"]?["total"] == 0)
            #expect(days[19]["openings"]?["total"] == 25)
            #expect(titles(20, "openings") == (0..<20).map { "많음 \($0 < 10 ? "0" : "")\($0)" })
            let own = try await caller.send(
                .get, "/api/v1/calendar?month=2026-11&influencer_id=\(hana)")
            #expect(own.json["days"]?[19]?["openings"]?["total"] == 0)
            #expect(own.json["days"]?[0]?["openings"]?["total"] == 1)
            let leap = try await caller.send(.get, "/api/v1/calendar?month=2028-02")
            #expect(leap.json["days"]?.list?.count == 29)
            for month in ["0001-01", "9999-12"] {
                let edge = try await caller.send(.get, "/api/v1/calendar?month=\(month)")
                #expect(edge.status == 200, "\(month)")
            }
            for month in ["2026-13", "2026-1", "26-11", ""] {
                let bad = try await caller.send(.get, "/api/v1/calendar?month=\(month)")
                #expect(bad.status == 422, "\(month)")
            }
            #expect(try await caller.send(.get, "/api/v1/calendar").json["days"]?.list != nil)
        }
    }

    @Test func `another reader of iCalendar finds every opening and closing`() async throws {
        try await test.call { caller in
            let hana = try await owner(caller)
            let title = "봄;나물, 특가 \\ \"공구\" 😀 " + String(repeating: "아주 긴 제목 ", count: 12)
            let now = Timestamp.now
            let open = now.advanced(bySeconds: -3600).rfc3339()
            let close = now.advanced(bySeconds: 86_400).rfc3339()
            let id = try add(title, of: hana, open, close)
            _ = try add("지난", of: hana, "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")
            let feed = try await caller.raw("/api/v1/calendar.ics")
            #expect(feed.status == 200)
            #expect(feed.headers[.contentType] == "text/calendar; charset=utf-8")
            #expect(feed.headers[.vary]?.hasPrefix("Accept-Language") == true)
            let read = try CalendarReader.read(feed.bytes)
            #expect(read["errors"] == [])
            #expect(read["properties"]?["X-WR-CALNAME"] == "공구모아")
            #expect(read["properties"]?["REFRESH-INTERVAL"] == "1:00:00")
            #expect(read["properties"]?["VERSION"] == "2.0")
            let events = read["events"]?.list ?? []
            try #require(events.count == 2)
            let code = try test.connect().query(QRQueries.selectCode, [id])[0]
                .get("short_code", as: String.self)
            for (event, what) in zip(events, [("open", "오픈", open), ("close", "마감", close)]) {
                let start = try #require(Timestamp(rfc3339: what.2))
                #expect(event["uid"]?.text == "\(id)-\(what.0)@gonggumoa")
                #expect(event["summary"]?.text == "[\(what.1)] \(title)")
                #expect(event["start"]?.integer == Int(start.microseconds / 1_000_000))
                #expect(
                    event["url"]?.text == "https://go.gonggumoa.example/go/\(code)?ch=calendar")
                #expect(event["description"]?.text?.contains("1000원\n") == true)
                #expect(event["sequence"] == 82_800)
                #expect(event["stamp"] == event["modified"])
            }
            let english = try await caller.raw(
                "/api/v1/calendar.ics", [.acceptLanguage: "en"])
            #expect(String(decoding: english.bytes, as: UTF8.self).contains("[Opens]"))
            let none = try await caller.raw(
                "/api/v1/calendar.ics?influencer_id=\(Identifier.new())")
            #expect(try CalendarReader.read(none.bytes)["events"] == [])
        }
    }

    @Test func `a calendar that has the feed is told so until something changes`() async throws {
        try await test.call { [test] caller in
            let hana = try await owner(caller)
            let now = Timestamp.now
            let id = try add(
                "공구", of: hana, now.advanced(bySeconds: -60).rfc3339(),
                now.advanced(bySeconds: 86_400).rfc3339())
            let uri = "/api/v1/calendar.ics"
            let first = try await caller.raw(uri)
            let tag = try #require(first.headers[.eTag])
            let modified = try #require(first.headers[.lastModified])
            let same = try await caller.raw(uri, [.ifNoneMatch: "\"other\", W/\(tag)"])
            #expect(same.status == 304 && same.bytes.isEmpty && same.headers[.eTag] == tag)
            #expect(try await caller.raw(uri, [.ifModifiedSince: modified]).status == 304)
            // A tag that is not ours counts more than a date that is.
            let other = try await caller.raw(
                uri, [.ifNoneMatch: "\"other\"", .ifModifiedSince: modified])
            #expect(other.status == 200 && other.bytes == first.bytes)
            let early = try await caller.raw(
                uri, [.ifModifiedSince: "Thu, 01 Jan 1970 00:00:00 GMT"])
            #expect(early.status == 200)

            let edit = Statement("test_hide", "update gonggus set hidden_at = now() where id = $1")
            try test.connect().execute(edit, [id])
            let gone = try await caller.raw(
                uri, [.ifNoneMatch: tag, .ifModifiedSince: modified])
            #expect(gone.status == 200)
            #expect(try await caller.raw(uri, [.ifModifiedSince: modified]).status == 200)
            // A change within the last seconds has no date: the next one could have the same.
            #expect(gone.headers[.lastModified] == nil)
        }
    }

    @Test func `the feed has its bound, and those that close first`() async throws {
        try await test.call { [test] caller in
            let hana = try await owner(caller)
            let many = Statement(
                "test_many",
                """
                insert into gonggus (
                    influencer_id, title, original_price, gonggu_price, external_url, open_at,
                    close_at
                )
                select $1, number::text, 2, 1, 'https://shop.example/', now(),
                    now() + number * interval '1 minute'
                from generate_series(1, 600) as number
                """)
            try test.connect().execute(many, [hana])
            let read = try CalendarReader.read(try await caller.raw("/api/v1/calendar.ics").bytes)
            let events = read["events"]?.list ?? []
            #expect(events.count == 2 * CalendarFeed.gonggusMax && read["errors"] == [])
            #expect(events.last?["summary"]?.text == "[마감] \(CalendarFeed.gonggusMax)")
        }
    }
}

/// An iCalendar as the icalendar package for Python reads it.
enum CalendarReader {
    private static let program = """
        import icalendar, json, sys
        calendar = icalendar.Calendar.from_ical(open(sys.argv[1], "rb").read())
        seconds = lambda p: int(p.dt.timestamp())
        print(json.dumps({
            "errors": [str(e) for c in calendar.walk() for e in c.errors],
            "properties": {
                "X-WR-CALNAME": str(calendar["X-WR-CALNAME"]),
                "VERSION": str(calendar["VERSION"]),
                "REFRESH-INTERVAL": str(calendar["REFRESH-INTERVAL"].dt),
            },
            "events": [{
                "uid": str(e["UID"]), "summary": str(e["SUMMARY"]), "url": str(e["URL"]),
                "description": str(e["DESCRIPTION"]), "start": seconds(e["DTSTART"]),
                "stamp": seconds(e["DTSTAMP"]), "modified": seconds(e["LAST-MODIFIED"]),
                "sequence": int(e["SEQUENCE"]),
            } for e in calendar.walk("VEVENT")],
        }))
        """

    /// Its components and properties; `errors` lists what the reader could not make sense of.
    static func read(_ bytes: [UInt8]) throws -> JSON {
        let environment = ProcessInfo.processInfo.environment
        let python = try #require(
            environment["TEST_ICALENDAR_PYTHON"],
            "scripts/test installs the reader and says where it is")
        let folder = try TestFolder()
        let path = folder.path + "/feed.ics"
        try Data(bytes).write(to: URL(filePath: path))
        let process = try ChildProcess(
            python, ["-c", program, path], logPath: folder.path + "/log")
        process.wait()
        return try JSON(reading: process.log.utf8)
    }
}

extension Caller {
    struct RawAnswer: Sendable {
        let status: Int
        let headers: HTTPFields
        let bytes: [UInt8]
    }

    /// What is not JSON, got.
    func raw(_ uri: String, _ headers: HTTPFields = [:]) async throws -> RawAnswer {
        try await client.execute(uri: uri, method: .get, headers: headers, body: nil) { response in
            RawAnswer(
                status: response.status.code, headers: response.headers,
                bytes: Array(response.body.readableBytesView))
        }
    }
}
