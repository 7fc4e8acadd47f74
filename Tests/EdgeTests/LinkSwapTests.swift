import Clicks
import Glibc
import Linux
import Links
import Synchronization
import TestSupport
import Testing

@testable import Edge

/// What the edge makes of the links file as it comes, changes, breaks and goes.
@Suite struct LinkSwapTests {
    @Test func `a thousand swaps under load give one of two addresses, and no error`() throws {
        let sides = ["left", "right"].map { side in
            TestLinks.link("open-1", 1, url: "https://shop.example/\(side)")
        }
        let bench = try EdgeBench(["EDGE_WORKERS": "2"], links: [sides[0]])
        let port = bench.edge.port
        let isOver = Atomic<Bool>(false)
        let counts = Mutex<[String: Int]>([:])
        let clients = (0..<2).map { number in
            SystemThread(name: "clicks-\(number)") {
                var mine: [String: Int] = [:]
                while !isOver.load(ordering: .relaxed) {
                    guard let client = try? PlainClient(port: port) else { continue }
                    for _ in 0..<100 {
                        let answer = try? client.ask("GET", "/go/open-1")
                        mine[answer?.field("location") ?? "\(answer?.status ?? 0)", default: 0] += 1
                    }
                }
                counts.withLock { $0.merge(mine) { $0 + $1 } }
            }
        }
        for swap in 1...1000 { try TestLinks.write([sides[swap % 2]], to: bench.linksPath) }
        try eventually("the last file is in force") {
            try bench.ask(request(to: "/go/open-1"))?.field("location") == sides[0].url
        }
        isOver.store(true, ordering: .relaxed)
        for client in clients { client.join() }
        let got = counts.withLock { $0 }
        #expect(Set(got.keys) == Set(sides.map(\.url)), "\(got)")
        let metrics = try bench.metrics()
        #expect(metrics.sum("edge_links_swaps_total") > 20, "the swaps were real")
        #expect(metrics.sum("edge_links_refused_total") == 0)
    }

    @Test func `without a file there is nothing and no readiness, until one appears`() throws {
        let bench = try EdgeBench(links: nil)
        #expect(try bench.ask(request(to: "/go/open-1"))?.status == 404)
        let unready = try bench.admin("/readyz")
        #expect(unready.status == 503 && unready.body.contains("no links file"))
        #expect(try bench.admin("/healthz").status == 200)
        try TestLinks.write([TestLinks.open], to: bench.linksPath)
        try eventually("the file is noticed") {
            try bench.ask(request(to: "/go/open-1"))?.status == 302
        }
        // Told when the last worker has them, so a moment after the first.
        try eventually("ready") { try bench.admin("/readyz").status == 200 }
        #expect(try bench.metrics().sum("edge_links") == 1)
    }

    @Test func `links are in force when the last worker goes by them, and no sooner`() throws {
        let folder = try TestFolder()
        let workers = [try WorkerInbox(), try WorkerInbox()]
        let watch = try LinksWatch(path: folder.path + "/links", inboxes: workers)
        let thread = SystemThread(name: "links") { try? watch.run() }
        defer {
            watch.stop()
            thread.join()
        }
        try TestLinks.write([TestLinks.open], to: folder.path + "/links")
        for worker in workers {
            try eventually("the worker is told") { !worker.hasAdoptedLinks }
            #expect(watch.table == nil && watch.swaps == 0)
            _ = worker.take()
            worker.confirmAdoption()
        }
        try eventually("they are in force") { watch.table?.linkCount == 1 }
        try eventually("and counted") { watch.swaps == 1 }
    }

    @Test func `a bad file is refused and counted, a missing one is missed by no one`() throws {
        let bench = try EdgeBench()
        let good = try File.contents(of: bench.linksPath, bytesMax: 1 << 20)
        var wrong = good
        wrong[wrong.count / 2] ^= 1
        for (number, bytes) in [wrong, [], Array(good.dropLast()), [1, 2, 3]].enumerated() {
            // Beside and renamed: what is mapped is never written to.
            let path = bench.linksPath + ".new"
            let file = try File.open(path, .createOrTruncate)
            try bytes.withUnsafeBytes { try File.writeWhole($0, to: file, path: path) }
            try File.rename(path, to: bench.linksPath)
            try eventually("the refusal is counted") {
                try bench.metrics().sum("edge_links_refused_total") == Double(number + 1)
            }
            #expect(try bench.ask(request(to: "/go/open-1"))?.status == 302)
            #expect(try bench.admin("/readyz").status == 200)
        }
        try File.remove(bench.linksPath)
        try TestLinks.write([TestLinks.other], to: bench.folder.path + "/elsewhere")
        #expect(try bench.ask(request(to: "/go/open-1"))?.status == 302)
        #expect(try bench.admin("/readyz").status == 200)
        try File.rename(bench.folder.path + "/elsewhere", to: bench.linksPath)
        try eventually("a good file is taken again") {
            try bench.ask(request(to: "/go/open-1"))?.status == 404
        }
        #expect(try bench.ask(request(to: "/go/other-1"))?.status == 302)
    }
}
