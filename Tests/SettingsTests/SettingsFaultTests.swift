import Testing

@testable import Settings

enum Pace: String, CaseIterable { case interval, always, never }

/// Declares one setting of each kind in an environment and returns what was wrong with them.
private func faults(
    _ environment: [String: String], _ declare: (inout SettingsReader) -> Void
) -> [String] {
    var reader = SettingsReader(environment: environment)
    declare(&reader)
    do throws(SettingsFaults) {
        try reader.finish()
        return []
    } catch {
        return error.faults.map(\.description)
    }
}

struct SettingsFaultTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let given: String
        let kind: String
        let accepted: Bool
        let declare: @Sendable (inout SettingsReader) -> Void
        var testDescription: String { "\(kind) \(given)" }
    }

    static func cases(
        _ kind: String, accepted: [String], refused: [String],
        _ declare: @escaping @Sendable (inout SettingsReader) -> Void
    ) -> [Case] {
        accepted.map { Case(given: $0, kind: kind, accepted: true, declare: declare) }
            + refused.map { Case(given: $0, kind: kind, accepted: false, declare: declare) }
    }

    static let table: [Case] =
        cases(
            "integer", accepted: ["1", "86400", "007"],
            refused: [
                "0", "86401", "+5", "5 ", " 5", "5s", "1_000", "-1", "99999999999999999999", "0x10",
            ]
        ) { _ = $0.integer("X", default: 300, in: 1...86400, "What") }
        + cases("seconds", accepted: ["10"], refused: ["11", "10s", "1.5"]) {
            _ = $0.seconds("X", in: 1...10, "What")
        }
        + cases(
            "bytes", accepted: ["1024", "1KiB", "1 KiB", "2MiB"],
            refused: ["1023", "1KB", "3MiB", "1 MiB ", "KiB", "-1KiB", "99999999999GiB"]
        ) { _ = $0.bytes("X", default: 4096, in: 1024...2 << 20, "What") }
        + cases("flag", accepted: ["true", "FALSE", "1", "off"], refused: ["2", "ja", "true "]) {
            _ = $0.flag("X", default: false, "What")
        }
        + cases("choice", accepted: ["always"], refused: ["Always", "sometimes", "always "]) {
            let _: Pace = $0.choice("X", default: .interval, "What")
        }
        + cases("port", accepted: ["1", "65535"], refused: ["0", "65536", "http"]) {
            _ = $0.port("X", default: 8000, "What")
        }
        + cases(
            "listenAddress", accepted: ["0.0.0.0:8080", "[::1]:8080", "[::]:0", "127.0.0.1:65535"],
            refused: [
                "8080", ":8080", "localhost:8080", "0.0.0.0", "0.0.0.0:", "0.0.0.0:65536",
                "::1:8080", "[::1]", "[127.0.0.1]:80", "256.0.0.1:80", "0.0.0.0:+80", "0.0.0.0:٣",
                "[]:80", "1.2.3:80",
            ]
        ) { _ = $0.listenAddress("X", default: "0.0.0.0:8080", "What") }
        + cases("secret", accepted: ["0123456789abcdef", "열쇠열쇠열쇠"], refused: ["0123456789abcde"]) {
            _ = $0.secret("X", minBytes: 16, "What")
        }
        + cases(
            "url",
            accepted: ["http://a", "https://a.example:1/b?c#d", "http://[::1]:80/"],
            refused: [
                "a.example", "ftp://a", "http:/a", "http://", "http:///path", "http://?q",
                "http://a b", "http://a\n", "HTTP//a", "//a",
            ]
        ) { _ = $0.url("X", schemes: ["http", "https"], "What") }
        + cases(
            "secretURL", accepted: ["postgresql://u:p@h:1/d", "postgresql:///d?host=/run/x"],
            refused: ["host=h password=p", "mysql://u:p@h/d"]
        ) { _ = $0.secretURL("X", schemes: ["postgresql", "postgres"], "What") }
        + cases(
            "label", accepted: ["edge-1", "a.b_c", String(repeating: "x", count: 64)],
            refused: [".", "..", "a/b", "a b", "가", String(repeating: "x", count: 65)]
        ) { _ = $0.label("X", default: "edge", "What") }
        + cases("text", accepted: ["공구", "12345678"], refused: ["123456789", "a\tb", "\u{7F}"]) {
            _ = $0.text("X", bytesMax: 8, "What")
        }
        + cases(
            "list", accepted: ["a", "a, b", "[]", "[\"a\"]", "[ \"a\" , \"b\" ]", " "],
            refused: ["a,", ",", "a,b,c", "[\"a\"", "[a]", "[\"a\",]", "[\"a\"] x", "[\"\"]"]
        ) { _ = $0.list("X", itemsMax: 2, "What") }
        + cases("file", accepted: ["/dev/../etc/passwd"], refused: ["/none", "/etc", "/dev/null"]) {
            _ = $0.file("X", "What")
        }
        + cases("path", accepted: ["/not/yet/there"], refused: ["/a\nb"]) {
            _ = $0.path("X", "What")
        }
        + cases(
            "writableDirectory", accepted: ["/tmp"],
            refused: ["/proc/none", "/dev/null", "/dev/null/below", "/a\nb"]
        ) { _ = $0.writableDirectory("X", "What") }

    @Test(arguments: table)
    func `a kind takes what it says and refuses the rest, once and by name`(_ entry: Case) {
        let found = faults(["X": entry.given], entry.declare)
        if entry.accepted {
            #expect(found == [])
        } else {
            #expect(found.count == 1)
            #expect(found.first?.hasPrefix("X ") == true)
            #expect(found.first?.contains("must be ") == true)
            #expect(found.first?.contains("\n") == false)
        }
    }

    @Test func `all faults are reported at once, in the order of declaration`() {
        let given = [
            "EDGE_LISTEN": "0.0.0.0:99999", "EDGE_SPOOL_DIR": "/proc/none", "EDGE_FSYNC": "often",
        ]
        let found = faults(given) {
            _ = $0.listenAddress("EDGE_LISTEN", default: "0.0.0.0:8080", "What")
            _ = $0.writableDirectory("EDGE_SPOOL_DIR", "What")
            _ = $0.secret("EDGE_VISITOR_KEY", minBytes: 16, "What")
            let _: Pace = $0.choice("EDGE_FSYNC", default: .interval, "What")
        }
        #expect(found.count == 4)
        let names = found.map { String($0.prefix { $0 != " " }) }
        #expect(names == ["EDGE_LISTEN", "EDGE_SPOOL_DIR", "EDGE_VISITOR_KEY", "EDGE_FSYNC"])
        #expect(
            found.first
                == "EDGE_LISTEN is \"0.0.0.0:99999\"; must be an address and a port such as "
                + "0.0.0.0:8080 or [::1]:8080")
        #expect(found.last == "EDGE_FSYNC is \"often\"; must be one of interval, always, never")
    }

    @Test func `a missing or empty setting is a fault only where it is required`() {
        for environment in [[:], ["X": ""]] {
            #expect(
                faults(environment) { _ = $0.integer("X", default: 1, in: 1...2, "What") } == [])
            #expect(faults(environment) { _ = $0.optionalFile("X", "What") } == [])
            #expect(faults(environment) { _ = $0.optionalURL("X", schemes: ["http"], "W") } == [])
            #expect(
                faults(environment) { _ = $0.integer("X", in: 1...2, unit: "clicks", "What") }
                    == ["X is not set; must be a whole number from 1 to 2, in clicks"])
        }
    }

    @Test func `two settings that contradict each other can be refused by the caller`() {
        let found = faults(["A": "/etc/passwd"]) {
            let certificate = $0.optionalFile("A", "Certificate")
            let key = $0.optionalFile("B", "Key")
            if (certificate == nil) != (key == nil) {
                $0.reject("B", "must be set together with A")
            }
        }
        #expect(found == ["B must be set together with A"])
    }
}
