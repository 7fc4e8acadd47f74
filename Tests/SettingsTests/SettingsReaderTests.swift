import Glibc
import Testing

@testable import Settings

/// A folder of a test's own, removed with all it holds.
private struct Scratch: ~Copyable {
    let path: String

    init() {
        var template = Array("/tmp/settings-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/nowhere"
    }

    deinit {
        for name in ["/a/b", "/a", ""] { rmdir(path + name) }
    }
}

struct SettingsReaderTests {
    @Test func `values arrive as they were given`() throws {
        var reader = SettingsReader(environment: [
            "LISTEN": "[::1]:81", "COUNT": "7", "SIZE": "64MiB", "ON": "yes", "PACE": "never",
            "KEY": "0123456789abcdef", "LIST": #"["http://a", "q\"\\\/"]"#, "PLAIN": " a , b",
            "URL": "http://localhost:3000",
        ])
        #expect(
            reader.listenAddress("LISTEN", default: "0.0.0.0:1", "What")
                == ListenAddress(host: "::1", port: 81))
        #expect(reader.integer("COUNT", default: 1, in: 1...9, "What") == 7)
        #expect(reader.bytes("SIZE", in: 1...1 << 30, "What") == 64 << 20)
        #expect(reader.flag("ON", default: false, "What") == true)
        #expect(reader.choice("PACE", default: Pace.always, "What") == .never)
        #expect(reader.secret("KEY", minBytes: 16, "What").text == "0123456789abcdef")
        #expect(reader.list("LIST", "What") == ["http://a", #"q"\/"#])
        #expect(reader.list("PLAIN", "What") == ["a", "b"])
        #expect(reader.url("URL", schemes: ["http"], "What") == "http://localhost:3000")
        #expect(reader.optionalInteger("NONE", in: 1...2, "What") == nil)
        #expect(reader.port("PORT", default: 8000, "What") == 8000)
        try reader.finish()
    }

    @Test(arguments: ["0.0.0.0:8080", "[::1]:8080"])
    func `an address to listen on reads back as it was written`(_ text: String) {
        #expect(ListenAddress(text)?.description == text)
    }

    @Test func `the environment of this process is read`() {
        let environment = ProcessEnvironment.current()
        #expect(environment["PATH"] == getenv("PATH").map { String(cString: $0) })
        #expect(environment["PATH"]?.isEmpty == false)
    }

    @Test func `a missing folder is made by finish, and no probe stays in it`() throws {
        let scratch = Scratch()
        let path = "\(scratch.path)/a/b"
        var reader = SettingsReader(environment: ["DIR": path])
        #expect(reader.writableDirectory("DIR", "What") == path)
        #expect(access(path, F_OK) == -1)
        try reader.finish()
        #expect(access(path, W_OK) == 0)
        // rmdir(2) refuses a folder that still holds something.
        #expect(rmdir(path) == 0)
    }

    @Test func `asking for help makes no folder`() {
        let scratch = Scratch()
        var reader = SettingsReader(environment: [:])
        let path = "\(scratch.path)/a"
        _ = reader.writableDirectory("DIR", default: path, "What")
        let answer = ProgramArguments.answer(
            to: ["Edge", "--help"], program: "Edge", summary: "S", reader: reader)
        #expect(answer?.exitCode == 0)
        #expect(access(path, F_OK) == -1)
    }
}

struct SecrecyTests {
    static let text = "correct-horse-battery"

    @Test func `a secret shows itself in no description, dump or interpolation`() {
        struct Holder { let key = Secret(SecrecyTests.text) }
        var dumped = ""
        dump(Holder(), to: &dumped)
        let secret = Secret(SecrecyTests.text)
        for shown in [
            "\(secret)", String(describing: secret), String(reflecting: secret), dumped,
            "\(Holder())", String(reflecting: Holder()), "\([secret])", "\(secret as Any)",
        ] {
            #expect(!shown.contains("horse"))
            #expect(shown.contains("•••"))
        }
    }

    @Test func `no fault shows a secret, nor a password in a URL`() {
        var reader = SettingsReader(environment: [
            "KEY": Self.text, "A": "mysql://u:\(Self.text)@h", "B": "ftp://u:\(Self.text)@h",
            "C": "host=h password=\(Self.text)", "D": "http://u:\(Self.text)@h/ x",
        ])
        _ = reader.secret("KEY", minBytes: 64, "What")
        _ = reader.secretURL("A", schemes: ["postgresql"], "What")
        _ = reader.url("B", schemes: ["http"], "What")
        _ = reader.url("C", schemes: ["http"], "What")
        _ = reader.url("D", schemes: ["http"], "What")
        let answer = ProgramArguments.answer(
            to: ["Edge"], program: "Edge", summary: "S", reader: reader)
        let text = answer?.text ?? ""
        #expect(answer?.exitCode == 78)
        #expect(text.split(separator: "\n").count == 6)
        #expect(!text.contains("horse"))
        #expect(text.contains("KEY has 21 bytes; must be a secret of at least 64 bytes"))
        #expect(text.contains("B is \"ftp://…\"; must be a URL beginning http://"))
    }
}

struct ProgramArgumentsTests {
    private static func reader() -> SettingsReader {
        var reader = SettingsReader(environment: [:])
        _ = reader.integer("COUNT", default: 3, in: 1...9, unit: "clicks", "How many")
        _ = reader.bytes("SIZE", default: 64 << 20, in: 1...1 << 30, "How large")
        _ = reader.secret("KEY", minBytes: 16, "Opens it")
        _ = reader.optionalFile("CERTIFICATE", "Shown to browsers")
        _ = reader.list("ORIGINS", "Who may ask")
        return reader
    }

    private static func answer(_ arguments: [String]) -> ProgramArguments.Answer? {
        ProgramArguments.answer(
            to: ["Edge"] + arguments, program: "Edge", summary: "Redirects.", reader: reader())
    }

    @Test func `help lists every declared setting with meaning, form and default`() {
        let text = Self.answer(["--help"])?.text ?? ""
        let reader = Self.reader()
        #expect(reader.declared.count == 5)
        for setting in reader.declared {
            #expect(text.contains("  \(setting.name)\n      \(setting.meaning)\n"))
            #expect(text.contains(setting.form))
        }
        #expect(text.contains("a whole number from 1 to 9, in clicks; default 3\n"))
        #expect(text.contains("; default 64 MiB\n"))
        #expect(text.contains("; required; secret\n"))
        #expect(text.contains("a file this process can read; optional\n"))
        #expect(text.contains("; default (empty)\n"))
        #expect(text.hasPrefix("Edge \(Version.current): Redirects.\n"))
    }

    @Test func `help and version are answered although settings are missing`() {
        #expect(Self.answer(["--help"])?.exitCode == 0)
        #expect(Self.answer(["-h"])?.exitCode == 0)
        #expect(Self.answer(["--version"])?.text == "Edge \(Version.current)\n")
    }

    @Test func `an unknown argument ends with 64, faulty settings with 78`() {
        #expect(Self.answer(["--verbose"])?.exitCode == 64)
        #expect(Self.answer(["--verbose"])?.text.contains("\"--verbose\"") == true)
        #expect(Self.answer([])?.exitCode == 78)
        #expect(Self.answer([])?.text.contains("1 setting is wrong") == true)
    }

    @Test func `good settings and no argument let the process start`() {
        var reader = SettingsReader(environment: ["KEY": "0123456789abcdef"])
        _ = reader.secret("KEY", minBytes: 16, "Opens it")
        let answer = ProgramArguments.answer(
            to: ["Edge"], program: "Edge", summary: "S", reader: reader)
        #expect(answer == nil)
    }
}
