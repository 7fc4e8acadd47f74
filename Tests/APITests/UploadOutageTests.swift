import Clicks
import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import Linux
import ObjectStore
import Postgres
import TestSupport
import Testing

@testable import API

/// What happens to uploads while something they need is away.
@Suite struct UploadOutageTests {
    /// A program of the shell in the place of the one that makes images.
    private func program(_ script: String, in folder: TestFolder) throws -> String {
        let path = "\(folder.path)/program"
        try "#!/bin/sh\n\(script)\n".write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return path
    }

    private func tries(_ site: UploadSite) throws -> Int {
        try site.test.connect().query(
            Statement("test_tries", "select count(*) from uploads"))[0].get(0)
    }

    @Test func `a program that is killed is our fault, and the next image is made`() async throws {
        let folder = try TestFolder()
        let real = try TestServers.binary("Thumbnailer")
        let path = try program(
            "[ -e \(folder.path)/once ] && exec \(real)\n: > \(folder.path)/once\nkill -9 $$",
            in: folder)
        let site = try await UploadSite(["IMAGE_PROGRAM": path])
        try await site.call { caller in
            let killed = try await caller.upload(SmallImage.png)
            #expect(killed.status == 503 && killed.code == "TEMPORARILY_UNAVAILABLE")
            #expect(killed.headers[.retryAfter] != nil)
            #expect(try tries(site) == 0)
            #expect(try await caller.upload(SmallImage.png).status == 201)
        }
    }

    @Test func `a decoder that crashes speaks against its image`() async throws {
        let folder = try TestFolder()
        let path = try program("kill -SEGV $$", in: folder)
        let site = try await UploadSite(["IMAGE_PROGRAM": path])
        try await site.call { caller in
            let answer = try await caller.upload(SmallImage.png)
            #expect(answer.status == 422 && answer.code == "IMAGE_UNREADABLE")
            #expect(try tries(site) == 1)
        }
    }

    @Test(arguments: ["missing", "/dev/null", "exit 1", "echo made 3", "echo hello", "exit 0"])
    func `without a program that works uploads are refused and the rest goes on`(
        _ script: String
    ) async throws {
        let folder = try TestFolder()
        let isScript = script.contains(" ")
        let path = isScript ? try program(script, in: folder) : "\(folder.path)/\(script)"
        let site = try await UploadSite(["IMAGE_PROGRAM": path])
        #expect(site.test.server.uploads.complaints.isEmpty == isScript)
        try await site.call { caller in
            let answer = try await caller.upload(SmallImage.png)
            #expect(answer.status == 503 && answer.code == "IMAGES_UNAVAILABLE")
            #expect(try await caller.send(.get, "/api/v1/gonggus").status == 200)
        }
    }

    @Test func `more images than wait are told to come back`() async throws {
        let folder = try TestFolder()
        let real = try TestServers.binary("Thumbnailer")
        let path = try program(
            "while [ ! -e \(folder.path)/go ]; do sleep 0.05; done; exec \(real)", in: folder)
        let site = try await UploadSite([
            "IMAGE_PROGRAM": path, "IMAGE_LANES": "1", "IMAGE_QUEUE_MAX": "1",
        ])
        try await site.call { caller in
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<5 {
                    group.addTask { try await caller.upload(SmallImage.png).status }
                }
                // Three cannot wait; they are answered while the others do.
                var statuses: [Int] = []
                while statuses.count < 3, let status = try await group.next() {
                    statuses.append(status)
                }
                #expect(statuses == [503, 503, 503])
                try "".write(toFile: "\(folder.path)/go", atomically: true, encoding: .utf8)
                return try await group.reduce(into: statuses) { $0.append($1) }
            }
            #expect(statuses.sorted() == [201, 201, 503, 503, 503])
        }
    }

    @Test func `a folder that cannot be written to is a clear 503`() async throws {
        let folder = try TestFolder()
        let blocked = "\(folder.path)/file"
        try "".write(toFile: blocked, atomically: true, encoding: .utf8)
        let site = try await UploadSite(["UPLOAD_DIRECTORY": "\(blocked)/uploads"])
        #expect(site.test.server.uploads.complaints.count == 1)
        try await site.call { caller in
            let answer = try await caller.upload(SmallImage.png)
            #expect(answer.status == 503 && answer.code == "IMAGE_STORE_UNAVAILABLE")
            #expect(try tries(site) == 0)
            try FileManager.default.removeItem(atPath: blocked)
            #expect(try await caller.upload(SmallImage.png).status == 201)
        }
    }

    @Test func `a full disk leaves nothing under the name, nor beside it`() throws {
        let folder = try TestFolder()
        let store = ImageStore.folder(folder.path)
        let time = Timestamp(microseconds: 1_795_251_600_000_000)
        let name = ImageName(id: .new(), at: time, isThumbnail: false)
        #expect(name.path == "images/2026/11/\(name.id).webp")
        let file = try MemoryFile(name: "test")
        try SmallImage.png.withUnsafeBytes { try file.append($0) }
        let month = "\(folder.path)/images/2026/11"
        try File.makeDirectories(month)
        // What is written to the temporary file goes to a device that is full.
        try FileManager.default.createSymbolicLink(
            atPath: "\(month)/.\(name.id)", withDestinationPath: "/dev/full")
        #expect { try store.put(file, as: name) } throws: {
            ($0 as? SystemError)?.code == ENOSPC
        }
        #expect(try File.list(month) == [])
        try store.put(file, as: name)
        #expect(try File.list(month) == ["\(name.id).webp"])
        #expect(
            try File.contents(of: "\(folder.path)/\(name.path)", bytesMax: 1 << 20)
                == SmallImage.png)
    }

    private func bucket(_ port: UInt16) -> [String: String] {
        [
            "AWS_S3_BUCKET": "pictures", "AWS_S3_ENDPOINT": "http://127.0.0.1:\(port)",
            "AWS_REGION": "ap-northeast-2", "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": "a secret", "AWS_CLOUDFRONT_DOMAIN": "cdn.gonggumoa.example",
        ]
    }

    @Test func `a bucket takes both under a signature that holds`() async throws {
        let server = try ObjectServer()
        let site = try await UploadSite(bucket(server.port))
        try await site.call { caller in
            let made = try await caller.upload(SmallImage.png)
            #expect(made.status == 201)
            let url = try #require(made.json["url"]?.text)
            #expect(url.hasPrefix("https://cdn.gonggumoa.example/images/20"))
            let key = String(url.dropFirst("https://cdn.gonggumoa.example/".count))
            let keys = [
                "/pictures/\(key)", "/pictures/\(key.replacing(".webp", with: "_thumb.webp"))",
            ]
            #expect(server.keys == keys.sorted())
            for head in server.heads {
                let path = String(head.split(separator: " ")[1])
                var body: [UInt8] = []
                server.change(path) { body = $0 }
                #expect(!webPChunks(body).isEmpty)
                #expect(head.contains("\r\nContent-Type: image/webp\r\n"))
                #expect(head.contains("\r\nCache-Control: public, max-age=31536000, immutable\r\n"))
                #expect(isSigned(head, body: body, secret: "a secret"))
                #expect(!isSigned(head, body: body + [0], secret: "a secret"))
                #expect(!isSigned(head, body: body, secret: "another"))
            }
            // Where a bucket has them the API serves none.
            #expect(try await caller.fetch("/\(key)").status == 404)
            #expect(site.files.isEmpty)
        }
    }

    @Test func `a bucket that is away or refuses is a clear 503`() async throws {
        let away = try await UploadSite(bucket(try freePort()))
        try await away.call { caller in
            let answer = try await caller.upload(SmallImage.png)
            #expect(answer.status == 503 && answer.code == "IMAGE_STORE_UNAVAILABLE")
        }
        let server = try ObjectServer()
        let site = try await UploadSite(bucket(server.port))
        try await site.call { caller in
            server.refuse(status: 403)
            let answer = try await caller.upload(SmallImage.png)
            #expect(answer.status == 503 && answer.code == "IMAGE_STORE_UNAVAILABLE")
            #expect(try tries(site) == 0)
            server.refuse(status: nil)
            #expect(try await caller.upload(SmallImage.png).status == 201)
        }
    }

    /// Ends an account and its thirty days, and erases it.
    private func erase(_ member: Caller, on test: TestAPI) async throws {
        #expect(try await member.send(.delete, "/api/v1/users/me").status == 200)
        let connection = try test.connect()
        try connection.run(
            script: """
                update users set erase_requested_at = erase_requested_at - interval '31 days'
                where erase_requested_at is not null
                """)
        let report = try AccountErasure.run(limit: 10, in: connection)
        #expect(report.erased == 1 && report.failures.isEmpty)
    }

    private func discarded(_ site: UploadSite) throws -> Int {
        try site.test.connect().query(
            Statement("test_discarded", "select count(*) from discarded_images"))[0].get(0)
    }

    @Test func `pictures of an erased account go, once the bucket that was away is back`()
        async throws
    {
        let server = try ObjectServer()
        let site = try await UploadSite(bucket(server.port))
        try await site.call { caller in
            let test = site.test
            let other = try await caller.member(.buyer, on: test)
            #expect(try await other.upload(SmallImage.png).status == 201)
            let keys = server.keys
            for image in [SmallImage.png, SmallImage.gif] {
                #expect(try await caller.upload(image).status == 201)
            }
            try await erase(caller, on: test)
            #expect(try tries(site) == 1 && discarded(site) == 2)
            let disposal = ImageDisposal(
                pool: test.server.pool, desk: test.server.uploads, logger: test.server.logger)
            server.refuse(status: 503)
            #expect(try await disposal.runOnce() == DisposalReport(deleted: 0, failed: 2))
            #expect(server.keys.count == 6)
            server.refuse(status: nil)
            // It is not asked at once again.
            #expect(try await disposal.runOnce() == DisposalReport())
            try test.connect().run(script: "update discarded_images set due_at = now()")
            #expect(try await disposal.runOnce() == DisposalReport(deleted: 2, failed: 0))
            #expect(server.keys == keys)
            #expect(try tries(site) == 1 && discarded(site) == 0)
            let heads = server.heads.filter { $0.hasPrefix("DELETE ") }
            #expect(
                heads.count == 6 && heads.allSatisfy { isSigned($0, body: [], secret: "a secret") })
        }
    }

    @Test func `pictures of an erased account go from a folder, whatever is gone already`()
        async throws
    {
        let site = try await UploadSite()
        try await site.call { caller in
            let test = site.test
            for image in [SmallImage.png, SmallImage.gif] {
                #expect(try await caller.upload(image).status == 201)
            }
            let files = site.files
            #expect(files.count == 4)
            try FileManager.default.removeItem(atPath: "\(site.root)/\(files[0])")
            try await erase(caller, on: test)
            let disposal = ImageDisposal(
                pool: test.server.pool, desk: test.server.uploads, logger: test.server.logger)
            #expect(try await disposal.runOnce() == DisposalReport(deleted: 2, failed: 0))
            #expect(site.files.isEmpty)
            #expect(try discarded(site) == 0)
        }
    }

    /// AWS Signature Version 4 as its description has it, computed anew from what arrived.
    private func isSigned(_ head: String, body: [UInt8], secret: String) -> Bool {
        func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
            bytes.map { String(format: "%02x", $0) }.joined()
        }
        func code(_ key: some ContiguousBytes, _ text: String) -> Data {
            Data(
                HMAC<Crypto.SHA256>.authenticationCode(
                    for: Data(text.utf8), using: SymmetricKey(data: key)))
        }
        let lines = head.split(separator: "\r\n").map(String.init)
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { return false }
            fields[line[..<colon].lowercased()] =
                line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        let words = lines[0].split(separator: " ")
        guard let authorization = fields["authorization"], let time = fields["x-amz-date"],
            let names = authorization.firstMatch(of: /SignedHeaders=([^,]+)/)?.1,
            let given = authorization.firstMatch(of: /Signature=([0-9a-f]{64})/)?.1
        else { return false }
        let digest = hexadecimal(Crypto.SHA256.hash(data: body))
        guard fields["x-amz-content-sha256"] == digest else { return false }
        let signed = names.split(separator: ";").map { "\($0):\(fields[String($0)] ?? "")\n" }
        let canonical = "\(words[0])\n\(words[1])\n\n\(signed.joined())\n\(names)\n\(digest)"
        let day = String(time.prefix(8))
        let scope = "\(day)/ap-northeast-2/s3/aws4_request"
        let hash = hexadecimal(Crypto.SHA256.hash(data: Data(canonical.utf8)))
        var key = Data("AWS4\(secret)".utf8)
        for part in [day, "ap-northeast-2", "s3", "aws4_request"] { key = code(key, part) }
        return given == hexadecimal(code(key, "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(hash)"))
    }
}
