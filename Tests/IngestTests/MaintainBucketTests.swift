import Clicks
import Linux
import ObjectStore
import TestSupport
import Testing

@testable import Ingest

/// Files that a bucket keeps.
@Suite struct MaintainBucketTests {
    private let bench: MaintainBench
    private let server: ObjectServer
    private let old = MaintainBench.old
    private static let object = "/archive/clicks/clicks-2025-10-01-1.csv.gz"

    init() throws {
        bench = try MaintainBench()
        server = try ObjectServer()
        bench.bucket = S3Bucket(
            endpoint: "http://127.0.0.1:\(server.port)", region: "ap-northeast-2", name: "archive",
            accessKeyID: "someone", secretAccessKey: "secret")
        try bench.addClicks(old)
    }

    private var localFiles: [String] {
        get throws { try File.list(bench.settings.archiveDirectory).sorted() }
    }

    @Test func `a bucket has the file and the folder has nothing`() throws {
        let before = try bench.digest(old)
        #expect(try bench.maintain() == 0)
        #expect(try bench.parts(old) == "1 archived")
        #expect(
            server.keys == [Self.object, "/archive/clicks/clicks-2025-10-01-1.json"])
        #expect(try localFiles == [])
        #expect(try bench.restore(old) == 300)
        #expect(try bench.digest(old) == before)
        #expect(try localFiles == [])
    }

    @Test func `while the bucket is away the table stays`() throws {
        server.refuse(status: 503)
        #expect(try bench.maintain() == 1)
        #expect(try bench.strayTables() == 1)
        server.refuse(status: nil)
        #expect(try bench.maintain() == 0)
        #expect(try bench.parts(old) == "1 archived")
        server.refuse(status: 503)
        #expect(throws: ObjectStoreError.self) { try bench.restore(old) }
        #expect(try bench.digest(old) == "0 ")
    }

    @Test func `what the bucket gives back is what decides`() throws {
        let failures = try bench.maintain { [server] point in
            guard point.hasPrefix("kept") else { return }
            server.change(Self.object) { $0[40] ^= 1 }
        }
        #expect(failures == 1)
        #expect(try bench.parts(old) == "1 detached")
        #expect(try bench.maintain() == 0)
        server.change(Self.object) { $0.removeLast() }
        #expect(throws: MaintainError.self) { try bench.restore(old) }
    }

    @Test func `a bucket that is not named any more is said to be`() throws {
        try bench.maintain()
        bench.bucket = nil
        #expect {
            try bench.restore(old)
        } throws: {
            "\($0)".contains("s3://archive/clicks/clicks-2025-10-01-1.csv.gz is in a bucket")
        }
    }
}
