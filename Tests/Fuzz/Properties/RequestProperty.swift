import Clicks
import Wire

/// A request head is read as the obvious parser reads it, in one piece or in several; what it says
/// lies within it; and its link and its token are those the obvious readers find.
package struct RequestProperty: FuzzProperty {
    package static let name = "request"

    package init(folder: String) {}

    package func check(_ bytes: UnsafeRawBufferPointer) throws(FuzzFinding) -> Bool {
        let all = Array(bytes)
        let isWhole = try check(all, limit: RequestParser.headBytesMax)
        // A small limit too, which a fuzzer's inputs reach.
        _ = try check(all, limit: 1 + all.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFF })
        return isWhole
    }

    private func check(_ all: [UInt8], limit: Int) throws(FuzzFinding) -> Bool {
        let exact = ExactBytes(all)
        var head = RequestHead()
        let outcome = RequestParser.parse(
            exact.bytes, seenBefore: 0, headBytesMax: limit, into: &head)
        var oracle = RequestOracle()
        let expected = oracle.parse(all, limit: limit)
        let sentence = "it is \(outcome), not \(expected), at most \(limit) bytes"
        switch (expected, outcome) {
        case (.complete(let expectedBytes), .complete(let headBytes)):
            try hold(headBytes == expectedBytes && headBytes <= min(all.count, limit), sentence)
            try compare(head, exact.bytes, headBytes, oracle)
            try checkTarget(head, exact.bytes, oracle)
            try checkToken(head, exact.bytes, oracle)
        case (.malformed(.headTooLarge), .malformed):
            // A line longer than the limit may be found faulty before it is too long.
            break
        case (.malformed(let expectedFault), .malformed(let fault)):
            try hold(fault == expectedFault, sentence)
        case (.undecided, .partial), (.undecided, .malformed):
            break
        default:
            throw FuzzFinding(sentence)
        }
        try checkPieces(all, limit, outcome, head)
        if case .complete = outcome { return true }
        return false
    }

    // MARK: In pieces

    /// Arriving in pieces it comes to the same, or is undecided until its head has ended.
    private func checkPieces(
        _ all: [UInt8], _ limit: Int, _ whole: ParseOutcome, _ head: RequestHead
    ) throws(FuzzFinding) {
        var state = all.reduce(1) { ($0 &* 31 &+ Int($1)) & 0xFF_FFFF }
        var arrived = 0
        var seen = 0
        while arrived < all.count {
            state = (state &* 1_103_515_245 &+ 12_345) & 0x7FFF_FFFF
            arrived = min(all.count, arrived + 1 + state % (1 + all.count / 3))
            let exact = ExactBytes(all[..<arrived])
            var piecewise = RequestHead()
            let outcome = RequestParser.parse(
                exact.bytes, seenBefore: seen, headBytesMax: limit, into: &piecewise)
            if outcome == .partial {
                seen = arrived
                continue
            }
            let isTooLarge = outcome == .malformed(.headTooLarge)
            var isMalformed = false
            if case .malformed = whole { isMalformed = true }
            try hold(
                outcome == whole || isTooLarge && isMalformed,
                "\(arrived) bytes, \(seen) seen before, are \(outcome); all are \(whole)")
            if case .complete = outcome {
                let isSame = RequestProperty.words(piecewise) == RequestProperty.words(head)
                try hold(isSame, "in pieces the head says something else")
            }
            return
        }
        if case .complete = whole { throw FuzzFinding("in pieces it is never complete") }
    }

    /// All that a head says, in words that can be compared.
    private static func words(_ head: RequestHead) -> String {
        "\(head)"
    }

    // MARK: What it says

    private func compare(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ headBytes: Int,
        _ oracle: RequestOracle
    ) throws(FuzzFinding) {
        try hold(head.method == oracle.method, "the method is \(head.method)")
        try hold(Int(head.minorVersion) == oracle.minorVersion, "the version is another")
        try hold(head.keepAlive == oracle.keepAlive, "keep-alive is \(head.keepAlive)")
        try hold(head.isPrefetch == oracle.isPrefetch, "prefetch is \(head.isPrefetch)")
        try hold(head.expectsContinue == oracle.expectsContinue, "the expectation is another")
        let length = oracle.first("content-length").map { String(decoding: $0, as: UTF8.self) }
        try hold(head.hasContentLength == (length != nil), "a length appears or is lost")
        try hold(head.contentLength == length.flatMap { Int($0) } ?? 0, "the length is another")
        let forwardedFor = head.forwardedFor
        try hold(
            Int(forwardedFor.start) + Int(forwardedFor.count) <= headBytes,
            "x-forwarded-for reaches beyond the head")
        let hops = forwardedFor.isPresent ? Array(forwardedFor.bytes(in: bytes)) : nil
        try hold(oracle.hasForwardedFor(hops), "x-forwarded-for is another")
        try checkClient(head, bytes, oracle)
        for (name, range, expected) in [
            ("path", head.path, oracle.path), ("query", head.query, oracle.query),
            ("host", head.host, oracle.authority ?? oracle.first("host")),
            ("user-agent", head.userAgent, oracle.first("user-agent")),
            ("referer", head.referer, oracle.first("referer")),
            ("content-type", head.contentType, oracle.first("content-type")),
            ("origin", head.origin, oracle.first("origin")),
            ("authorization", head.authorization, oracle.first("authorization")),
            ("cookie", head.cookie, oracle.first("cookie")),
            (
                "access-control-request-method", head.accessControlRequestMethod,
                oracle.first("access-control-request-method")
            ),
        ] {
            let end = Int(range.start) + Int(range.count)
            try hold(end <= headBytes, "\(name) reaches beyond the head")
            let value = range.isPresent ? Array(range.bytes(in: bytes)) : nil
            try hold(value == expected, "\(name) is another")
        }
    }

    private static let proxies = NetworkSet(
        ["0.0.0.0/1", "::/1"].compactMap { NetworkPrefix($0) })

    /// Lines are one list.
    private func checkClient(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ oracle: RequestOracle
    ) throws(FuzzFinding) {
        let lines = oracle.fields.filter { $0.name == "x-forwarded-for" }.map(\.value)
        guard lines.count > 1 else { return }
        let list = Array(lines.joined(separator: [UInt8(ascii: ",")]))
        let peer = NetworkAddress("10.0.0.1")!
        let expected = list.withUnsafeBytes {
            ForwardedFor.client($0, trusted: Self.proxies, peer: peer, isTrusted: true)
        }
        let client = ForwardedFor.client(
            head.forwardedFor.bytes(in: bytes), trusted: Self.proxies, peer: peer, isTrusted: true)
        try hold(client == expected, "the client is \(client)")
    }

    // MARK: Link and token

    private func checkTarget(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ oracle: RequestOracle
    ) throws(FuzzFinding) {
        let target = LinkTarget(head, in: bytes)
        let path = String(decoding: oracle.path, as: UTF8.self)
        var route = EdgeRoute.none
        var id: [UInt8] = []
        var channel: [UInt8] = []
        switch path {
        case "/api/v1/tracking/click": route = .report
        case "/robots.txt": route = .robots
        default:
            let starts = ["/go/", "/api/v1/go/"].filter { path.utf8.starts(with: $0.utf8) }
            let rest = oracle.path.dropFirst(starts.first?.utf8.count ?? 0)
            if !starts.isEmpty, RequestProperty.isLabel(rest, 64) {
                route = .follow
                id = Array(rest)
                channel = RequestProperty.channel(oracle.query ?? [])
            }
        }
        try hold(target.route == route, "the route is \(target.route), not \(route)")
        try hold(Array(target.id.bytes(in: bytes)) == id, "the link is another")
        try hold(Array(target.channel.bytes(in: bytes)) == channel, "the channel is another")
        let linkID = id.withUnsafeBytes { Identifier(textByByte: $0) }
        try hold(target.linkID(head, in: bytes) == linkID, "the link's UUID is another")
        let isMalformed = !RequestProperty.isPath(oracle.path)
        try hold(
            route != .none || LinkTarget.isPathMalformed(head, in: bytes) == isMalformed,
            "the path is \(isMalformed ? "taken for" : "not taken for") one")
    }

    /// RFC 3986, 3.3: slashes and pchars, but no escaped NUL.
    private static func isPath(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                let digits = rest.prefix(2)
                rest = rest.dropFirst(2)
                guard digits.count == 2, digits.allSatisfy(RequestOracle.hexadecimal.contains),
                    !digits.elementsEqual("00".utf8)
                else { return false }
            } else if !RequestOracle.alphanumeric.contains(byte),
                !"/:@-._~!$&'()*+,;=".utf8.contains(byte)
            {
                return false
            }
        }
        return true
    }

    private static func channel(_ query: [UInt8]) -> [UInt8] {
        let first = query.split(separator: UInt8(ascii: "&")).first { $0.starts(with: "ch=".utf8) }
        let label = first?.dropFirst(3) ?? []
        return isLabel(label, 32) ? Array(label) : []
    }

    private static func isLabel(_ bytes: ArraySlice<UInt8>, _ most: Int) -> Bool {
        1...most ~= bytes.count && bytes.allSatisfy(ReportProperty.isLabelByte)
    }

    private func checkToken(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ oracle: RequestOracle
    ) throws(FuzzFinding) {
        var expected: [UInt8] = []
        let credentials = oracle.first("authorization") ?? []
        if RequestOracle.lowercased(Array(credentials.prefix(7))) == Array("bearer ".utf8) {
            expected = RequestOracle.trimmed(Array(credentials.dropFirst(7)))
        }
        if expected.isEmpty {
            let name = Array("access_token=".utf8)
            let pairs = (oracle.first("cookie") ?? []).split(separator: UInt8(ascii: ";"))
            let pair = pairs.map { RequestOracle.trimmed(Array($0)) }.first {
                $0.starts(with: name)
            }
            expected = Array(pair?.dropFirst(name.count) ?? [])
        }
        let token = BearerToken.find(
            authorization: head.authorization, cookie: head.cookie, in: bytes)
        try hold(Array(token) == expected, "the token is another")
    }
}
