import Foundation
import Glibc
import Linux
import TestSupport
import Testing

/// What README.md tells a newcomer to type, typed against the three processes.
@Suite struct ReadmeTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
    }

    private var readme: String {
        get throws {
            let root = URL(filePath: #filePath).appending(path: "../../..").standardizedFileURL
            return try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        }
    }

    /// The commands under a heading: what follows `$ ` in its first block.
    private func commands(under heading: String) throws -> [String] {
        let lines = try readme.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0 == "## \(heading)" })
        let block = lines[start...].drop { $0 != "```" }.dropFirst().prefix { $0 != "```" }
        return block.filter { $0.hasPrefix("$ ") }.map { String($0.dropFirst(2)) }
    }

    /// A folder that looks as the checkout does beside a `scripts/run`.
    private func checkout() throws -> TestFolder {
        let folder = try TestFolder()
        for sub in [".local", ".build/release"] {
            try FileManager.default.createDirectory(
                atPath: "\(folder.path)/\(sub)", withIntermediateDirectories: true)
        }
        try Data("\(database.url)\n".utf8).write(
            to: URL(filePath: folder.path + "/.local/database-url"))
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/.build/release/API",
            withDestinationPath: TestServers.binary("API"))
        return folder
    }

    /// A wait of at most 20 s for a condition of the shell. The text has README say how long it
    /// takes; a busy machine may take longer.
    private func wait(until condition: String) -> String {
        "for try in $(seq 200); do if \(condition); then break; fi; sleep 0.1; done"
    }

    @Test func `six calls lead from sign-up to the first tracked click`() throws {
        var lines = try commands(under: "From sign-up to the first tracked click")
        #expect(lines.filter { $0.contains("curl ") }.count == 6)
        let pipeline = try Pipeline(databaseURL: database.url)
        try pipeline.startBoth()
        let api = try RunningAPI(pipeline)
        lines = lines.map {
            $0.replacing("http://127.0.0.1:8000", with: "http://127.0.0.1:\(api.port)")
                .replacing("http://127.0.0.1:8080", with: "http://127.0.0.1:\(pipeline.edgePort)")
        }
        let click = try #require(lines.firstIndex { $0.contains("$edge/go/") })
        let metrics = "curl -s http://127.0.0.1:\(pipeline.edgeAdminPort)/metrics"
        lines.insert(wait(until: "\(metrics) | grep -q '^edge_links 1'"), at: click)
        let last = lines.removeLast()
        lines.append(wait(until: "\(last) | grep -q '\"gross\":2'"))
        lines.append(last)
        let folder = try checkout()
        let script = folder.path + "/lines.sh"
        try Data(("cd '\(folder.path)'\n" + lines.joined(separator: "\n") + "\n").utf8)
            .write(to: URL(filePath: script))
        let run = try ShellRun.run("sh -u \(script)")
        #expect(run.code == 0, "\(run.output)")
        #expect(
            run.count(of: "Location: https://shop.example/items/1?color=white&utm_source=") == 1)
        #expect(run.count(of: "HTTP/1.1 302 Found") == 1)
        let statistics = try #require(
            run.output.firstRange(of: "{\"gonggu_id\":").map { run.output[$0.lowerBound...] },
            "\(run.output)")
        let object = try JSONSerialization.jsonObject(with: Data(statistics.utf8))
        let total = (object as? [String: Any])?["total"] as? [String: Any]
        #expect(total?["gross"] as? Int == 2, "\(run.output)")
        #expect(total?["valid"] as? Int == 1)
        #expect((total?["rejected_by"] as? [String: Any])?["bot"] as? Int == 1)
    }
}
