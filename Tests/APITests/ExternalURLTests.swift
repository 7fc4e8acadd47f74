import Testing

@testable import API

@Suite struct ExternalURLTests {
    /// Every spelling of a place that only someone's own network reaches.
    @Test(arguments: [
        "http://127.0.0.1/", "http://127.1/", "http://127.0.1/", "http://2130706433/",
        "http://0x7f000001/", "http://0x7F.1/", "http://0X7f.0.0.0x1/", "http://0177.0.0.1/",
        "http://017700000001/", "http://127.0.0.1./", "http://0/", "http://0.0.0.0/",
        "http://00000000000/", "http://10.1.2.3/", "http://10.66051/", "http://172.16.0.1/",
        "http://172.31.255.255/", "http://192.168.0.1/", "http://192.168.257/",
        "http://3232235521/", "http://169.254.169.254/latest/meta-data", "http://0xA9FEA9FE/",
        "http://2852039166/", "http://0251.0376.0251.0376/", "http://100.64.0.1/",
        "http://100.100.100.200/", "http://168.63.129.16/", "http://192.0.0.192/",
        "http://198.18.0.1/", "http://192.0.2.1/", "http://198.51.100.7/", "http://203.0.113.9/",
        "http://224.0.0.1/", "http://255.255.255.255/", "http://240.0.0.1/",
        "http://[::1]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/", "http://[::ffff:10.0.0.1]/", "http://[::FFFF:A9FE:A9FE]/",
        "http://[::127.0.0.1]/", "http://[fe80::1]/", "http://[fc00::1]/",
        "http://[fd00:ec2::254]/",
        "http://[ff02::1]/", "http://[2001:db8::1]/", "http://[2001::1]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:a00:1::1]/", "http://[64:ff9b::7f00:1]/", "http://[3fff::1]/",
    ])
    func `a literal address that is not public is refused however it is spelled`(text: String) {
        #expect(throws: ExternalURL.Fault.addressNotPublic) { try ExternalURL(text) }
    }

    @Test(arguments: [
        "http://localhost/", "http://LOCALHOST:8080/", "http://localhost./", "http://a.localhost/",
        "http://shop/", "http://printer.local/", "http://db.internal/",
        "http://metadata.google.internal/computeMetadata/", "http://nas.lan/", "http://x.corp/",
        "http://router.home.arpa/", "http://1.0.0.127.in-addr.arpa/", "http://abc.onion/",
    ])
    func `a name that only a private network resolves is refused`(text: String) {
        #expect(throws: ExternalURL.Fault.nameNotPublic) { try ExternalURL(text) }
    }

    @Test(arguments: [
        ("", ExternalURL.Fault.schemeNotHTTP), ("shop.example/a", .schemeNotHTTP),
        ("//shop.example/", .schemeNotHTTP), ("ftp://shop.example/", .schemeNotHTTP),
        ("javascript:alert(1)//http://shop.example", .schemeNotHTTP),
        ("http:shop.example", .schemeNotHTTP), ("https:/shop.example/", .schemeNotHTTP),
        ("http://", .hostMissing), ("http:///path", .hostMissing), ("http://?q", .hostMissing),
        ("http://:80/", .hostMissing), ("http://#f", .hostMissing),
        ("http://user@shop.example/", .credentials),
        ("https://shop.example:x@127.0.0.1/", .credentials),
        ("https://shop.example@evil.example/", .credentials),
        ("https://shop.example\\@evil.example/", .characterForbidden),
        ("https:\\\\shop.example/", .characterForbidden),
        (" https://shop.example/", .characterForbidden),
        ("https://shop.example/a b", .characterForbidden),
        ("https://shop.example/\r\nSet-Cookie: a=b", .characterForbidden),
        ("https://shop.exa\tmple/", .characterForbidden),
        ("https://shop.example/\u{0}", .characterForbidden),
        ("https://공구.example/", .hostMalformed), ("https://１２７.0.0.1/", .hostMalformed),
        ("https://shop。example/", .hostMalformed), ("https://%31%32%37.0.0.1/", .hostMalformed),
        ("https://-shop.example/", .hostMalformed), ("https://shop-.example/", .hostMalformed),
        ("https://shop..example/", .hostMalformed), ("https://.shop.example/", .hostMalformed),
        ("https://shop.example../", .hostMalformed), ("https://shop!.example/", .hostMalformed),
        ("http://256.1.1.1/", .hostMalformed), ("http://1.2.3.4.5/", .hostMalformed),
        ("http://08.8.8.8/", .hostMalformed), ("http://4294967296/", .hostMalformed),
        ("http://shop.example.0x1f/", .hostMalformed),
        ("http://99999999999999999999/", .hostMalformed),
        ("http://[::1/", .hostMalformed), ("http://[::1]x/", .hostMalformed),
        ("http://[fe80::1%25eth0]/", .hostMalformed), ("http://[]/", .hostMalformed),
        ("http://[1.2.3.4]/", .hostMalformed), ("http://::1/", .portInvalid),
        ("https://shop.example:/", .portInvalid), ("https://shop.example:0/", .portInvalid),
        ("https://shop.example:65536/", .portInvalid), ("https://shop.example:8x/", .portInvalid),
        ("https://shop.example:+80/", .portInvalid),
        ("https://go.gonggumoa.example/go/abcd", .leadsBack),
        ("https://GO.gonggumoa.example.:443/", .leadsBack),
    ])
    func `what is no public web address is refused with its reason`(
        text: String, fault: ExternalURL.Fault
    ) {
        #expect(throws: fault) { try ExternalURL(text, ownHost: "go.gonggumoa.example") }
    }

    @Test(arguments: [
        ("https://shop.example/items/1", "https://shop.example/items/1"),
        ("HTTPS://Shop.Example/Items", "https://shop.example/Items"),
        ("https://shop.example", "https://shop.example/"),
        ("https://shop.example?a=b", "https://shop.example/?a=b"),
        ("https://shop.example#f", "https://shop.example/#f"),
        ("https://shop.example./a", "https://shop.example/a"),
        ("https://shop.example:8443/a", "https://shop.example:8443/a"),
        ("https://xn--3e0b707e.example/", "https://xn--3e0b707e.example/"),
        ("https://my_shop.example/", "https://my_shop.example/"),
        (
            "https://shop.example/공구?q=\"a\"|b",
            "https://shop.example/%EA%B3%B5%EA%B5%AC?q=%22a%22%7Cb"
        ),
        ("https://shop.example/%EA%B3%B5?x=50%", "https://shop.example/%EA%B3%B5?x=50%"),
        ("https://shop.example/a@b?u=x:y@z", "https://shop.example/a@b?u=x:y@z"),
        ("http://8.8.8.8/", "http://8.8.8.8/"), ("http://0x08080808/", "http://8.8.8.8/"),
        ("http://172.32.0.1/", "http://172.32.0.1/"), ("http://192.0.1.1/", "http://192.0.1.1/"),
        ("http://[2606:4700::1111]/", "http://[2606:4700::1111]/"),
        ("http://[2002:808:808::1]:81/a", "http://[2002:808:808::1]:81/a"),
        ("https://10.shop.example/", "https://10.shop.example/"),
        ("https://127.0.0.1.shop.example/", "https://127.0.0.1.shop.example/"),
    ])
    func `a public web address is kept in one form`(text: String, kept: String) throws {
        let url = try ExternalURL(text)
        #expect(url.text == kept)
        // Whatever was accepted is accepted again and stays as it is.
        #expect(try ExternalURL(url.text) == url)
    }

    @Test func `the bound is a thousand bytes after encoding`() throws {
        let start = "https://shop.example/"
        let longest = start + String(repeating: "a", count: 1000 - start.utf8.count)
        #expect(try ExternalURL(longest).text == longest)
        #expect(throws: ExternalURL.Fault.tooLong) { try ExternalURL(longest + "a") }
        let korean = start + String(repeating: "가", count: 200)
        #expect(throws: ExternalURL.Fault.tooLong) { try ExternalURL(korean) }
    }

    @Test func `no byte that a header or a browser could misread is let through`() throws {
        for byte in UInt8.min ... .max {
            let text = String(
                decoding: Array("https://shop.example/a".utf8) + [byte], as: UTF8.self)
            guard let url = try? ExternalURL(text) else {
                #expect(byte <= 0x20 || byte == 0x7F || byte == UInt8(ascii: "\\"), "\(byte)")
                continue
            }
            #expect(url.text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "\(byte)")
        }
    }
}
