import Glibc
import Linux
import TestSupport
import Testing

@testable import Edge

@Suite struct DescriptorTests {
    @Test func `out of descriptors the edge waits, and hears again when there are some`() throws {
        let binary = try EdgeBinary()
        let edge = try binary.start()
        defer { edge.kill(SIGTERM) }
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        try eventually("the probes' connections are closed") {
            // The limit is on a descriptor's number, so the lowest free one is where it has to be.
            let free = try lowestFreeDescriptor(edge)
            try allow(free, edge)
            return try lowestFreeDescriptor(edge) == free
        }
        let client = try PlainClient(port: binary.port)
        try client.send(request(to: "/go/open-1"))
        let probe = try PlainClient(port: binary.adminPort)
        let turnsUntil = Clock.monotonic() + 300_000
        while Clock.monotonic() < turnsUntil { Clock.sleep(milliseconds: 50) }
        let ticks = try processorTicks(edge)
        #expect(ticks < 20, "neither listener spins: \(ticks) ticks of 10 ms")
        try allow(1000, edge)
        #expect(try client.receive()?.status == 302)
        #expect(try probe.ask("GET", "/healthz")?.status == 200, "the admin listener lives")
        try eventually("ready again") { binary.readiness()?.status == 200 }
        let clicks = try StoredClick.all(in: binary.folder.path + "/spool", isOver: false)
        #expect(clicks.count == 1, "that no folder could be opened to sync cost no click")
    }

    /// Sets how many descriptors the process may have, its own limit alone.
    private func allow(_ descriptors: Int, _ edge: ChildProcess) throws {
        let words = ["--pid", "\(edge.pid)", "--nofile=\(descriptors):"]
        #expect(try ChildProcess("prlimit", words, logPath: "/dev/null").wait() == 0)
    }

    private func lowestFreeDescriptor(_ edge: ChildProcess) throws -> Int {
        let open = Set(try File.list("/proc/\(edge.pid)/fd").compactMap { Int($0) })
        return (0...).first { !open.contains($0) } ?? 0
    }

    /// What the process has used of the processor since its start.
    private func processorTicks(_ edge: ChildProcess) throws -> Int {
        let path = "/proc/\(edge.pid)/stat"
        let file = try File.open(path, .read)
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = try bytes.withUnsafeMutableBytes {
            try File.read(file, into: $0, at: 0, path: path)
        }
        // After the name, which is in parentheses, user and system time are the 12th and 13th.
        let words = String(decoding: bytes[..<count], as: UTF8.self).split(separator: " ")
        return (Int(words[13]) ?? 0) + (Int(words[14]) ?? 0)
    }
}
