import Clicks
import TestSupport
import Testing
import Wire

@Suite struct ForwardedForTests {
    private let trusted = NetworkSet(
        ["10.0.0.0/8", "fd00::/8", "192.0.2.1"].compactMap { NetworkPrefix($0) })

    private func client(_ header: String, peer: String = "10.0.0.1") -> String {
        let memory = GuardedBytes()
        let peer = NetworkAddress(peer)!
        return ForwardedFor.client(
            memory.place(header.utf8), trusted: trusted, peer: peer,
            isTrusted: trusted.contains(peer)
        ).description
    }

    @Test func `a peer that is not trusted is the client, whatever it says`() {
        #expect(client("1.2.3.4", peer: "203.0.113.9") == "203.0.113.9")
        #expect(client("1.2.3.4", peer: "192.0.2.2") == "192.0.2.2")
    }

    static let walks: [(String, String)] = [
        ("", "10.0.0.1"), ("1.2.3.4", "1.2.3.4"), ("6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("6.6.6.6,1.2.3.4,10.0.0.7", "1.2.3.4"), ("1.2.3.4 ,\t10.0.0.7 , 192.0.2.1", "1.2.3.4"),
        ("10.0.0.9, 10.0.0.8", "10.0.0.9"), ("1.2.3.4:567, [fd00::1]:80", "1.2.3.4"),
        ("2001:db8::7, fd00::1", "2001:db8::7"), ("[2001:db8::7]:443", "2001:db8::7"),
        // What is no address ends the walk at the last hop that was.
        ("unknown", "10.0.0.1"), ("1.2.3.4, unknown, 10.0.0.7", "10.0.0.7"),
        ("1.2.3.4, 10.0.0.256", "10.0.0.1"), ("1.2.3.4 5.6.7.8", "10.0.0.1"),
        ("garbage, 1.2.3.4", "1.2.3.4"),
        // Empty elements say nothing.
        (",", "10.0.0.1"), ("1.2.3.4, , 10.0.0.7,", "1.2.3.4"), (" , ,1.2.3.4", "1.2.3.4"),
        ("::ffff:10.0.0.3, ::ffff:1.2.3.4, ::ffff:10.0.0.7", "1.2.3.4"),
    ]

    @Test(arguments: walks)
    func `the right-most hop that is no proxy of ours is the client`(
        header: String, expected: String
    ) {
        #expect(client(header) == expected)
    }

    /// The client of a whole head, as it is parsed.
    private func client(ofLines text: String) -> String {
        let memory = GuardedBytes()
        let bytes = memory.place(text.utf8)
        var head = RequestHead()
        guard case .complete = RequestParser.parse(bytes, seenBefore: 0, into: &head) else {
            return "malformed"
        }
        return ForwardedFor.client(
            head.forwardedFor.bytes(in: bytes), trusted: trusted,
            peer: NetworkAddress("10.0.0.1")!, isTrusted: true
        ).description
    }

    @Test func `a proxy that adds a line has added to the list`() {
        let lines = { (values: [String]) in
            "GET /go/a HTTP/1.1\r\nHost: a\r\n"
                + values.map { "x-FORWARDED-for:\($0)\r\nX-Forwarded-Fort: 9.9.9.9\r\n" }.joined()
                + "\r\n"
        }
        #expect(client(ofLines: lines([" 203.0.113.9", " 192.0.2.1"])) == "203.0.113.9")
        #expect(
            client(ofLines: lines([" 6.6.6.6", " 203.0.113.9", "", "10.0.0.7\t"])) == "203.0.113.9"
        )
        // What a shopper's own line says stays left of what proxies say.
        #expect(client(ofLines: lines([" 6.6.6.6", " 203.0.113.9, 10.0.0.7"])) == "203.0.113.9")
        #expect(client(ofLines: lines([" 1.2.3.4", " unknown", " 10.0.0.7"])) == "10.0.0.7")
        #expect(client(ofLines: lines([" 10.0.0.9", " 10.0.0.8"])) == "10.0.0.9")
        #expect(client(ofLines: lines([])) == "10.0.0.1")
    }

    @Test func `lines are one list, wherever it is broken`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix(state: seed)
        let hops = [
            "10.0.0.7", "10.1.2.3", "192.0.2.1", "fd00::1", "", " ", "203.0.113.9", "2001:db8::7",
            "unknown", "10.0.0.256",
        ]
        for _ in 0..<20_000 {
            let list = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                // Mostly proxies, so that walks are long.
                hops[Int.random(in: 0..<(Bool.random(using: &random) ? 4 : 10), using: &random)]
            }
            var head = "GET / HTTP/1.0\r\nx-forwarded-for: \(list[0])"
            for hop in list.dropFirst() {
                switch Int.random(in: 0..<4, using: &random) {
                case 0: head += "\r\nX-Forwarded-For: \(hop)"
                case 1: head += "\r\nAccept: 1.1.1.1\r\nX-FORWARDED-FOR:\t\(hop) "
                default: head += ", \(hop)"
                }
            }
            let expected = client(list.joined(separator: ","))
            #expect(client(ofLines: head + "\r\n\r\n") == expected, "\(head) by seed \(seed)")
        }
    }

    @Test func `no more hops are looked at than the bound`() {
        let proxies = { (count: Int) in
            "1.2.3.4," + [String](repeating: "10.0.0.7", count: count).joined(separator: ",")
        }
        #expect(client(proxies(ForwardedFor.hopsMax - 1)) == "1.2.3.4")
        #expect(client(proxies(ForwardedFor.hopsMax)) == "10.0.0.7")
        #expect(client("1.2.3.4" + String(repeating: ",", count: 16_000)) == "10.0.0.1")
    }
}
