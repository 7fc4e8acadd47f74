import Clicks
import HTTPTypes
import Postgres
import TestSupport
import Testing

@testable import API

@Suite struct UploadedImageTests {
    private static let name = "0193a5c0-7c1e-7a51-8f00-5d2f4c3b2a10.webp"
    private static let base = "https://cdn.gonggumoa.example"

    @Test func `what our upload answers is ours`() {
        for base in [Self.base, Self.base + "/", Self.base + "/media"] {
            let url = "\(base.hasSuffix("/") ? base : base + "/")images/2026/11/\(Self.name)"
            #expect(UploadedImage.isOurs(url, below: [base]), "\(url)")
            #expect(UploadedImage.isOurs(url, below: ["http://127.0.0.1:8000", base]), "\(url)")
        }
        #expect(
            UploadedImage.isOurs(
                "http://127.0.0.1:8000/media/images/2026/01/\(Self.name)",
                below: ["http://127.0.0.1:8000"]))
    }

    @Test(arguments: [
        "https://evil.example/images/2026/11/\(name)",
        "https://cdn.gonggumoa.example.evil.example/images/2026/11/\(name)",
        "https://cdn.gonggumoa.example@evil.example/images/2026/11/\(name)",
        "http://cdn.gonggumoa.example/images/2026/11/\(name)",
        "//cdn.gonggumoa.example/images/2026/11/\(name)",
        "\(base)/images/2026/13/\(name)", "\(base)/images/2026/00/\(name)",
        "\(base)/images/2026/1/\(name)", "\(base)/images/26/11/\(name)",
        "\(base)/images/2026/11/\(name)?a=b", "\(base)/images/2026/11/\(name)#a",
        "\(base)/images/2026/11/\(name)/", "\(base)/images/2026/11/\(name).html",
        "\(base)/images/2026/11/0193A5C0-7C1E-7A51-8F00-5D2F4C3B2A10.webp",
        "\(base)/images/2026/11/x.webp", "\(base)/images/2026/11/.webp",
        "\(base)/images/../images/2026/11/\(name)", "\(base)/%2e%2e/images/2026/11/\(name)",
        "\(base)//images/2026/11/\(name)", "\(base)/2026/11/\(name)",
        "\(base)/images/２０２６/11/\(name)", "\(base)/images/2026/11/\(name)\u{301}", "", "https://",
    ])
    func `nothing else is`(_ url: String) {
        #expect(!UploadedImage.isOurs(url, below: [Self.base]))
    }
}

@Suite struct ReviewRoutesTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    private func path(_ gonggu: Identifier) -> String { "/api/v1/gonggus/\(gonggu)/reviews" }

    private func review(
        _ rating: JSON = 5, _ content: String = "좋아요", images: [String]? = nil
    ) -> JSON {
        var members: [JSON.Member] = [.init("rating", rating), .init("content", .text(content))]
        if let images { members.append(.init("images", .list(images.map { .text($0) }))) }
        return .object(members)
    }

    private func image() -> String {
        "http://127.0.0.1:8000/images/2026/11/\(Identifier.new()).webp"
    }

    @Test func `a review is written, shown, changed and taken back by its author`() async throws {
        try await test.call { [test] caller in
            let gonggu = try test.gonggus(of: test.accounts(1, .influencer))[0]
            let author = try await caller.member(.buyer, on: test)
            let images = [image(), image()]
            // '가' in two code points, as a Mac sends it, between blanks.
            let made = try await author.send(
                .post, path(gonggu), review(4, " \u{1100}\u{1161}격이\n좋아요 ", images: images))
            #expect(made.status == 201)
            let content = try #require(made.json["content"]?.text)
            #expect(Array(content.unicodeScalars) == Array("가격이\n좋아요".unicodeScalars))
            #expect(made.json["user_nickname"]?.text == "하나")
            #expect(made.json["images"]?.list?.map(\.text) == images)
            let other = try await caller.member(.influencer, on: test)
            #expect(try await other.send(.post, path(gonggu), review(1)).status == 201)

            let list = try await caller.send(.get, path(gonggu))
            #expect(list.json["total"]?.integer == 2)
            #expect(list.json["rating_average"] == .number(2.5))
            #expect(list.json["items"]?[1] == made.json)
            let shown = try await caller.send(.get, "/api/v1/gonggus/\(gonggu)")
            #expect(shown.json["review_count"]?.integer == 2)
            #expect(shown.json["rating_average"] == .number(2.5))

            let own = "/api/v1/reviews/\(made.json["id"]?.text ?? "")"
            let edited = try await author.send(.put, own, review(2, "별로예요"))
            #expect(edited.status == 200 && edited.json["rating"]?.integer == 2)
            #expect(edited.json["images"]?.list == [])
            #expect(edited.json["created_at"] == made.json["created_at"])
            #expect(edited.json["updated_at"] != made.json["updated_at"])
            let after = try await caller.send(.get, path(gonggu))
            #expect(after.json["rating_average"] == .number(1.5))
            #expect(try await author.send(.delete, own).status == 204)
            #expect(try await author.send(.delete, own).code == "REVIEW_NOT_FOUND")
            let rest = try await caller.send(.get, "/api/v1/gonggus/\(gonggu)")
            #expect(rest.json["review_count"]?.integer == 1)
            #expect(rest.json["rating_average"] == .number(1))
            // Who has taken a review back may write another.
            #expect(try await author.send(.post, path(gonggu), review()).status == 201)
        }
    }

    @Test func `one review each, not of one's own gonggu, and others keep off it`() async throws {
        try await test.call { [test] caller in
            let owner = try test.accounts(1, .influencer)[0]
            let gonggu = try test.gonggus(of: [owner])[0]
            let influencer = try await test.caller(owner, .influencer, from: caller)
            let own = try await influencer.send(.post, path(gonggu), review())
            #expect(own.status == 403 && own.code == "OWN_GONGGU")
            let author = try await caller.member(.buyer, on: test)
            let made = try await author.send(.post, path(gonggu), review(3))
            let again = try await author.send(.post, path(gonggu), review(1))
            #expect(again.status == 409 && again.code == "REVIEW_EXISTS")
            let its = "/api/v1/reviews/\(made.json["id"]?.text ?? "")"
            for role in [Role.buyer, .influencer] {
                let other = try await caller.member(role, on: test)
                #expect(try await other.send(.put, its, review(1)).code == "NOT_AUTHOR")
                #expect(try await other.send(.delete, its).code == "NOT_AUTHOR")
            }
            // Nor may the influencer make the gonggu look better.
            #expect(try await influencer.send(.delete, its).code == "NOT_AUTHOR")
            let list = try await caller.send(.get, path(gonggu))
            #expect(list.json["items"]?.list == [made.json])
            let admin = try await caller.member(.admin, on: test)
            let edited = try await admin.send(.put, its, review(3, "(관리자가 가렸습니다)"))
            #expect(edited.status == 200 && edited.json["user_id"] == made.json["user_id"])
            #expect(try await admin.send(.delete, its).status == 204)
            #expect(try Recount.wrong(in: test.connect()) == 0)
        }
    }

    @Test func `with its gonggu a review is gone`() async throws {
        try await test.call { [test] caller in
            let gonggu = try test.gonggus(of: test.accounts(1, .influencer))[0]
            let author = try await caller.member(.buyer, on: test)
            let made = try await author.send(.post, path(gonggu), review())
            let its = "/api/v1/reviews/\(made.json["id"]?.text ?? "")"
            try test.connect().run(script: "update gonggus set hidden_at = now()")
            let other = try await caller.member(.buyer, on: test)
            for gonggu in [gonggu, .new()] {
                #expect(try await caller.send(.get, path(gonggu)).code == "GONGGU_NOT_FOUND")
                let refused = try await other.send(.post, path(gonggu), review())
                #expect(refused.status == 404 && refused.code == "GONGGU_NOT_FOUND")
            }
            for review in [its, "/api/v1/reviews/\(Identifier.new())"] {
                #expect(try await author.send(.put, review, self.review()).status == 404)
                #expect(try await author.send(.delete, review).code == "REVIEW_NOT_FOUND")
            }
        }
    }

    @Test func `what a review may be has bounds, and nothing faulty is written`() async throws {
        try await test.call { [test] caller in
            let gonggu = try test.gonggus(of: test.accounts(1, .influencer))[0]
            let author = try await caller.member(.buyer, on: test)
            let long = String(repeating: "가", count: 2000)
            let same = image()
            let cases: [(JSON, [String])] = [
                (review(0), ["rating OUT_OF_RANGE"]), (review(6), ["rating OUT_OF_RANGE"]),
                (review(4.5), ["rating WRONG_TYPE"]), (review("5"), ["rating WRONG_TYPE"]),
                (review(5, ""), ["content EMPTY"]), (review(5, " \n "), ["content EMPTY"]),
                (review(5, long + "각"), ["content TOO_LONG"]),
                (review(5, "a\u{0}b"), ["content CONTROL_CHARACTER"]),
                (review(5, images: (0..<11).map { _ in image() }), ["images WRONG_COUNT"]),
                (review(5, images: [same, same]), ["images REPEATED"]),
                (review(5, images: ["javascript:alert(1)"]), ["images[0] MALFORMED"]),
                (
                    review(
                        5, " ",
                        images: [same, same.replacing("127.0.0.1:8000", with: "evil.example")]),
                    ["content EMPTY", "images[1] NOT_UPLOADED"]
                ),
                (["content": "a"], ["rating REQUIRED"]),
            ]
            for (body, faults) in cases {
                let answer = try await author.send(.post, path(gonggu), body)
                #expect(answer.status == 422 && answer.faults == faults, "\(faults)")
            }
            #expect(try await caller.send(.get, path(gonggu)).json["total"]?.integer == 0)
            #expect(try await caller.send(.get, path(gonggu)).json["rating_average"] == .null)
            let most = review(5, long, images: (0..<10).map { _ in image() })
            #expect(try await author.send(.post, path(gonggu), most).status == 201)
        }
    }

    @Test func `a list sorts by time or rating, and cuts pages`() async throws {
        try await test.call { [test] caller in
            let gonggu = try test.gonggus(of: test.accounts(1, .influencer))[0]
            let ratings = [3, 5, 1, 5, 4, 1, 3]
            for (id, rating) in zip(try test.accounts(ratings.count), ratings) {
                let author = try await test.caller(id, from: caller)
                _ = try await author.send(.post, path(gonggu), review(.integer(rating)))
            }
            func listed(_ query: String) async throws -> [Int] {
                let answer = try await caller.send(.get, path(gonggu) + query)
                #expect(answer.status == 200 && answer.json["total"]?.integer == 7)
                #expect(answer.json["rating_average"] == .number(3.14))
                return (answer.json["items"]?.list ?? []).compactMap { $0["rating"]?.integer }
            }
            #expect(try await listed("") == ratings.reversed())
            #expect(try await listed("?order=asc") == ratings)
            #expect(try await listed("?sort=rating") == [5, 5, 4, 3, 3, 1, 1])
            #expect(try await listed("?sort=rating&order=asc") == [1, 1, 3, 3, 4, 5, 5])
            #expect(try await listed("?sort=rating&size=3&page=3") == [1])
            #expect(try await caller.send(.get, path(gonggu) + "?sort=content").status == 400)
        }
    }

    @Test func `of many first reviews by one person at once, one is written`() async throws {
        try await test.call { [test] caller in
            let gonggu = try test.gonggus(of: test.accounts(1, .influencer))[0]
            let author = try await caller.member(.buyer, on: test)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for rating in 0..<25 {
                    group.addTask {
                        let body = review(.integer(1 + rating % 5))
                        return try await author.send(.post, path(gonggu), body).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 201 } == 1 && statuses.count { $0 == 409 } == 24)
            #expect(try Recount.wrong(in: test.connect()) == 0)
        }
    }

    @Test func `whatever is written and taken back at once, the totals are right`() async throws {
        let test = try await TestAPI(environment: ["DATABASE_CONNECTIONS": "10"])
        try await test.call { [test] caller in
            let seed = UInt64.random(in: .min ... .max)
            var random = SplitMix(state: seed)
            let gonggus = try test.gonggus(of: test.accounts(3, .influencer))
            var callers: [Caller] = []
            for id in try test.accounts(40) {
                callers.append(try await test.caller(id, from: caller))
            }
            // Each goes their own way, all at once; some of what they ask must be refused.
            let statuses = try await withThrowingTaskGroup(of: Set<Int>.self) { group in
                for caller in callers {
                    var random = SplitMix(state: random.next())
                    group.addTask {
                        var (own, statuses): ([String], Set<Int>) = ([], [])
                        for _ in 0..<12 {
                            let body = review(.integer(Int.random(in: 1...5, using: &random)))
                            let gonggu = gonggus.randomElement(using: &random)!
                            let its = "/api/v1/reviews/\(own.randomElement(using: &random) ?? "")"
                            let answer =
                                switch own.isEmpty ? 0 : Int.random(in: 0..<4, using: &random) {
                                case 0, 1: try await caller.send(.post, path(gonggu), body)
                                case 2: try await caller.send(.put, its, body)
                                default: try await caller.send(.delete, its)
                                }
                            if answer.status == 201 { own.append(answer.json["id"]?.text ?? "") }
                            statuses.insert(answer.status)
                        }
                        return statuses
                    }
                }
                return try await group.reduce(into: Set<Int>()) { $0.formUnion($1) }
            }
            #expect(statuses == [200, 201, 204, 404, 409], "seed \(seed): \(statuses)")
            #expect(try Recount.wrong(in: test.connect()) == 0, "seed \(seed)")
        }
    }
}
