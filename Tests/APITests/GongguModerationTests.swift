import Clicks
import Foundation
import HTTPTypes
import Postgres
import Testing
import TestSupport

@testable import API

@Suite struct GongguModerationTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    @Test func `an admin takes a gonggu off and puts it back, and says why`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let admin = try await caller.member(.admin, on: test)
            let made = try await owner.send(.post, "/api/v1/gonggus", draft())
            let id = try #require(made.json["id"]?.text)
            let path = "/api/v1/admin/gonggus/\(id)"
            let listener = try test.connect()
            try listener.listen(to: "links_changed")
            let early = try await admin.send(.post, path + "/restore", ["reason": "실수"])
            #expect(early.status == 409 && early.code == "GONGGU_NOT_SUSPENDED")
            for round in 1...2 {
                let off = try await admin.send(.post, path + "/suspend", ["reason": "허위 가격"])
                #expect(off.status == 200 && off.json["is_suspended"] == true)
                #expect(off.json["tracking_url"] == made.json["tracking_url"])
                #expect(!(try listener.waitForNotifications(timeoutMilliseconds: 2000).isEmpty))
                #expect(try await caller.send(.get, "/api/v1/gonggus").json["total"] == 0)
                let twice = try await admin.send(.post, path + "/suspend", ["reason": "또"])
                #expect(twice.status == 409 && twice.code == "GONGGU_SUSPENDED")
                let on = try await admin.send(.post, path + "/restore", ["reason": "소명됨"])
                #expect(on.status == 200 && on.json["is_suspended"] == false)
                #expect(!(try listener.waitForNotifications(timeoutMilliseconds: 2000).isEmpty))
                #expect(try await caller.send(.get, "/api/v1/gonggus").json["total"] == 1)
                // Each time is told, not only the first.
                let inbox = try await owner.send(.get, "/api/v1/notifications?order=asc")
                let told = inbox.json["items"]?.list ?? []
                #expect(told.count == 2 * round)
                #expect(told.first?["title"]?.text == "공구가 중지되었습니다: 로봇청소기 공구")
                #expect(told.first?["body"]?.text == "허위 가격")
            }
            let audit = try await admin.send(.get, "/api/v1/admin/audit?object_id=\(id)")
            let lines = audit.json["items"]?.list ?? []
            #expect(lines.count == 4)
            #expect(lines.first?["action"]?.text == "gonggu.restored")
            #expect(lines.first?["before"] == ["is_suspended": true])
            #expect(lines.first?["reason"]?.text == "소명됨")

            #expect(try await admin.send(.post, path + "/suspend", [:]).status == 422)
            _ = try await owner.send(.delete, "/api/v1/gonggus/\(id)")
            let gone = try await admin.send(.post, path + "/suspend", ["reason": "x"])
            #expect(gone.status == 404 && gone.code == "GONGGU_NOT_FOUND")
        }
    }

    @Test func `of two admins at once one suspends`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let admin = try await caller.member(.admin, on: test)
            for _ in 0..<8 {
                let made = try await owner.send(.post, "/api/v1/gonggus", draft())
                let path = "/api/v1/admin/gonggus/\(made.json["id"]?.text ?? "")/suspend"
                async let first = admin.send(.post, path, ["reason": "하나"])
                async let second = admin.send(.post, path, ["reason": "둘"])
                #expect(try await [first.status, second.status].sorted() == [200, 409])
            }
        }
    }

    @Test func `a scan of the QR code is a click of the channel qr`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let made = try await owner.send(.post, "/api/v1/gonggus", draft())
            let path = "/api/v1/gonggus/\(made.json["id"]?.text ?? "")"
            let link = (made.json["tracking_url"]?.text ?? "") + "?ch=qr"
            let png = try await caller.raw(path + "/qr?format=png&size=300")
            #expect(png.status == 200 && png.headers[.contentType] == "image/png")
            #expect(png.headers[.cacheControl] == "public, max-age=86400")
            let folder = try TestFolder()
            try Data(png.bytes).write(to: URL(filePath: folder.path + "/code.png"))
            let reader = try ChildProcess(
                "zbarimg",
                ["--nodbus", "--quiet", "--raw", "--oneshot", folder.path + "/code.png"],
                logPath: folder.path + "/log")
            reader.wait()
            #expect(reader.log == link)

            let svg = try await caller.raw(path + "/qr")
            #expect(svg.headers[.contentType] == "image/svg+xml")
            #expect(String(decoding: svg.bytes, as: UTF8.self).contains("width=\"512\""))
            let tag = try #require(svg.headers[.eTag])
            let known = try await caller.raw(path + "/qr", [.ifNoneMatch: tag])
            #expect(known.status == 304 && known.bytes.isEmpty)
            #expect(png.headers[.eTag] != tag)
            for query in ["?size=199", "?size=1025", "?size=x", "?format=gif"] {
                #expect(try await caller.raw(path + "/qr" + query).status == 422, "\(query)")
            }
            _ = try await owner.send(.delete, path)
            let gone = try await caller.send(.get, path + "/qr")
            #expect(gone.status == 404 && gone.code == "GONGGU_NOT_FOUND")
        }
    }
}
