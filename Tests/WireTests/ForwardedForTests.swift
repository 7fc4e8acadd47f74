import Clicks
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

    @Test func `no more hops are looked at than the bound`() {
        let proxies = { (count: Int) in
            "1.2.3.4," + [String](repeating: "10.0.0.7", count: count).joined(separator: ",")
        }
        #expect(client(proxies(ForwardedFor.hopsMax - 1)) == "1.2.3.4")
        #expect(client(proxies(ForwardedFor.hopsMax)) == "10.0.0.7")
        #expect(client("1.2.3.4" + String(repeating: ",", count: 16_000)) == "10.0.0.1")
    }
}
