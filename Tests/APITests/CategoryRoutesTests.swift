import Clicks
import Postgres
import Testing
import TestSupport

@testable import API

@Suite struct CategoryRulesTests {
    private func category(_ id: Identifier, below parent: Identifier? = nil) -> API.Category {
        API.Category(id: id, parentID: parent, name: "가", icon: nil, sortOrder: 0)
    }

    private func draft(_ name: String = "나", below parent: Identifier? = nil) -> CategoryDraft {
        CategoryDraft(name: name, parentID: parent, icon: nil, sortOrder: 0)
    }

    @Test func `whatever is done, there are two levels and no circle`() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(state: seed)
        var all: [API.Category] = []
        for _ in 0..<3000 {
            let parent = random.next() % 3 == 0 ? nil : all.randomElement(using: &random)?.id
            let place = random.next() % 2 == 0 ? nil : all.randomElement(using: &random)?.id
            guard all.count < 40 || place != nil else { continue }
            do throws(CategoryRefusal) {
                let draft = try CategoryRules.accept(
                    draft(below: parent), replacing: place, among: all)
                let id = place ?? .new()
                all.removeAll { $0.id == id }
                all.append(category(id, below: draft.parentID))
            } catch {
                guard case .fieldsInvalid = error else { throw error }
            }
            let tops = Set(all.filter { $0.parentID == nil }.map(\.id))
            let isWhole = all.allSatisfy { $0.parentID.map(tops.contains) ?? true }
            try #require(isWhole, "\(seed)")
            let shown = CategoryTree.forest(all).reduce(0) { $0 + 1 + $1.children.count }
            try #require(shown == all.count, "\(seed)")
        }
        #expect(all.contains { $0.parentID != nil })
    }

    @Test func `one more than are ever shown is refused`() throws {
        let all = (0..<CategoryRules.countMax).map { _ in category(.new()) }
        #expect(throws: CategoryRefusal.tooMany) {
            try CategoryRules.accept(draft(), replacing: nil, among: all)
        }
        _ = try CategoryRules.accept(draft(), replacing: all[0].id, among: all)
        #expect(throws: CategoryRefusal.notFound) {
            try CategoryRules.accept(draft(), replacing: .new(), among: all)
        }
    }
}

@Suite struct CategoryRoutesTests {
    let test: TestAPI
    private static let path = "/api/v1/categories"

    init() async throws { test = try await TestAPI() }

    private func body(_ name: String, below parent: JSON? = nil) -> JSON {
        ["name": .text(name), "parent_id": parent ?? .null]
    }

    @Test func `an admin makes, moves, renames and deletes categories`() async throws {
        try await test.call { [test] caller in
            let admin = try await caller.member(.admin, on: test)
            func make(_ name: String, below parent: JSON? = nil) async throws -> JSON {
                let answer = try await admin.send(.post, Self.path, body(name, below: parent))
                #expect(answer.status == 201)
                return answer.json["id"] ?? .null
            }
            func put(_ id: JSON, _ body: JSON) async throws -> Caller.Answer {
                try await admin.send(.put, "\(Self.path)/\(id.text ?? "")", body)
            }
            let home = try await make(" 가정 ")
            let beauty = try await make("뷰티")
            let kids = try await make("육아", below: home)
            // Names are unique among siblings, at the top as well.
            let taken = try await admin.send(.post, Self.path, body("가정"))
            #expect(taken.status == 409 && taken.code == "CATEGORY_NAME_TAKEN")
            #expect(
                try await admin.send(.post, Self.path, body("육아", below: home)).status == 409)
            let other = try await make("육아", below: beauty)
            #expect(try await put(other, body("육아", below: home)).code == "CATEGORY_NAME_TAKEN")
            let deep = try await admin.send(.post, Self.path, body("깊은", below: kids))
            #expect(deep.faults == ["parent_id TOO_DEEP"])
            #expect(
                try await put(home, body("가정", below: beauty)).faults == [
                    "parent_id HAS_CHILDREN"
                ])
            #expect(
                try await put(kids, body("육아", below: kids)).faults == ["parent_id TOO_DEEP"])
            #expect(
                try await put(kids, body("육아", below: .text(Identifier.new().description))).faults
                    == ["parent_id UNKNOWN"])
            #expect(try await put(kids, body(" ", below: home)).faults == ["name EMPTY"])
            let gone = try await put(.text(Identifier.new().description), body("없음"))
            #expect(gone.status == 404 && gone.code == "CATEGORY_NOT_FOUND")

            let full = try await admin.send(.delete, "\(Self.path)/\(home.text ?? "")")
            #expect(full.status == 409 && full.code == "CATEGORY_IN_USE")
            #expect(try await put(kids, body("아이", below: beauty)).status == 200)
            #expect(
                try await admin.send(.delete, "\(Self.path)/\(home.text ?? "")").status == 204)
            #expect(
                try await admin.send(.delete, "\(Self.path)/\(home.text ?? "")").status == 404)
            let tree = try await caller.send(.get, Self.path)
            let items = tree.json["items"]?.list ?? []
            #expect(items.map { $0["name"]?.text } == ["뷰티"])
            #expect(
                items.first?["children"]?.list?.compactMap { $0["name"]?.text } == ["아이", "육아"])
            let audit = try await admin.send(.get, "/api/v1/admin/audit?order=asc")
            #expect(
                audit.json["items"]?.list?.compactMap { $0["action"]?.text } == [
                    "category.created", "category.created", "category.created",
                    "category.created", "category.replaced", "category.deleted",
                ])
        }
    }

    @Test func `a category is deleted only when no gonggu that is seen uses it`() async throws {
        try await test.call { [test] caller in
            let admin = try await caller.member(.admin, on: test)
            let owner = try await caller.member(.influencer, on: test)
            let id = try await admin.send(.post, Self.path, body("주방")).json["id"] ?? .null
            let path = "\(Self.path)/\(id.text ?? "")"
            let made = try await owner.send(
                .post, "/api/v1/gonggus", draft(["category_ids": [id]]))
            #expect(made.status == 201)
            #expect(try await admin.send(.delete, path).code == "CATEGORY_IN_USE")
            let gonggu = "/api/v1/gonggus/\(made.json["id"]?.text ?? "")"
            #expect(try await owner.send(.delete, gonggu).status == 204)
            #expect(try await admin.send(.delete, path).status == 204)
        }
    }

    @Test func `a delete and a gonggu that takes the category exclude each other`() async throws {
        try await test.call { [test] caller in
            let admin = try await caller.member(.admin, on: test)
            let owner = try await caller.member(.influencer, on: test)
            var outcomes: Set<[Int]> = []
            for round in 0..<30 {
                let name = "분류 \(round)"
                let id = try await admin.send(.post, Self.path, body(name)).json["id"] ?? .null
                async let deleted = admin.send(.delete, "\(Self.path)/\(id.text ?? "")")
                async let made = owner.send(
                    .post, "/api/v1/gonggus", draft(["category_ids": [id]]))
                outcomes.insert([try await deleted.status, try await made.status])
            }
            #expect(outcomes.isSubset(of: [[204, 422], [409, 201]]), "\(outcomes)")
            let orphans = Statement(
                "test_orphans",
                """
                select count(*) from gonggu_categories gc
                where not exists (select from categories c where c.id = gc.category_id)
                """)
            #expect(try test.connect().query(orphans)[0].get(0, as: Int.self) == 0)
        }
    }
}
