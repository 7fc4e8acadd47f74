import Clicks
import Testing
import Wire

/// An answer taken apart again.
private struct Answer {
    let status: String
    let fields: [String: String]
    let body: String

    init(_ bytes: UnsafeRawBufferPointer) {
        let text = String(decoding: bytes, as: UTF8.self)
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
        status = String(lines.removeFirst())
        var fields: [String: String] = [:]
        while let line = lines.first, !line.isEmpty {
            lines.removeFirst()
            let colon = line.firstIndex(of: ":") ?? line.startIndex
            let name = String(line[..<colon])
            #expect(fields[name] == nil, "\(name) twice")
            fields[name] = String(line[line.index(after: colon)...].dropFirst())
        }
        #expect(lines.first?.isEmpty == true, "no blank line")
        self.fields = fields
        body = lines.dropFirst().joined(separator: "\r\n")
    }
}

struct ResponseBytesTests {
    private static let date = DateLine(unixSeconds: 784_111_777)
    private let memory = GuardedBytes()
    private let texts = GuardedBytes()

    private func terms(
        _ method: RequestMethod = .get, minor: UInt8 = 1, keepAlive: Bool = true,
        origin: String = ""
    ) -> AnswerTerms {
        var head = RequestHead()
        head.method = method
        head.minorVersion = minor
        let origin = texts.place(origin.utf8)
        return AnswerTerms(head, keepAlive: keepAlive, allowedOrigin: origin)
    }

    /// Writes into exactly the room that was asked for, which ends at an unreadable page.
    private func answer(
        room count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Int
    ) -> Answer {
        let room = memory.room(count)
        let written = write(room)
        #expect(written <= count)
        return Answer(UnsafeRawBufferPointer(rebasing: room[..<written]))
    }

    private func redirect(
        _ url: String, _ gonggu: Identifier?, _ terms: AnswerTerms, separator: UInt8 = 0
    ) -> Answer {
        let bytes = Array(url.utf8)
        return bytes.withUnsafeBytes { bytes in
            let location = AnswerLocation(bytes, separator: separator, gonggu: gonggu)
            return answer(room: ResponseBytes.redirectBytesMax(location)) {
                ResponseBytes.redirect(
                    to: location, terms, date: ResponseBytesTests.date, into: $0)
            }
        }
    }

    @Test func `a redirect carries the fields of its contract and nothing else`() {
        let url = "https://shop.example/p?utm_source=gonggumoa#top"
        let answer = redirect(url, nil, terms())
        #expect(answer.status == "HTTP/1.1 302 Found")
        #expect(
            answer.fields == [
                "Location": url, "Cache-Control": "no-store", "X-Robots-Tag": "noindex",
                "Content-Length": "0", "Date": "Sun, 06 Nov 1994 08:49:37 GMT",
            ])
        #expect(answer.body.isEmpty)
    }

    @Test func `a redirect may end in an identifier`() {
        let gonggu = Identifier(high: 0x0190_A1B2_C3D4_7E5F, low: 0x8A9B_0C1D_2E3F_4A5B)
        let answer = redirect("https://g.example/gonggus/", gonggu, terms(.head))
        #expect(
            answer.fields["Location"]
                == "https://g.example/gonggus/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
    }

    /// In its widest form, too: to a client of HTTP/1.0 whose connection stays open.
    @Test func `a redirect may end in our parameters`() {
        let gonggu = Identifier(high: 3, low: 4)
        let ours = "utm_source=gonggumoa&utm_campaign=00000000-0000-0003-0000-000000000004"
        let only = redirect("https://s.example/p", gonggu, terms(), separator: UInt8(ascii: "?"))
        #expect(only.fields["Location"] == "https://s.example/p?" + ours)
        let others = redirect(
            "https://s.example/?a=b", gonggu, terms(minor: 0), separator: UInt8(ascii: "&"))
        #expect(others.fields["Location"] == "https://s.example/?a=b&" + ours)
        #expect(others.fields["Connection"] == "keep-alive")
    }

    @Test func `the connection line says what the version does not`() {
        let line = { (minor: UInt8, keep: Bool) in
            redirect("/", nil, terms(minor: minor, keepAlive: keep)).fields["Connection"]
        }
        #expect(line(1, true) == nil && line(1, false) == "close")
        #expect(line(0, true) == "keep-alive" && line(0, false) == "close")
    }

    private func reported(
        _ url: String, _ gonggu: Identifier?, _ terms: AnswerTerms, separator: UInt8 = 0
    ) -> Answer {
        let bytes = Array(url.utf8)
        return bytes.withUnsafeBytes { bytes in
            let location = AnswerLocation(bytes, separator: separator, gonggu: gonggu)
            return answer(room: ResponseBytes.reportedBytesMax(location, terms)) {
                ResponseBytes.reported(
                    Identifier(high: 1, low: 2), redirect: location, terms,
                    date: ResponseBytesTests.date, into: $0)
            }
        }
    }

    @Test func `a report is answered with the click and where it leads`() {
        let click = "00000000-0000-0001-0000-000000000002"
        let plain = reported("https://a.example/?b=c&d", nil, terms(.post))
        #expect(plain.status == "HTTP/1.1 200 OK")
        #expect(
            plain.body == #"{"click_id":"\#(click)","redirect_url":"https://a.example/?b=c&d"}"#)
        #expect(plain.fields["Content-Length"] == "\(plain.body.utf8.count)")
        #expect(plain.fields["Content-Type"] == "application/json")
        #expect(plain.fields["Cache-Control"] == "no-store")
        let odd = reported("\"\\\u{1F}\n한", Identifier(high: 3, low: 4), terms(.post))
        let end = #""redirect_url":"\"\\\u001f\u000a한00000000-0000-0003-0000-000000000004"}"#
        #expect(odd.body.hasSuffix(end))
        #expect(odd.fields["Content-Length"] == "\(odd.body.utf8.count)")
        let ours = reported(
            "https://a.example/", Identifier(high: 3, low: 4), terms(.post),
            separator: UInt8(ascii: "?"))
        #expect(ours.body.contains("/?utm_source=gonggumoa&utm_campaign=00000000-0000-0003-"))
        #expect(ours.fields["Content-Length"] == "\(ours.body.utf8.count)")
        let worst = reported(String(repeating: "\u{1}", count: 2000), nil, terms(.post))
        #expect(worst.fields["Content-Length"] == "\(worst.body.utf8.count)")
    }

    @Test func `an allowed origin is named, with its cookies unless it is anyone`() {
        let named = reported("/", nil, terms(.post, origin: "https://gonggumoa.kr"))
        #expect(named.fields["Access-Control-Allow-Origin"] == "https://gonggumoa.kr")
        #expect(named.fields["Access-Control-Allow-Credentials"] == "true")
        #expect(named.fields["Vary"] == "Origin")
        let anyone = reported("/", nil, terms(.post, origin: "*"))
        #expect(anyone.fields["Access-Control-Allow-Origin"] == "*")
        #expect(anyone.fields["Access-Control-Allow-Credentials"] == nil)
        let none = reported("/", nil, terms(.post))
        #expect(none.fields.keys.filter { $0.hasPrefix("Access-Control") }.isEmpty)
    }

    private func short(
        _ terms: AnswerTerms, _ write: (AnswerTerms, UnsafeMutableRawBufferPointer) -> Int
    ) -> Answer {
        answer(room: ResponseBytes.shortBytesMax(terms)) { write(terms, $0) }
    }

    @Test func `a preflight allows what a report needs, and only to an allowed origin`() {
        let write = { (terms: AnswerTerms, room: UnsafeMutableRawBufferPointer) in
            ResponseBytes.preflight(terms, date: ResponseBytesTests.date, into: room)
        }
        let longest = "https://" + String(repeating: "a", count: 2000)
        let good = short(terms(.options, keepAlive: false, origin: longest), write)
        #expect(good.status == "HTTP/1.1 204 No Content" && good.body.isEmpty)
        #expect(good.fields["Access-Control-Allow-Methods"] == "POST")
        #expect(good.fields["Access-Control-Allow-Headers"] == "authorization, content-type")
        #expect(good.fields["Access-Control-Allow-Origin"] == longest)
        #expect(good.fields["Content-Length"] == nil)
        let other = short(terms(.options), write)
        #expect(other.fields.keys.filter { $0.hasPrefix("Access-Control") }.isEmpty)
    }

    @Test(arguments: ErrorAnswer.allCases)
    func `every refusal is well-formed`(error: ErrorAnswer) {
        let write = { (terms: AnswerTerms, room: UnsafeMutableRawBufferPointer) in
            ResponseBytes.error(error, terms, date: ResponseBytesTests.date, into: room)
        }
        let longest = terms(.post, minor: 0, origin: String(repeating: "o", count: 1000))
        let answer = short(longest, write)
        #expect(answer.fields["Content-Length"] == "\(answer.body.utf8.count)")
        #expect(answer.fields["Cache-Control"] == "no-store")
        let shape = #/{"detail":"[^"\\]+","code":"[A-Z_]+"}/#
        #expect(answer.body.wholeMatch(of: shape) != nil, "\(answer.body)")
        let head = short(terms(.head), write)
        #expect(head.body.isEmpty)
        #expect(head.fields["Content-Length"] == answer.fields["Content-Length"])
        #expect((answer.fields["Allow"] != nil) == answer.status.contains(" 405 "))
    }

    @Test func `every fault is answered with its own status`() {
        for fault in RequestFault.allCases {
            let answer = short(terms()) { terms, room in
                ResponseBytes.error(
                    ErrorAnswer(fault), terms, date: ResponseBytesTests.date, into: room)
            }
            #expect(answer.status.hasPrefix("HTTP/1.1 \(fault.status) "))
        }
        let expected: [ErrorAnswer: String] = [
            .notFound: "404", .gongguNotFound: "404", .linkMethodNotAllowed: "405",
            .requestTimeout: "408", .bodyTooLarge: "413", .unsupportedMediaType: "415",
            .prefetchRefused: "503", .unavailable: "503", .channelInvalid: "400",
        ]
        for (error, status) in expected {
            let answer = short(terms()) { terms, room in
                ResponseBytes.error(error, terms, date: ResponseBytesTests.date, into: room)
            }
            #expect(answer.status.hasPrefix("HTTP/1.1 \(status) "))
        }
    }

    @Test func `robots are kept off the links`() {
        let answer = short(terms()) { terms, room in
            ResponseBytes.robots(terms, date: ResponseBytesTests.date, into: room)
        }
        #expect(answer.body.contains("Disallow: /go/\n"))
        #expect(answer.fields["Content-Type"]?.hasPrefix("text/plain") == true)
        #expect(answer.fields["Content-Length"] == "\(answer.body.utf8.count)")
    }

    @Test func `dates are those of the calendar`() {
        let date = { (seconds: Int64) in
            var head = RequestHead()
            head.method = .head
            let terms = AnswerTerms(head, keepAlive: true)
            return short(terms) { terms, room in
                ResponseBytes.error(
                    .notFound, terms, date: DateLine(unixSeconds: seconds), into: room)
            }.fields["Date"]
        }
        #expect(date(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(date(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(date(951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
        #expect(date(1_735_689_599) == "Tue, 31 Dec 2024 23:59:59 GMT")
        #expect(date(253_402_300_799) == "Fri, 31 Dec 9999 23:59:59 GMT")
    }
}
