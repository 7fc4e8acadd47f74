import Clicks
import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Linux
import Postgres
import TestSupport
import Testing

@testable import API

/// The service with the real image program and a folder of its own.
final class UploadSite: Sendable {
    let folder: TestFolder
    let test: TestAPI

    var root: String { "\(folder.path)/uploads" }

    init(_ extra: [String: String] = [:]) async throws {
        folder = try TestFolder()
        test = try await TestAPI(
            environment: [
                "UPLOAD_DIRECTORY": "\(folder.path)/uploads", "UPLOADS_PER_HOUR": "10000",
                "IMAGE_PROGRAM": try TestServers.binary("Thumbnailer"),
                "PUBLIC_API_URL": "https://api.gonggumoa.example/",
            ].merging(extra) { $1 })
    }

    /// Signed in, as somebody.
    func call(_ body: @escaping @Sendable (Caller) async throws -> Void) async throws {
        try await test.call { [test] in try await body(try await $0.member(.buyer, on: test)) }
    }

    /// Every file under the folder, by its path in it.
    var files: [String] {
        let found = FileManager.default.enumerator(atPath: root)
        return (found?.allObjects as? [String] ?? []).filter { !File.isFolder("\(root)/\($0)") }
            .sorted()
    }
}

extension File {
    fileprivate static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            && isFolder.boolValue
    }
}

extension Caller {
    static let boundary = "----boundary of the tests"

    func upload(
        _ file: [UInt8], named name: String = "photo.jpg", purpose: String? = nil,
        purposeFirst: Bool = false
    ) async throws -> Answer {
        var parts = [
            Array(
                ("Content-Disposition: form-data; name=\"file\"; filename=\"\(name)\"\r\n"
                    + "Content-Type: image/jpeg\r\n\r\n").utf8) + file
        ]
        if let purpose {
            let part = Array(
                "Content-Disposition: form-data; name=\"purpose\"\r\n\r\n\(purpose)".utf8)
            parts.insert(part, at: purposeFirst ? 0 : 1)
        }
        var body: [UInt8] = []
        for part in parts {
            body += "--\(Caller.boundary)\r\n".utf8
            body += part + [0x0D, 0x0A]
        }
        body += "--\(Caller.boundary)--\r\n".utf8
        return try await sendForm(body)
    }

    func sendForm(
        _ body: [UInt8], type: String = "multipart/form-data; boundary=\"\(boundary)\""
    ) async throws -> Answer {
        var headers: HTTPFields = [.contentType: type]
        if let token { headers[.authorization] = "Bearer \(token)" }
        return try await client.execute(
            uri: "/api/v1/upload/image", method: .post, headers: headers,
            body: ByteBuffer(bytes: body)
        ) { response in
            let json = try? JSON(reading: response.body.readableBytesView)
            return Answer(
                status: response.status.code, json: json ?? .null, headers: response.headers)
        }
    }

    /// What is at an address of the service.
    func fetch(
        _ path: String, method: HTTPRequest.Method = .get, headers: HTTPFields = [:]
    ) async throws -> (status: Int, headers: HTTPFields, bytes: [UInt8]) {
        try await client.execute(uri: path, method: method, headers: headers) { response in
            (response.status.code, response.headers, Array(response.body.readableBytesView))
        }
    }
}

extension Caller.Answer {
    /// Path of an image that was taken, from the API's own address.
    func path(_ member: String) -> String {
        String((json[member]?.text ?? "").dropFirst("https://api.gonggumoa.example".count))
    }

    var size: [Int?] { [json["width"]?.integer, json["height"]?.integer] }
}

/// Small ones of each format.
enum SmallImage {
    static let png = TestPNG.coloured(40, 24) { x, y in (UInt8(x * 6), UInt8(y * 10), 90) }
    static let jpeg = TestJPEG.grey(6, 4) { column, row in column * 30 + row * 10 + 20 }
    static let gif = TestGIF.frames(30, 20, count: 3) { frame, x, y in UInt8(frame * 30 + x + y) }
}

@Suite struct UploadRoutesTests {
    @Test func `each format becomes WebP with a thumbnail, whatever its name says`() async throws {
        let site = try await UploadSite()
        try await site.call { caller in
            let large = TestPNG.black(1200, 600)
            var webP: [UInt8] = []
            for (file, name, width, height) in [
                (SmallImage.png, "a.gif", 40, 24), (SmallImage.jpeg, "b", 48, 32),
                (SmallImage.gif, "../../c.exe", 30, 20), (large, "d.jpg", 1200, 600),
            ] {
                let made = try await caller.upload(file, named: name)
                #expect(made.status == 201 && made.size == [width, height], "\(name): \(made)")
                #expect(made.headers[.location] == made.json["url"]?.text)
                let path = made.path("url")
                #expect(path.contains(/^\/images\/20\d\d\/(0[1-9]|1[0-2])\/[0-9a-f-]{36}\.webp$/))
                #expect(made.path("thumbnail_url") == path.replacing(".webp", with: "_thumb.webp"))
                let picture = try await caller.fetch(path)
                #expect(picture.status == 200 && !webPChunks(picture.bytes).isEmpty)
                #expect(picture.headers[.contentType] == "image/webp")
                #expect(picture.headers[.contentLength] == "\(picture.bytes.count)")
                #expect(picture.headers[.xContentTypeOptions] == "nosniff")
                #expect(picture.headers[.cacheControl]?.contains("immutable") == true)
                let thumbnail = try await caller.fetch(made.path("thumbnail_url"))
                #expect(thumbnail.status == 200)
                let again = try await caller.upload(thumbnail.bytes)
                #expect(again.size == (width > 480 ? [480, 240] : [width, height]))
                if name == "b" { webP = picture.bytes }
                // Three frames stay three, and their thumbnail is a still.
                let frames = webPChunks(picture.bytes).count { $0 == "ANMF" }
                #expect(frames == (name.hasSuffix("exe") ? 3 : 0))
                #expect(!webPChunks(thumbnail.bytes).contains("ANMF"))
            }
            let again = try await caller.upload(webP, purpose: "banner", purposeFirst: true)
            #expect(again.status == 201 && again.size == [48, 32])
        }
        let stored = Statement(
            "test_stored", "select count(*) from uploads where stored_at is not null")
        #expect(try site.test.connect().query(stored)[0].get(0, as: Int.self) == 9)
        #expect(site.files.count == 18)
    }

    @Test func `nothing but pixels is left, and they stand upright`() async throws {
        let site = try await UploadSite()
        try await site.call { caller in
            let exif = TestJPEG.exif(orientation: 6, note: "at home, Mapo-gu")
            let jpeg = TestJPEG.grey(6, 4, exif: exif) { column, _ in column * 40 }
            let trailer = Array("<script>alert(1)</script>".utf8)
            let made = try await caller.upload(jpeg + trailer)
            #expect(made.status == 201 && made.size == [32, 48])
            for member in ["url", "thumbnail_url"] {
                let file = try await caller.fetch(made.path(member)).bytes
                #expect(Set(webPChunks(file)).isDisjoint(with: ["EXIF", "XMP ", "ICCP"]))
                for text in ["Mapo", "Exif", "script"] {
                    #expect(file.firstRange(of: Array(text.utf8)) == nil, "\(member) has \(text)")
                }
            }
            let png = try await caller.upload(SmallImage.png)
            let file = try await caller.fetch(png.path("url")).bytes
            #expect(file.firstRange(of: Array("street".utf8)) == nil)
        }
    }

    @Test func `what is no image of the four formats is refused by its content`() async throws {
        let site = try await UploadSite()
        try await site.call { caller in
            let svg = #"<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>"#
            let files: [(String, [UInt8])] = [
                ("svg", Array(svg.utf8)), ("html.jpg", Array("<html><script>1</script>".utf8)),
                ("a.pdf", Array("%PDF-1.7 and so on, long enough".utf8)), ("empty", []),
                ("one byte", [0xFF]), ("bmp", Array("BM".utf8) + [UInt8](repeating: 0, count: 90)),
                ("late", [0] + SmallImage.png),
            ]
            for (name, bytes) in files {
                let answer = try await caller.upload(bytes, named: name)
                #expect(answer.status == 422 && answer.code == "IMAGE_FORMAT_UNKNOWN", "\(name)")
                #expect(answer.faults == ["file IMAGE_FORMAT_UNKNOWN"])
            }
            // The first bytes of one thing and the rest of another.
            let signatures: [[UInt8]] = [
                Array(SmallImage.png.prefix(8)), Array(SmallImage.jpeg.prefix(4)),
                Array("GIF89a".utf8), Array("RIFF\u{10}\0\0\0WEBP".utf8),
            ]
            for signature in signatures {
                let answer = try await caller.upload(signature + Array(svg.utf8))
                #expect(answer.status == 422 && answer.code == "IMAGE_UNREADABLE", "\(signature)")
            }
        }
        #expect(site.files.isEmpty)
    }

    @Test func `a file that was cut off is refused`() async throws {
        let site = try await UploadSite()
        try await site.call { caller in
            let made = try await caller.upload(SmallImage.jpeg)
            let webP = try await caller.fetch(made.path("url")).bytes
            for file in [SmallImage.png, SmallImage.jpeg, SmallImage.gif, webP] {
                for end in [file.count / 2, file.count * 9 / 10] {
                    let answer = try await caller.upload(Array(file[..<end]))
                    #expect(answer.status == 422, "\(file.prefix(4)) up to \(end)")
                }
            }
        }
    }

    @Test func `pixels are counted before any is decoded`() async throws {
        let site = try await UploadSite()
        try await site.call { caller in
            // 112 MB of pixels, and 50 megapixels and a row.
            for file in [TestPNG.black(30_000, 30_000), TestPNG.black(10_000, 5_001)] {
                let answer = try await caller.upload(file)
                #expect(answer.status == 422 && answer.code == "IMAGE_TOO_MANY_PIXELS")
            }
            // Exactly 50 megapixels; wider than shops show, so it is made narrower.
            let most = try await caller.upload(TestPNG.black(10_000, 5_000))
            #expect(most.status == 201 && most.size == [4096, 2048])
            // All frames count: each has 6 megapixels, said in its head alone.
            var frames = TestGIF.frames(8, 8, count: 9) { frame, _, _ in UInt8(frame) }
            for head in frames.indices.dropLast(9)
            where frames[head..<head + 5] == [0x2C, 0, 0, 0, 0] {
                frames.replaceSubrange(head + 5..<head + 9, with: [0xB8, 0x0B, 0xD0, 0x07])
            }
            frames.replaceSubrange(6..<10, with: [0xB8, 0x0B, 0xD0, 0x07])
            let animation = try await caller.upload(frames)
            #expect(animation.code == "IMAGE_TOO_MANY_PIXELS", "\(animation)")
            // WebP goes no further than 16,383.
            let tall = try await caller.upload(TestPNG.black(800, 20_000))
            #expect(tall.status == 201 && tall.json["height"]?.integer == 16_383)
        }
    }

    @Test func `five megabytes are taken for an image, ten for a banner`() async throws {
        let site = try await UploadSite()
        try await site.call { caller in
            func padded(_ bytes: Int) -> [UInt8] {
                SmallImage.jpeg + [UInt8](repeating: 0, count: bytes - SmallImage.jpeg.count)
            }
            let megabyte = 1024 * 1024
            for (bytes, purpose, first, status) in [
                (5 * megabyte, nil, false, 201), (5 * megabyte + 1, nil, false, 413),
                (5 * megabyte + 1, "image", true, 413), (5 * megabyte + 1, "banner", false, 201),
                (10 * megabyte, "banner", true, 201), (10 * megabyte + 1, "banner", true, 413),
                (11 * megabyte, "banner", true, 413),
            ] {
                let answer = try await caller.upload(
                    padded(bytes), purpose: purpose, purposeFirst: first)
                #expect(answer.status == status, "\(bytes) as \(purpose ?? "nothing")")
            }
        }
    }

    @Test func `forms that are none, or lack the file, are told so`() async throws {
        let site = try await UploadSite()
        try await site.call { caller in
            let purposes = try await caller.upload(SmallImage.png, purpose: "avatar")
            #expect(purposes.status == 422 && purposes.faults == ["purpose NOT_LISTED"])
            let none = try await caller.sendForm(Array("--\(Caller.boundary)--".utf8))
            #expect(none.status == 422 && none.faults == ["file REQUIRED"])
            for (names, fault) in [
                (["purpose", "purpose"], "purpose REPEATED"), (["file", "file"], "file REPEATED"),
                (["purpose", "caption"], "caption UNKNOWN_FIELD"), ([""], " UNKNOWN_FIELD"),
            ] {
                let parts = names.map {
                    "--\(Caller.boundary)\r\nContent-Disposition: form-data; name=\"\($0)\"\r\n\r\n"
                        + "image\r\n"
                }
                let answer = try await caller.sendForm(Array(parts.joined().utf8))
                #expect(answer.status == 422 && answer.faults == [fault], "\(answer)")
            }
            for (body, type) in [
                (
                    "--\(Caller.boundary)\r\n",
                    "multipart/form-data; boundary=\"\(Caller.boundary)\""
                ),
                ("--b--", "multipart/form-data"), ("", "multipart/form-data; boundary=b"),
            ] {
                let answer = try await caller.sendForm(Array(body.utf8), type: type)
                #expect(answer.status == 400 && answer.code == "FORM_MALFORMED", "\(body)")
            }
            let other = try await caller.sendForm([], type: "image/png")
            #expect(other.status == 415)
        }
    }

    @Test func `the document tells the form's parts, and its example is taken as it stands`()
        async throws
    {
        let site = try await UploadSite()
        try await site.call { caller in
            let document = try await caller.send(.get, "/openapi.json?lang=en").json
            let form = document["paths"]?["/api/v1/upload/image"]?["post"]?["requestBody"]?[
                "content"]?["multipart/form-data"]
            let types: JSON = "image/jpeg, image/png, image/webp, image/gif"
            #expect(form?["encoding"]?["file"]?["contentType"] == types)
            #expect(form?["schema"]?["$ref"] == "#/components/schemas/UploadForm")
            let schema = document["components"]?["schemas"]?["UploadForm"]
            #expect(schema?["required"] == ["file"] && schema?["additionalProperties"] == false)
            #expect(schema?["properties"]?["file"]?["format"] == "binary")
            #expect(schema?["properties"]?["purpose"]?["enum"] == ["image", "banner"])
            let file = try #require(form?["example"]?["file"]?.text)
            let answer = try await caller.upload(
                Array(file.utf8), purpose: form?["example"]?["purpose"]?.text)
            #expect(answer.status == 201 && answer.size == [1, 1], "\(answer)")
        }
    }

    @Test func `an account has so many tries an hour, and others have theirs`() async throws {
        let site = try await UploadSite(["UPLOADS_PER_HOUR": "3"])
        try await site.test.call { caller in
            let test = site.test
            let (one, other) = (
                try await caller.member(.buyer, on: test), try await caller.member(.buyer, on: test)
            )
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<5 {
                    group.addTask { try await one.upload(Array("no image".utf8)).status }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.sorted() == [422, 422, 422, 429, 429])
            let refused = try await one.upload(SmallImage.png)
            #expect(refused.status == 429 && refused.code == "UPLOADS_TOO_MANY")
            let wait = Int(refused.headers[.retryAfter] ?? "") ?? 0
            #expect((3500...3600).contains(wait))
            #expect(try await other.upload(SmallImage.png).status == 201)
            try test.connect().run(
                script: "update uploads set created_at = created_at - interval '61 minutes'")
            #expect(try await one.upload(SmallImage.png).status == 201)
            // Tries that came to nothing do not pile up.
            try test.connect().run(
                script: "update uploads set created_at = created_at - interval '2 days'")
            #expect(try await one.upload(SmallImage.png).status == 201)
            let failed = Statement(
                "test_failed", "select count(*) from uploads where stored_at is null")
            #expect(try test.connect().query(failed)[0].get(0, as: Int.self) == 0)
        }
    }

    @Test func `an image is fetched by its exact name alone, and kept by whoever has it`()
        async throws
    {
        let site = try await UploadSite()
        try await site.call { caller in
            let made = try await caller.upload(SmallImage.png)
            let path = made.path("url")
            let tag = try #require(try await caller.fetch(path).headers[.eTag])
            for condition in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
                let kept = try await caller.fetch(path, headers: [.ifNoneMatch: condition])
                #expect(kept.status == 304 && kept.bytes.isEmpty && kept.headers[.eTag] == tag)
            }
            let other = try await caller.fetch(path, headers: [.ifNoneMatch: "\"x\""])
            #expect(other.status == 200)
            let head = try await caller.fetch(path, method: .head)
            #expect(head.status == 200 && head.bytes.isEmpty)
            #expect(head.headers[.contentLength] == "\(other.bytes.count)")

            try "a secret".write(
                toFile: "\(site.folder.path)/secret.webp", atomically: true, encoding: .utf8)
            let month = path.dropLast(42)
            for outside in [
                path.uppercased(), path + "x", "/images/2026/1/\(path.suffix(41))",
                "/images/0x7ea/11/\(path.suffix(41))", "\(month)/.\(path.suffix(41))",
                "/images/../..%2Fsecret.webp", "/images/%2e%2e/%2e%2e/secret.webp",
                "/images/2026/../secret.webp", "/images/2026/11/..%2f..%2f..%2f..%2fsecret.webp",
                "/images/2026/11/%00.webp", "\(month)/00000000-0000-0000-0000-000000000000.webp",
            ] {
                let answer = try await caller.fetch(outside)
                #expect([404, 422].contains(answer.status), "\(outside): \(answer.status)")
                #expect(answer.bytes.firstRange(of: Array("a secret".utf8)) == nil)
            }
        }
    }

    @Test func `changed bytes of an image do no more than spoil it`() async throws {
        let site = try await UploadSite()
        let seed = UInt64.random(in: .min ... .max)
        try await site.call { caller in
            var random = SeededGenerator(seed: seed)
            let made = try await caller.upload(SmallImage.jpeg)
            let webP = try await caller.fetch(made.path("url")).bytes
            for file in [SmallImage.png, SmallImage.jpeg, SmallImage.gif, webP] {
                for _ in 0..<20 {
                    var changed = file
                    for _ in 0..<Int.random(in: 1...3, using: &random) {
                        let index = changed.indices.randomElement(using: &random)!
                        changed[index] ^= UInt8.random(in: 1...255, using: &random)
                    }
                    let answer = try await caller.upload(changed)
                    #expect([201, 422].contains(answer.status), "seed \(seed): \(changed)")
                }
            }
            #expect(try await caller.upload(SmallImage.png).status == 201)
        }
    }
}
