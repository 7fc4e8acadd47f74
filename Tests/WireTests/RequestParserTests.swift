import Testing
import Wire

/// One input, read by the parser where one byte more would end the process.
private struct Reading {
    let memory = GuardedBytes()

    func parse(
        _ bytes: some Collection<UInt8>, seenBefore: Int = 0,
        limit: Int = RequestParser.headBytesMax
    ) -> (outcome: ParseOutcome, head: RequestHead, bytes: UnsafeRawBufferPointer) {
        var head = RequestHead()
        let placed = memory.place(bytes)
        let outcome = RequestParser.parse(
            placed, seenBefore: seenBefore, headBytesMax: limit, into: &head)
        return (outcome, head, placed)
    }
}

private func text(_ range: ByteRange, _ bytes: UnsafeRawBufferPointer) -> String? {
    range.isPresent ? String(decoding: range.bytes(in: bytes), as: UTF8.self) : nil
}

struct RequestParserTests {
    private let reading = Reading()

    @Test func `a browser's request is read field by field`() {
        let (outcome, head, bytes) = reading.parse(RequestSamples.browser.utf8)
        #expect(outcome == .complete(headBytes: RequestSamples.browser.utf8.count))
        #expect(head.method == .get && head.minorVersion == 1 && head.keepAlive)
        #expect(text(head.path, bytes) == "/go/3Jd9xKq2")
        #expect(text(head.query, bytes) == "ch=story")
        #expect(text(head.host, bytes) == "go.gonggumoa.kr")
        #expect(text(head.userAgent, bytes)?.hasSuffix("KAKAOTALK 10.8.3") == true)
        #expect(text(head.referer, bytes) == "https://l.instagram.com/")
        #expect(!head.isPrefetch && !head.hasContentLength && !head.expectsContinue)
        #expect(!head.origin.isPresent && !head.cookie.isPresent)
    }

    @Test func `a script's report is read field by field`() {
        let (outcome, head, bytes) = reading.parse(RequestSamples.report.utf8)
        #expect(outcome == .complete(headBytes: RequestSamples.report.utf8.count))
        #expect(head.method == .post && head.hasContentLength && head.contentLength == 25)
        #expect(text(head.contentType, bytes) == "application/json; charset=utf-8")
        #expect(text(head.origin, bytes) == "https://gonggumoa.kr")
        #expect(text(head.authorization, bytes) == "Bearer a.b.c")
        #expect(text(head.cookie, bytes) == "access_token=x.y.z; other=1")
        #expect(text(head.forwardedFor, bytes) == "203.0.113.9, 10.0.0.1")
        #expect(text(head.accessControlRequestMethod, bytes) == "POST")
        #expect(head.isPrefetch && head.expectsContinue)
    }

    @Test func `of repeated fields the stated one is kept`() {
        let request = RequestSamples.good.first { $0.contains("User-Agent: two") } ?? ""
        let (_, head, bytes) = reading.parse(request.utf8)
        #expect(text(head.userAgent, bytes) == "one")
        #expect(text(head.referer, bytes) == "1")
        let hops = text(head.forwardedFor, bytes) ?? ""
        #expect(hops.hasPrefix("1.1.1.1\r\n") && hops.hasSuffix(": 2.2.2.2"), "\(hops)")
    }

    @Test func `the authority of an absolute target is the host that counts`() {
        let request = "GET HTTP://a.example/b HTTP/1.1\r\nHost: A.example:80\r\n\r\n"
        let (_, head, bytes) = reading.parse(request.utf8)
        #expect(text(head.host, bytes) == "a.example")
        #expect(text(head.path, bytes) == "/b")
    }

    @Test(arguments: RequestSamples.good)
    func `each good request is complete, and each of its prefixes partial`(request: String) {
        let bytes = Array(request.utf8)
        #expect(reading.parse(bytes).outcome == .complete(headBytes: bytes.count))
        for count in 0..<bytes.count {
            #expect(reading.parse(bytes.prefix(count)).outcome == .partial, "\(count) bytes")
        }
    }

    @Test(arguments: RequestSamples.good)
    func `a drip-fed request ends as it would have in one piece`(request: String) {
        let bytes = Array(request.utf8)
        for step in [1, 2, 3, 7, 8, 64] {
            var seen = 0
            var outcome = ParseOutcome.partial
            for count in stride(from: step, to: bytes.count + step, by: step) {
                #expect(outcome == .partial)
                let arrived = bytes.prefix(count)
                outcome = reading.parse(arrived, seenBefore: seen).outcome
                seen = arrived.count
            }
            #expect(outcome == .complete(headBytes: bytes.count), "steps of \(step)")
        }
    }

    @Test(arguments: RequestSamples.good)
    func `what follows a head is left for the next call`(request: String) {
        let all = Array((request + RequestSamples.browser + "GET /x").utf8)
        var rest = all[...]
        #expect(reading.parse(rest).outcome == .complete(headBytes: request.utf8.count))
        rest = rest.dropFirst(request.utf8.count)
        let second = RequestSamples.browser.utf8.count
        #expect(reading.parse(rest).outcome == .complete(headBytes: second))
        #expect(reading.parse(rest.dropFirst(second)).outcome == .partial)
    }

    @Test(arguments: MalformedSamples.requestLines)
    func `a malformed request line is refused`(
        shape: String, request: String, fault: RequestFault
    ) {
        #expect(reading.parse(request.utf8).outcome == .malformed(fault), "\(shape)")
    }

    @Test(arguments: MalformedSamples.fields)
    func `a malformed field is refused wherever it stands`(
        shape: String, lines: String, fault: RequestFault
    ) {
        let early = "GET / HTTP/1.1\r\n" + lines + "\r\n"
        #expect(reading.parse(early.utf8).outcome == .malformed(fault), "\(shape)")
        let others = "Accept: text/html,application/xhtml+xml\r\nX-Filler-Field: 0123456789\r\n"
        let late = "POST /a?b HTTP/1.1\r\n" + others + lines + "\r\n" + RequestSamples.browser
        #expect(reading.parse(late.utf8).outcome == .malformed(fault), "late: \(shape)")
    }

    @Test func `a stray line feed in a later piece is told at once`() {
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\n".utf8)
        let outcome = reading.parse(bytes, seenBefore: bytes.count - 1).outcome
        #expect(outcome == .malformed(.lineEnd))
    }

    @Test func `a head of 16 KiB is taken, one byte more is not`() {
        func head(of count: Int) -> [UInt8] {
            let start = "GET / HTTP/1.1\r\nHost: a\r\nX: "
            let filler = String(repeating: "x", count: count - start.utf8.count - 4)
            return Array((start + filler + "\r\n\r\n").utf8)
        }
        let most = RequestParser.headBytesMax
        #expect(reading.parse(head(of: most)).outcome == .complete(headBytes: most))
        #expect(reading.parse(head(of: most) + [71]).outcome == .complete(headBytes: most))
        #expect(reading.parse(head(of: most).dropLast()).outcome == .partial)
        let over = head(of: most + 1)
        #expect(reading.parse(over).outcome == .malformed(.headTooLarge))
        #expect(reading.parse(over.dropLast()).outcome == .malformed(.headTooLarge))
        #expect(
            reading.parse(over.dropLast(), seenBefore: 9000).outcome == .malformed(.headTooLarge))
        #expect(reading.parse(head(of: 99), limit: 98).outcome == .malformed(.headTooLarge))
    }

    @Test func `a hundred fields are taken, one more is not`() {
        func head(fields: Int) -> String {
            "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: y\r\n", count: fields - 1)
                + "\r\n"
        }
        let most = RequestParser.fieldsMax
        let full = head(fields: most)
        #expect(reading.parse(full.utf8).outcome == .complete(headBytes: full.utf8.count))
        let over = head(fields: most + 1)
        #expect(reading.parse(over.utf8).outcome == .malformed(.tooManyFields))
    }

    @Test func `each field name is known in either case and no other way`() {
        let names = [
            "host", "cookie", "referer", "user-agent", "origin", "content-type", "authorization",
            "x-forwarded-for", "access-control-request-method",
        ]
        for name in names {
            for position in name.indices {
                var upper = name
                upper.replaceSubrange(position...position, with: name[position].uppercased())
                #expect(presentFields(upper) == [name], "\(upper)")
                var other = name
                other.replaceSubrange(position...position, with: "j")
                #expect(presentFields(other).isEmpty, "\(other)")
            }
        }
    }

    private func presentFields(_ name: String) -> [String] {
        let short = presentFields(of: "GET / HTTP/1.0\r\n\(name): v\r\n\r\n")
        // A long head is read by other means.
        let filler = "X-Filler: \(String(repeating: "a", count: 100))\r\n"
        #expect(presentFields(of: "GET / HTTP/1.0\r\n\(name): v\r\n\(filler)\r\n") == short)
        return short
    }

    private func presentFields(of request: String) -> [String] {
        let (outcome, head, _) = reading.parse(request.utf8)
        #expect(outcome == .complete(headBytes: request.utf8.count))
        let fields: [(String, ByteRange)] = [
            ("host", head.host), ("cookie", head.cookie), ("referer", head.referer),
            ("user-agent", head.userAgent), ("origin", head.origin),
            ("content-type", head.contentType), ("authorization", head.authorization),
            ("x-forwarded-for", head.forwardedFor),
            ("access-control-request-method", head.accessControlRequestMethod),
        ]
        return fields.filter { $0.1.isPresent }.map(\.0)
    }

    /// The marks of a head are made in slices, and those of labels for its first 64 bytes.
    @Test func `a link's request is read whatever the length of its identifier and its query`() {
        let fields = "Host: a.example\r\nUser-Agent: x\r\nReferer: https://b.example/\r\n\r\n"
        for idBytes in [1, 36, 55, 56, 57, 64, 80] {
            let id = String(repeating: "x", count: idBytes)
            for queryBytes in 0...640 {
                let query = String(repeating: "q", count: queryBytes)
                let request = "GET /go/\(id)?\(query) HTTP/1.1\r\n\(fields)"
                let (outcome, head, bytes) = reading.parse(request.utf8)
                let isRight =
                    outcome == .complete(headBytes: request.utf8.count)
                    && text(head.path, bytes) == "/go/\(id)" && text(head.query, bytes) == query
                    && text(head.host, bytes) == "a.example" && text(head.userAgent, bytes) == "x"
                    && text(head.referer, bytes) == "https://b.example/"
                if !isRight { Issue.record("\(idBytes) and \(queryBytes) bytes") }
            }
        }
    }

    @Test func `every fault has a status of its contract`() {
        for fault in RequestFault.allCases { #expect([400, 431, 505].contains(fault.status)) }
        #expect(RequestFault.versionNotSupported.status == 505)
        #expect(RequestFault.headTooLarge.status == 431 && RequestFault.host.status == 400)
    }

    @Test func `a head is small`() {
        #expect(MemoryLayout<RequestHead>.size <= 80)
        #expect(MemoryLayout<ParseOutcome>.size <= 9)
    }
}
