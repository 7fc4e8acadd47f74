import Clicks
import Glibc
import Linux
import TestSupport
import Testing

@testable import Edge

/// The clock set back by an hour under a running edge, and forward again.
@Suite struct ClockStepTests {
    @Test func `a clock set back an hour and forward again costs no redirect and no record`() throws
    {
        let binary = try EdgeBinary()
        let offset = binary.folder.path + "/clock"
        try set(offset, "+0")
        let preloaded = [
            "env", "LD_PRELOAD=\(try library())", "FAKETIME_TIMESTAMP_FILE=\(offset)",
            "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
        ]
        var edge = try binary.start(through: preloaded)
        defer { edge.kill(SIGTERM) }
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        let client = try PlainClient(port: binary.port)
        // One visitor all the time; the connection stays open over each step.
        try click(client, "before", times: 2)
        try set(offset, "-1h")
        try click(client, "back", times: 2)
        try set(offset, "+0")
        try click(client, "forth", times: 2)
        try set(offset, "-1h")
        edge.killNow()
        edge = try binary.start(through: preloaded)
        try eventually("ready again: \(edge.log)") { binary.readiness()?.status == 200 }
        try click(try PlainClient(port: binary.port), "restarted", times: 1)
        let stored = try StoredClick.all(in: binary.folder.path + "/spool", isOver: false)
        let expected = ["before", "before", "back", "back", "forth", "forth", "restarted"]
        #expect(stored.map(\.channel) == expected)
        // A window from a future that was taken back is over, and so is one of an hour ago; what
        // follows a click under the same clock is its duplicate, whatever that clock says.
        let verdicts = stored.map(\.click.verdict)
        for first in [0, 2, 4] {
            #expect(verdicts[first] == .valid && verdicts[first + 1] == .duplicate)
        }
        let seconds = stored.map { $0.click.time.microseconds / 1_000_000 }
        #expect((3500...3600).contains(seconds[0] - seconds[2]), "the clock was set: \(seconds)")
        #expect((3500...3700).contains(seconds[4] - seconds[3]), "and again: \(seconds)")
        let scrape = try PlainClient(port: binary.adminPort).ask("GET", "/metrics")?.body
        #expect(try PrometheusText(scrape ?? "").sum("clicks_unrecorded_total") == 0)
    }

    private func click(_ client: PlainClient, _ channel: String, times: Int) throws {
        for _ in 0..<times {
            #expect(try client.ask("GET", "/go/open-1?ch=\(channel)")?.status == 302)
        }
    }

    private func set(_ path: String, _ offset: String) throws {
        let file = try File.open(path + ".new", .createOrTruncate)
        try Array((offset + "\n").utf8).withUnsafeBytes {
            try File.writeWhole($0, to: file, path: path)
        }
        try File.rename(path + ".new", to: path)
    }

    private struct NoLibrary: Error, CustomStringConvertible {
        let description = "libfaketime is not installed: run the tests by scripts/test"
    }

    /// Where Debian puts it for this processor.
    private func library() throws -> String {
        for folder in try File.list("/usr/lib") {
            let path = "/usr/lib/\(folder)/faketime/libfaketimeMT.so.1"
            if File.exists(path) { return path }
        }
        throw NoLibrary()
    }
}
