import FuzzProperties
import Testing
import Wire

/// The parser against the obvious one, on good requests that were damaged at random.
struct RequestPropertyTests {
    private static let rounds = 20_000

    private static let snippets: [String] = [
        "\r\n", "\n", "\r", " ", "\t", ":", "\0", "\u{7F}", "\u{FF}", "?", "#", "=", "<", "//",
        "Content-Length: 5\r\n", "Content-Length:7\r\n", "Transfer-Encoding: chunked\r\n",
        "Host: b\r\n", "Host: [::1]:80\r\n", "Connection: close\r\n", "Connection: keep-alive\r\n",
        "Authorization: x\r\n", "Sec-Purpose: prefetch\r\n", "Expect: 100-continue\r\n",
        " HTTP/1.1",
        "http://a:1", "https://", "Referer: r\r\n", "X-Forwarded-For: 1\r\n", "\r\n\r\n", "* ",
        "Content-Type: y\r\n", "Cookie: c\r\n", "User-Agent: u\r\n", "0", "%41", "HTTP/2.0",
    ]

    @Test func `a damaged request is judged as the obvious parser judges it`() {
        let seed = SplitMix64.seed
        var random = SplitMix64(seed: seed)
        let memory = GuardedBytes()
        var seen = (complete: 0, undecided: 0, malformed: Set<RequestFault>())
        for round in 0..<RequestPropertyTests.rounds {
            let bytes = RequestPropertyTests.damaged(&random)
            let limit = random.next() % 16 == 0 ? Int.random(in: 1...200, using: &random) : 16_384
            var oracle = RequestOracle()
            let expected = oracle.parse(bytes, limit: limit)
            var head = RequestHead()
            let placed = memory.place(bytes)
            let outcome = RequestParser.parse(
                placed, seenBefore: 0, headBytesMax: limit, into: &head)
            let note = Comment(rawValue: "TEST_SEED=\(seed), round \(round): \(show(bytes))")
            switch expected {
            case .complete(let count):
                seen.complete += 1
                #expect(outcome == .complete(headBytes: count), note)
                compare(head, placed, oracle, note)
            case .malformed(.headTooLarge):
                // A line that is longer than the limit may be found faulty before it is too long.
                if case .malformed = outcome { break }
                Issue.record(note)
            case .malformed(let fault):
                seen.malformed.insert(fault)
                #expect(outcome == .malformed(fault), note)
            case .undecided:
                seen.undecided += 1
                if case .complete = outcome { Issue.record(note) }
            }
            checkPieces(bytes, limit, outcome, memory, &random, note)
        }
        // Damage that no longer reaches a rule would make this test say less than it claims.
        #expect(seen.complete > 1000 && seen.undecided > 100 && seen.malformed.count >= 11)
    }

    /// Each of the bytes that mean something, at each place of a browser's request.
    @Test func `one wrong byte is judged as the obvious parser judges it, wherever it is`() {
        let memory = GuardedBytes()
        let good = Array(RequestSamples.browserBehindProxy.utf8)
        let meaningful: [UInt8] = [
            0, 9, 10, 13, 0x1A, 0x20, 0x2D, 0x3A, 0x3F, 0x5F, 0x61, 0x7F, 0x80,
        ]
        for place in good.indices {
            for byte in meaningful + [good[place] ^ 0x20] {
                var bytes = good
                bytes[place] = byte
                var oracle = RequestOracle()
                let expected = oracle.parse(bytes, limit: RequestParser.headBytesMax)
                var head = RequestHead()
                let placed = memory.place(bytes)
                let outcome = RequestParser.parse(placed, seenBefore: 0, into: &head)
                let note = Comment(rawValue: "\(byte) at \(place)")
                switch expected {
                case .complete(let count):
                    #expect(outcome == .complete(headBytes: count), note)
                    compare(head, placed, oracle, note)
                case .malformed(let fault): #expect(outcome == .malformed(fault), note)
                case .undecided: if case .complete = outcome { Issue.record(note) }
                }
            }
        }
    }

    /// A request in two pieces ends as in one, or is undecided until its head has ended.
    private func checkPieces(
        _ bytes: [UInt8], _ limit: Int, _ whole: ParseOutcome, _ memory: GuardedBytes,
        _ random: inout SplitMix64, _ note: Comment
    ) {
        let cut = Int.random(in: 0...bytes.count, using: &random)
        var head = RequestHead()
        let first = RequestParser.parse(
            memory.place(bytes.prefix(cut)), seenBefore: 0, headBytesMax: limit, into: &head)
        guard first == .partial else {
            #expect(first == whole || limit < 16_384, note)
            return
        }
        let second = RequestParser.parse(
            memory.place(bytes), seenBefore: cut, headBytesMax: limit, into: &head)
        #expect(second == whole || second == .partial || second == .malformed(.headTooLarge), note)
        if case .complete = whole { #expect(second == whole, note) }
    }

    private func compare(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ oracle: RequestOracle,
        _ note: Comment
    ) {
        func value(_ range: ByteRange) -> [UInt8]? {
            range.isPresent ? Array(range.bytes(in: bytes)) : nil
        }
        #expect(head.method == oracle.method, note)
        #expect(head.minorVersion == oracle.minorVersion, note)
        #expect(head.keepAlive == oracle.keepAlive, note)
        #expect(head.isPrefetch == oracle.isPrefetch, note)
        #expect(head.expectsContinue == oracle.expectsContinue, note)
        #expect(value(head.path) == oracle.path && value(head.query) == oracle.query, note)
        #expect(value(head.host) == oracle.authority ?? oracle.first("host"), note)
        #expect(value(head.userAgent) == oracle.first("user-agent"), note)
        #expect(value(head.referer) == oracle.first("referer"), note)
        #expect(value(head.contentType) == oracle.first("content-type"), note)
        #expect(value(head.origin) == oracle.first("origin"), note)
        #expect(value(head.authorization) == oracle.first("authorization"), note)
        #expect(value(head.cookie) == oracle.first("cookie"), note)
        #expect(oracle.hasForwardedFor(value(head.forwardedFor)), note)
        let wish = oracle.first("access-control-request-method")
        #expect(value(head.accessControlRequestMethod) == wish, note)
        let length = oracle.first("content-length").map { String(decoding: $0, as: UTF8.self) }
        #expect(head.hasContentLength == (length != nil), note)
        #expect(head.contentLength == length.flatMap { Int($0) } ?? 0, note)
    }

    private static func damaged(_ random: inout SplitMix64) -> [UInt8] {
        var bytes = Array(RequestSamples.good.randomElement(using: &random)!.utf8)
        if random.next() % 2 == 0 { addFields(&bytes, &random) }
        for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch random.next() % 8 {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: at)
            case 2: bytes[at] ^= 0x20
            case 3: bytes.removeSubrange(at...)
            case 4: bytes.swapAt(at, Int.random(in: 0..<bytes.count, using: &random))
            case 5:
                // A whole line more, at the end of a line.
                let end = bytes[at...].firstIndex(of: 10) ?? at
                let line = snippets.filter { $0.hasSuffix("\r\n") }.randomElement(using: &random)!
                bytes.insert(contentsOf: line.utf8, at: min(end + 1, bytes.count))
            default:
                bytes.insert(contentsOf: snippets.randomElement(using: &random)!.utf8, at: at)
            }
        }
        return bytes
    }

    /// Fields that say nothing, behind the request line: they make a short head long enough for the
    /// marks, and shift the rest of it about in their blocks and slices.
    private static func addFields(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
        guard let line = bytes.dropFirst(2).firstIndex(of: 10) else { return }
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            var field = Array(
                ["X-Filler: ", "x:", "Sec-a: ", "accept: "].randomElement(using: &random)!.utf8)
            let isPlain = random.next() % 4 != 0
            for _ in 0..<Int.random(in: 0...(random.next() % 4 == 0 ? 700 : 70), using: &random) {
                field.append(
                    isPlain ? 0x61 : [0x61, 0x20, 0x09, 0x80, 0xFF].randomElement(using: &random)!)
            }
            bytes.insert(contentsOf: field + [13, 10], at: line + 1)
        }
    }

    private func show(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).debugDescription
    }
}
