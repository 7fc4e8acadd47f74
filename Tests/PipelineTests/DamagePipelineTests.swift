import Clicks
import Glibc
import Linux
import Postgres
import Spool
import TestSupport
import Testing

/// Bytes that are not as they were written, met by the Ingest that is shipped.
@Suite(.serialized) struct DamagePipelineTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
    }

    /// 2026-11-21 12:00 in Seoul.
    private static let noon: Int64 = 1_795_230_000_000_000
    /// Clicks of each frame of each segment.
    private static let frames = [1, 3, 2, 1]

    private static func click(_ number: Int) -> Click {
        Click(
            id: Identifier(high: 7, low: UInt64(number)),
            gongguID: Identifier(high: 1, low: 1),
            time: Timestamp(microseconds: noon + Int64(number)), visitorKey: UInt64(number),
            address: NetworkAddress(ipv4: 0x0100_0001), verdict: .valid, path: .redirect)
    }

    private static let stored = Statement(
        "test_damage_stored", "select visitor_key as number from click_trackings limit 1000000")
    private static let statistics = Statement(
        "test_damage_statistics", "select coalesce(sum(clicks), 0)::bigint as n from click_stats")

    /// Writes a segment of ``frames``. - Returns: where each frame begins, and the last ends.
    private func write(
        _ writer: SpoolWriter, from first: Int, in pipeline: Pipeline
    ) throws -> [Int] {
        var number = first
        var offsets = [SpoolFormat.segmentHeaderBytes]
        for count in Self.frames {
            for _ in 0..<count {
                // All equally long, so that a byte's place means the same in each segment.
                let agent = Array("agent \(number + 100_000)".utf8)
                agent.withUnsafeBytes { agent in
                    let none = UnsafeRawBufferPointer(start: nil, count: 0)
                    let texts = ClickTexts(userAgent: agent, referer: none, channel: none)
                    #expect(writer.append(Self.click(number), texts))
                }
                number += 1
            }
            #expect(writer.commit() == .written(records: count))
            let name = try #require(files(pipeline).last)
            offsets.append(try #require(File.identity(of: spool(pipeline) + "/" + name)).bytes)
        }
        return offsets
    }

    private func spool(_ pipeline: Pipeline) -> String { pipeline.folder.path + "/spool/test-edge" }

    private func files(_ pipeline: Pipeline) -> [String] {
        pipeline.files(in: "spool/test-edge").filter { $0.hasSuffix(".clicks") }.sorted()
    }

    private func metric(_ pipeline: Pipeline, _ name: String) throws -> Int {
        let text = try PlainClient(port: pipeline.ingestAdminPort).ask("GET", "/metrics")?.body
        let line = (text ?? "").split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return line?.split(separator: " ").last.flatMap { Int($0) } ?? -1
    }

    @Test
    func `a byte flipped in any segment costs its frame, and Ingest counts what it sets aside`()
        throws
    {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let pipeline = try Pipeline(
            databaseURL: database.url, settings: ["INGEST_KEPT_BYTES_MAX": "0"])
        let each = Self.frames.reduce(0, +)
        var expected: Set<Int> = []
        var setAsideBytes = 0
        var segments = 0
        do {
            let sync = try SpoolSync(policy: .never) { _ in }
            let folder = try SpoolFolder.open(
                pipeline.folder.path + "/spool", edgeID: "test-edge", nowMicros: Self.noon)
            var place = 0
            while true {
                let number = segments * each
                let writer = SpoolWriter(folder: folder, worker: segments, sync: sync)
                let offsets = try write(writer, from: number, in: pipeline)
                guard place < offsets[offsets.count - 1] else { break }
                let path = spool(pipeline) + "/" + files(pipeline)[segments]
                try flip(path, place, UInt8.random(in: 1...255, using: &random))
                var clicks = number
                for (index, count) in Self.frames.enumerated() {
                    if !(offsets[index]..<offsets[index + 1] ~= place) {
                        expected.formUnion(clicks..<clicks + count)
                    }
                    clicks += count
                }
                let hit = offsets.lastIndex { $0 <= place }
                setAsideBytes +=
                    hit.map { offsets[$0 + 1] - offsets[$0] } ?? SpoolFormat.segmentHeaderBytes
                segments += 1
                place += 1 + Int(random.next() % 9)
            }
            expected.formUnion(segments * each..<(segments + 1) * each)
        }
        // A later process closes them all.
        let sync = try SpoolSync(policy: .never) { _ in }
        let later = try SpoolFolder.open(
            pipeline.folder.path + "/spool", edgeID: "test-edge", nowMicros: Self.noon + 1)
        let writer = SpoolWriter(folder: later, worker: 0, sync: sync)
        defer { writer.close() }
        try pipeline.start(.ingest)
        let db = try database.connect()
        try eventually("all segments are consumed", within: 60) { files(pipeline).count <= 1 }
        let stored = try db.query(Self.stored).map { try $0.get("number", as: Int.self) }
        #expect(stored.count == Set(stored).count)
        #expect(Set(stored) == expected)
        #expect(try db.query(Self.statistics)[0].get("n", as: Int.self) == expected.count)
        // Each with a text that says why.
        let quarantined = pipeline.files(in: "spool/test-edge/quarantine")
            .filter { !$0.hasSuffix(".txt") }
        #expect(quarantined.count == segments && segments > 150)
        let bytes = quarantined.map {
            File.identity(of: spool(pipeline) + "/quarantine/" + $0)?.bytes ?? 0
        }
        #expect(bytes.reduce(0, +) == setAsideBytes)
        #expect(try metric(pipeline, "ingest_quarantined_ranges_total") == segments)
        #expect(try metric(pipeline, "ingest_quarantined_bytes_total") == setAsideBytes)
    }

    private func flip(_ path: String, _ place: Int, _ bits: UInt8) throws {
        var bytes = try File.contents(of: path, bytesMax: 1 << 20)
        bytes[place] ^= bits
        try replace(path, bytes)
    }

    private func replace(_ path: String, _ bytes: [UInt8]) throws {
        let file = try File.open(path, .createOrTruncate)
        try bytes.withUnsafeBytes { try File.writeWhole($0, to: file, path: path) }
    }

    // MARK: Countries

    private static let countries = Statement(
        "test_damage_countries",
        "select country::text as country from click_trackings order by visitor_key limit 1000")

    private func table(_ country: String) -> [UInt8] {
        var writer = MaxMindWriter()
        writer.add(writer.ipv4(0x0100_0000, 8), country)
        return writer.bytes
    }

    /// Files that are bad, each in its own way.
    private func hostile(_ random: inout SplitMix) -> [(name: String, bytes: [UInt8])] {
        let whole = table("DE")
        var cyclic = whole
        // The root's records lead to the root.
        cyclic.replaceSubrange(0..<6, with: [UInt8](repeating: 0, count: 6))
        let key = Array("node_count".utf8)
        let at = whole.indices.last { whole[$0...].starts(with: key) }! + key.count + 1
        var endless = whole
        endless.replaceSubrange(at..<at + 4, with: [UInt8](repeating: 0xFF, count: 4))
        return [
            ("half", Array(whole[..<(whole.count / 2)])), ("none", []), ("cyclic", cyclic),
            ("endless", endless), ("zeros", [UInt8](repeating: 0, count: 100_000)),
            ("noise", (0..<50_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }),
        ]
    }

    @Test func `hostile country files, one after the other under load, never stop Ingest`() throws {
        var random = SplitMix(state: 20_261_121)
        let folder = try TestFolder()
        let path = folder.path + "/countries.mmdb"
        try replace(path, table("KR"))
        let pipeline = try Pipeline(databaseURL: database.url, settings: ["GEOIP_DATABASE": path])
        try pipeline.start(.ingest)
        try pipeline.awaitReady(pipeline.ingestAdminPort)
        let db = try database.connect()
        let sync = try SpoolSync(policy: .never) { _ in }
        let spool = try SpoolFolder.open(
            pipeline.folder.path + "/spool", edgeID: "test-edge", nowMicros: Self.noon)
        let writer = SpoolWriter(folder: spool, worker: 0, sync: sync)
        defer { writer.close() }
        var number = 0
        /// One more click, and the country it is stored with.
        func click() throws -> String? {
            let none = UnsafeRawBufferPointer(start: nil, count: 0)
            #expect(
                writer.append(
                    Self.click(number),
                    ClickTexts(userAgent: none, referer: none, channel: none)))
            #expect(writer.commit() == .written(records: 1))
            number += 1
            try eventually("the click is stored") {
                try db.query(Self.countries).count == number
            }
            return try db.query(Self.countries).last?.get("country")
        }
        #expect(try click() == "KR")
        for (turn, file) in hostile(&random).enumerated() {
            let before = try metric(pipeline, "ingest_geoip_failures_total")
            if turn % 2 == 0 {
                // In place, byte for byte, as a careless copy does.
                try replace(path, file.bytes)
            } else {
                try replace(path + ".new", file.bytes)
                try File.rename(path + ".new", to: path)
            }
            let loads = try metric(pipeline, "ingest_geoip_loads_total")
            try eventually("\(file.name) was looked at") {
                try click() != nil
                    && (metric(pipeline, "ingest_geoip_failures_total") > before
                        || metric(pipeline, "ingest_geoip_loads_total") > loads)
            }
            #expect(try click() == "KR", "\(file.name): the last good one serves on")
            try restore(path, pipeline)
            #expect(try click() == "KR")
        }
        #expect(pipeline.ingest?.wait(seconds: 0) == nil, "it runs")
    }

    /// Puts the good file back, and waits until it is in use.
    private func restore(_ path: String, _ pipeline: Pipeline) throws {
        let loads = try metric(pipeline, "ingest_geoip_loads_total")
        try replace(path + ".new", table("KR"))
        try File.rename(path + ".new", to: path)
        try eventually("the good file is back") {
            try metric(pipeline, "ingest_geoip_loads_total") > loads
        }
    }
}
