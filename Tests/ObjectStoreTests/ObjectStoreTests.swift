import Linux
import TestSupport
import Testing

@testable import ObjectStore

@Suite struct ObjectStoreTests {
    private let folder: TestFolder
    private let server: ObjectServer

    init() throws {
        folder = try TestFolder()
        server = try ObjectServer()
    }

    /// "GET Object" and "PUT Object" of the examples in Amazon's description of the header.
    @Test func `signatures are those that Amazon gives as examples`() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        func signature(_ method: String, _ path: String, _ more: [(String, String)], _ body: String)
            -> String
        {
            let headers =
                [
                    ("host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", body),
                    ("x-amz-date", "20130524T000000Z"),
                ] + more
            let text = S3Signature.authorization(
                method: method, path: path, headers: headers.map { (name: $0.0, value: $0.1) },
                time: "20130524T000000Z", region: "us-east-1", payloadSHA256: body,
                accessKeyID: "AKIAIOSFODNN7EXAMPLE",
                secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
            return String(text.suffix(64))
        }
        #expect(
            signature("GET", "/test.txt", [("range", "bytes=0-9")], empty)
                == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
        #expect(
            signature(
                "PUT", "/test%24file.text",
                [
                    ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ], "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
                == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    }

    private func bucket(port: UInt16? = nil) -> S3Bucket {
        S3Bucket(
            endpoint: "http://127.0.0.1:\(port ?? server.port)/", region: "ap-northeast-2",
            name: "archive", accessKeyID: "someone", secretAccessKey: "secret")
    }

    private func write(_ bytes: [UInt8]) throws -> String {
        let path = folder.path + "/source"
        let file = try File.open(path, .createOrTruncate)
        try bytes.withUnsafeBytes { try File.writeWhole($0, to: file, path: path) }
        return path
    }

    @Test(arguments: [0, 1, 3_000_000])
    func `what was stored is what is fetched`(_ count: Int) throws {
        var random = SplitMix(state: 3)
        let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let bucket = bucket()
        try bucket.put(
            "clicks/a-1.csv.gz", file: write(bytes), bytes: count, sha256: "abc",
            contentType: "application/gzip")
        let target = folder.path + "/target"
        try bucket.get("clicks/a-1.csv.gz", to: target)
        #expect(try File.contents(of: target, bytesMax: 1 << 23) == bytes)
        let heads = server.heads
        #expect(heads[0].hasPrefix("PUT /archive/clicks/a-1.csv.gz HTTP/1.1\r\n"))
        #expect(heads[0].contains("\r\nx-amz-content-sha256: abc\r\n"))
        #expect(heads[0].contains("\r\nHost: 127.0.0.1:\(server.port)\r\n"))
        #expect(!heads[0].contains("secret"))
        for head in heads {
            #expect(
                head.contains(
                    "/ap-northeast-2/s3/aws4_request,"
                        + "SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature="))
        }
    }

    @Test func `what was deleted is gone, and may be deleted again`() throws {
        let bucket = bucket()
        let path = try write([1, 2, 3])
        try bucket.put("a/b", file: path, bytes: 3, sha256: "x", contentType: "text/plain")
        try bucket.put("a/c", file: path, bytes: 3, sha256: "x", contentType: "text/plain")
        for _ in 0..<2 {
            try bucket.delete("a/b")
            #expect(server.keys == ["/archive/a/c"])
        }
        #expect(server.heads.last?.hasPrefix("DELETE /archive/a/b HTTP/1.1\r\n") == true)
        server.refuse(status: 503)
        #expect {
            try bucket.delete("a/c")
        } throws: {
            ($0 as? ObjectStoreError)?.status == 503
        }
        #expect(server.keys == ["/archive/a/c"])
    }

    @Test func `what a server refuses is an error with its words`() throws {
        #expect {
            try bucket().get("clicks/none", to: folder.path + "/target")
        } throws: {
            ($0 as? ObjectStoreError)?.isMissing == true && "\($0)".contains("NoSuchKey")
        }
        let path = try write([1, 2, 3])
        server.refuse(status: 503)
        #expect {
            try bucket().put("k", file: path, bytes: 3, sha256: "x", contentType: "text/plain")
        } throws: {
            ($0 as? ObjectStoreError)?.status == 503
        }
        let port = try freePort()
        #expect {
            try bucket(port: port).get("k", to: path)
        } throws: {
            ($0 as? ObjectStoreError)?.status == 0
        }
    }
}
