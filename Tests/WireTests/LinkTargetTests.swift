import Clicks
import Testing
import Wire

struct LinkTargetTests {
    private static let label32 = "abcdefghijklmnopqrstuvwxyz_-0123"
    private static let uuid = "0190A1B2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"

    static let table: [(String, EdgeRoute, id: String?, channel: String?)] = [
        ("/go/x", .follow, "x", nil),
        ("/go/\(uuid)", .follow, uuid, nil),
        ("/go/\(uuid)?ch=a", .follow, uuid, "a"),
        ("/api/v1/go/\(uuid)", .follow, uuid, nil),
        ("/go/\(uuid)5", .follow, uuid + "5", nil),
        ("/go/\(uuid.dropLast())", .follow, String(uuid.dropLast()), nil),
        ("/go/\(uuid.dropLast())g", .follow, uuid.dropLast() + "g", nil),
        ("/go/\(uuid)/", .none, nil, nil),
        ("/go/\(uuid)%20", .none, nil, nil),
        ("/api/v1/go/3Jd9xKq2?ch=story", .follow, "3Jd9xKq2", "story"),
        ("/go/a_b-C9?x=1&ch=a_b-C9&y", .follow, "a_b-C9", "a_b-C9"),
        ("/go/x?ch=\(label32)", .follow, "x", label32),
        ("/go/x?ch=\(label32)4", .follow, "x", nil),
        ("/go/x?ch=one&ch=two", .follow, "x", "one"),
        ("/go/x?ch=&ch=two", .follow, "x", nil),
        ("/go/x?ch=%61&ch=two", .follow, "x", nil),
        ("/go/x?ch=a.b", .follow, "x", nil),
        ("/go/x?ch=a=b", .follow, "x", nil),
        ("/go/x?ch", .follow, "x", nil),
        ("/go/x?CH=a", .follow, "x", nil),
        ("/go/x?cch=a&ch=b", .follow, "x", "b"),
        ("/go/x?&&ch=b&", .follow, "x", "b"),
        ("/go/x?a=ch=b", .follow, "x", nil),
        ("/go/x?", .follow, "x", nil),
        (
            "/go/" + String(repeating: "a", count: 64), .follow, String(repeating: "a", count: 64),
            nil
        ),
        ("/go/" + String(repeating: "a", count: 65), .none, nil, nil),
        ("http://a.example/go/x?ch=b", .follow, "x", "b"),
        ("/api/v1/tracking/click", .report, nil, nil),
        ("/api/v1/tracking/click?ch=a", .report, nil, nil),
        ("/robots.txt", .robots, nil, nil),
        ("/robots.txt/", .none, nil, nil),
        ("/api/v1/tracking/click/", .none, nil, nil),
        ("/api/v1/tracking/clicks", .none, nil, nil),
        ("/", .none, nil, nil),
        ("/go", .none, nil, nil),
        ("/go/", .none, nil, nil),
        ("/go/?ch=a", .none, nil, nil),
        ("/go/x/", .none, nil, nil),
        ("/go//x", .none, nil, nil),
        ("//go/x", .none, nil, nil),
        ("/GO/x", .none, nil, nil),
        ("/go/%78", .none, nil, nil),
        ("/go/x.y", .none, nil, nil),
        ("/go/../x", .none, nil, nil),
        ("/api/v1/go/", .none, nil, nil),
        ("http://a.example", .none, nil, nil),
        ("http://a.example?ch=a", .none, nil, nil),
    ]

    @Test(arguments: table)
    func `a target names its route`(
        target: String, route: EdgeRoute, id: String?, channel: String?
    ) {
        let memory = GuardedBytes()
        // As a tool sends it, and as a browser does, whose first line is read in another way.
        let fields = "Host: a.example\r\nUser-Agent: \(String(repeating: "a", count: 64))\r\n"
        for (version, fields) in [(0, ""), (1, fields), (0, fields)] {
            let bytes = memory.place("GET \(target) HTTP/1.\(version)\r\n\(fields)\r\n".utf8)
            var head = RequestHead()
            let outcome = RequestParser.parse(bytes, seenBefore: 0, into: &head)
            #expect(outcome == .complete(headBytes: bytes.count))
            #expect(head.minorVersion == version && head.keepAlive == (version == 1))
            let read = LinkTarget(head, in: bytes)
            let text = { (range: ByteRange) in
                range.isPresent ? String(decoding: range.bytes(in: bytes), as: UTF8.self) : nil
            }
            #expect(read.route == route && text(read.id) == id && text(read.channel) == channel)
            if let id { #expect(read.linkID(head, in: bytes) == Identifier(id)) }
        }
    }

    /// Bytes that no request line may have, where the identifier ends.
    @Test func `a request line is refused whatever stands behind its identifier`() {
        let memory = GuardedBytes()
        for rest in [" ", "  HTTP/1.1", " HTTP/1.1 ", " HTTP/1.2", " HTTP/2.0", " http/1.1", "\t"] {
            for end in ["\r\n", "\n", "\r", "\r\r\n"] where rest != " HTTP/1.1" || end != "\r\n" {
                let line = "GET /go/\(Self.uuid)\(rest)\(end)"
                let fields = "Host: a\r\nUser-Agent: \(Self.label32)\(Self.label32)\r\n\r\n"
                let bytes = memory.place((line + fields).utf8)
                var head = RequestHead()
                let outcome = RequestParser.parse(bytes, seenBefore: 0, into: &head)
                guard case .malformed = outcome else {
                    Issue.record("\(line.debugDescription) is \(outcome)")
                    continue
                }
            }
        }
    }
}
