import Clicks
import Judging
import Testing

@Suite struct DatacenterNetworksTests {
    private let networks = DatacenterNetworks.embedded

    private func contains(_ text: String) throws -> Bool {
        networks.contains(try #require(NetworkAddress(text)))
    }

    @Test(arguments: [
        "3.34.1.2", "13.125.0.1", "52.78.9.9", "54.180.0.1", "34.64.1.1", "20.194.0.1",
        "146.56.1.1",
        "88.198.1.1", "51.79.1.1", "159.65.1.1", "172.105.1.1", "158.247.200.1", "47.88.1.1",
        "43.155.1.1", "106.10.40.1", "133.186.200.1", "14.63.170.1", "2600:1f18::1",
        "2406:da12::1", "2a01:4f8::1", "::ffff:3.34.1.2",
    ])
    func `an address in a hosting network is found`(address: String) throws {
        #expect(try contains(address))
    }

    /// SK Telecom, KT and LG U+ phones and homes, and relays that people browse by.
    @Test(arguments: [
        "223.38.1.1", "223.62.1.1", "27.160.1.1", "203.226.1.1", "211.234.1.1", "39.7.1.1",
        "110.70.1.1", "175.223.1.1", "118.235.1.1", "106.101.1.1", "106.102.1.1", "117.111.1.1",
        "211.36.1.1", "121.130.1.1", "58.120.1.1", "1.230.1.1", "100.64.0.1", "10.0.0.1",
        "127.0.0.1", "172.224.225.1", "172.226.1.1", "104.28.1.1", "146.75.1.1", "140.248.1.1",
        "2a02:26f7:c000::1", "2606:54c0::1", "2a04:4e41::1", "2001:e60::1", "2001:2d8::1", "::1",
    ])
    func `a carrier's or a relay's address never is`(address: String) throws {
        #expect(try !contains(address))
    }

    @Test func `the file's version is told`() throws {
        #expect(networks.version == "2026-11-21")
        let file = Array("\n# c\r\nversion 7 # x\r\n\t10.0.0.0/8\tSome owner # c\n".utf8)
        let read = try DatacenterNetworks(file: file)
        #expect(read.version == "7")
        #expect(read.contains(NetworkAddress(ipv4: 0x0A00_0001)))
    }

    @Test(arguments: [
        ("", "line 1: the file has no version"),
        ("# only\n", "line 1: the file has no version"),
        ("10.0.0.0/8 a\n", "line 1: the first line says `version` and which"),
        ("\nversion\n", "line 2: the first line says `version` and which"),
        ("version 1\n10.0.0.0/8\n", "line 2: a network's owner stands behind it"),
        (
            "version 1\n10.0.0.1/8 a\n10.0.0.0/8 b\n\nx y\n",
            "line 2: 10.0.0.1/8 is no network such as 10.0.0.0/8; "
                + "line 5: x is no network such as 10.0.0.0/8"
        ),
    ])
    func `a faulty file is refused with its lines`(file: String, description: String) {
        let fault = #expect(throws: DatacenterNetworks.Fault.self) {
            _ = try DatacenterNetworks(file: Array(file.utf8))
        }
        #expect(fault?.description == description)
    }
}
