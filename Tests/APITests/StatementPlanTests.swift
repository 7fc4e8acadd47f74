import Clicks
import Foundation
import Postgres
import Testing
import TestSupport

@testable import API

/// Every select of the API at 200 k gonggus and 200 k users: none reads a large table whole, and
/// each touches no more than its sample says.
///
/// A statement that is new is missing here until it has a sample, or a reason for having none.
@Suite struct StatementPlanTests {
    /// Statements without a sample, or all whose names begin so (`*`), and why.
    private static let exceptions: [String: String] = [
        "demo_count_others": "the demo's own, run by hand on a database with nothing in it",
        "adjudication_*": "goes through days of clicks on a connection of its own",
        "rule_set*": "there are as many rule sets as have ever been decided on",
        "day_*": "seals a day by going through all of it, once",
        "draft_*": "a settlement's, over all of a month; Benchmarks/Money has the volume",
        "months_*": "a settlement's, over all of a month; Benchmarks/Money has the volume",
        "export_*": "a settlement's, over all of a month; Benchmarks/Money has the volume",
        "line_*": "a settlement's, over all of a month; Benchmarks/Money has the volume",
        "payments_*": "a settlement's, over all of a month; Benchmarks/Money has the volume",
        "verify_*": "a settlement's, over all of a month; Benchmarks/Money has the volume",
        "settlements_by_*": "sorts a month's settlements: one an influencer who is paid",
        "settlements_count": "counts a month's settlements: one an influencer who is paid",
        "settlements_expected*": "adds up all of a month that has no settlements yet",
        "subscription*": "FollowingPlanTests has them, at a volume of their own",
        "favorite*": "FollowingPlanTests has them, at a volume of their own",
        "review*": "FollowingPlanTests has them, at a volume of their own",
        "cpc_rates_*": "rates are set by hand: some dozens a year",
        "decision_*": "clicks have their own volume, in Benchmarks/Money",
        "erasure_*": "by a command, once a night",
        "social_lock_person": "an advisory lock",
        "calendar_today": "asks the clock alone",
    ]

    private static let samples: [String: [StatementSample]] = [
        "users_credentials": [StatementSample(["u777@example.com"])],
        "users_select": [StatementSample([VolumeData.user(777)])],
        "users_account": [
            StatementSample([VolumeData.user(777), "2026-11-21 00:00:00+00"])
        ],
        "social_lock_owner": [StatementSample(["u777@example.com", "kakao"])],
        "profile_select": [StatementSample([VolumeData.user(777)])],
        "profile_password": [StatementSample([VolumeData.user(777)])],
        "admin_users_lock": [StatementSample([VolumeData.user(777)])],
        "admin_users_select": [StatementSample([VolumeData.user(777)])],
        "uploads_lock_account": [StatementSample([VolumeData.user(777)])],
        "influencer_profiles_lock": [StatementSample([VolumeData.user(777), "30"])],
        "influencers_select": [StatementSample([VolumeData.user(777)])],
        "influencers_gonggu_counts": [StatementSample([VolumeData.user(777)])],
        // Counts those who are verified in an index; there are a hundred times as many buyers.
        "influencers_count": [StatementSample(["true"], buffersMax: 1000, rowsMax: 21_000)],
        "gonggus_select_code": [StatementSample([VolumeData.gonggu(777)])],
        "gonggus_lock_moderated": [StatementSample([VolumeData.gonggu(777)])],
        "calendar_change": [StatementSample([])],
        "refresh_tokens_lock_owner": [StatementSample(["\\x00"])],
        "categories_select": [StatementSample([])],
        "payees_select": [StatementSample([VolumeData.user(777)])],
        "gonggus_select": [StatementSample([VolumeData.gonggu(777)], buffersMax: 40)],
        "gonggus_lock": [StatementSample([VolumeData.gonggu(777)])],
        "gonggus_select_all": [
            StatementSample(
                ["{\((1...100).map(VolumeData.gonggu).joined(separator: ","))}"],
                buffersMax: 2500, rowsMax: 6000)
        ],
        "search_lock_influencer": [StatementSample([VolumeData.user(777)])],
        "search_influencers": [
            StatementSample(
                ["{\((1...100).map(VolumeData.user).joined(separator: ","))}"], buffersMax: 1000)
        ],
        "search_count": [
            search("공구", last: false), search("희귀템", last: false), search("배송", last: false),
        ],
        "search_find": [
            search("공구"), search("희귀템"), search("배송"), search("led"), search("차"),
            search("육아", kind: .influencer), search("육아맘777"), search("가을 풀빌라"),
            search("organic soap 여름"), search("공구", offset: 1900), search("없는말"),
        ],
    ].merging(lists) { $1 }.merging(calendar) { $1 }.merging(people) { $1 }
        .merging(VolumeRecords.samples) { $1 }

    /// A month whose every gonggu is counted, some ten thousand of them, and a feed.
    private static var calendar: [String: [StatementSample]] {
        let days = (1...30).map { "2026-11-\($0) 00:00+09" }
        let month = [
            "{\(days.joined(separator: ","))}",
            "{\(days.dropFirst().joined(separator: ",")),2026-12-01 00:00+09}",
        ]
        var samples: [String: [StatementSample]] = [:]
        for (name, filter) in [
            ("", [nil, nil]), ("_influencer", [VolumeData.user(777), nil]),
            ("_category", [nil, VolumeData.category(2)]),
        ] {
            for list in ["openings", "closings"] {
                samples["calendar_\(list)\(name)"] = [
                    StatementSample(filter + month, buffersMax: 60_000, rowsMax: 40_000)
                ]
            }
            samples["calendar_feed\(name)"] = [
                StatementSample(
                    filter + ["2026-10-22 00:00+09"], buffersMax: 60_000, rowsMax: 40_000)
            ]
        }
        return samples
    }

    /// Lists of people, by what leads them. A total stops at ten thousand.
    private static var people: [String: [StatementSample]] {
        var samples: [String: [StatementSample]] = [:]
        for (name, filter) in [
            ("", [nil, nil, nil, nil]), ("_email", ["u77", nil, nil, nil]),
            ("_nickname", [nil, "육아맘77", nil, nil]), ("_role", [nil, nil, "influencer", nil]),
            ("_status", [nil, nil, nil, "active"]),
        ] as [(String, [String?])] {
            for order in ["", "_desc"] {
                samples["admin_users\(name)\(order)"] = [
                    StatementSample(filter + ["20", "0"], buffersMax: 4000, rowsMax: 4000)
                ]
            }
            samples["admin_users_count\(name)"] = [
                StatementSample(filter, buffersMax: 15_000, rowsMax: 12_000)
            ]
        }
        for sort in ["created_at", "subscriber_count"] {
            for order in ["", "_desc"] {
                samples["influencers_list_\(sort)\(order)"] = [
                    StatementSample(["true", "20", "0"], buffersMax: 500, rowsMax: 500)
                ]
            }
        }
        return samples
    }

    /// Each list by each of the categories that differ, its first page and its last.
    private static let lists: [String: [StatementSample]] = Dictionary(
        uniqueKeysWithValues: GongguList.all.flatMap { list in
            let categories = [2, 30, 41].map { VolumeData.category($0) }
            let wheres: [[String]] =
                switch list.source {
                case .all: [[]]
                case .category: categories.map { [$0] }
                case .influencer: [[VolumeData.user(777)]]
                case .both: [[VolumeData.user(777), categories[0]]]
                }
            let isShort = list.source == .category && list.sort == .clickCount
            let depth = isShort ? GongguLists.sizeMax : GongguLists.depthMax
            let limit = isShort ? "20" : "\(GongguLists.sizeMax)"
            let offset = "\(depth - Int(limit)!)"
            // What is not closed yet, twice: for the page and for the total, which stops at its
            // bound. A hundred gonggus with all that belongs to them are some 2,000 pages. Clicks
            // are four pages away from each that is not closed, or from each that is not on the
            // page because of its category.
            let more = list.sort == .clickCount ? 14_000 : 0
            return [
                (
                    list.name,
                    wheres.map {
                        StatementSample(["20"] + $0, buffersMax: 2500 + more, rowsMax: 25_000)
                    }
                ),
                (
                    list.name + "_later",
                    wheres.map {
                        StatementSample(
                            [limit] + $0 + [offset], buffersMax: 4500 + more, rowsMax: 45_000)
                    }
                ),
            ]
        })

    private static func search(
        _ text: String, kind: SearchKind? = nil, offset: Int = 0, last: Bool = true
    ) -> StatementSample {
        let query = SearchQuery(text)!
        func array(_ texts: [String]) -> String {
            "{" + texts.map { "\"\($0)\"" }.joined(separator: ",") + "}"
        }
        let grams = query.grams + (kind.map { ["#\($0.number)"] } ?? [])
        let first = [array(grams), array(query.rechecks)]
        let rest = [query.prefix, array(query.inTitle), kind.map { "\($0.number)" }, "20"]
        // Entries are ranked by their clicks, each four pages away. What the index says of a pair
        // that is everywhere is read whole, at some two bytes an entry.
        return StatementSample(
            last ? first + rest + ["\(offset)"] : first, buffersMax: 15_000, rowsMax: 300_000)
    }

    private static var selects: [Statement] {
        APIServer.statements.filter { statement in
            let text = statement.sql.lowercased()
            guard text.hasPrefix("select") || text.hasPrefix("with") else { return false }
            return !["insert into ", "delete from ", "update "].contains { change in
                text.split(separator: "\n").contains {
                    $0.split(separator: "(").contains { $0.trimmed.hasPrefix(change) }
                }
            }
        }
    }

    private static func exception(of name: String) -> String? {
        exceptions.keys.first {
            $0.hasSuffix("*") ? name.hasPrefix($0.dropLast()) : name == $0
        }
    }

    @Test func `every select has a sample, or a reason for having none`() {
        let names = Set(Self.selects.map(\.name))
        let sampled = Set(Self.samples.keys)
        let missing = names.subtracting(sampled).filter { Self.exception(of: $0) == nil }
        #expect(missing.sorted() == [], "add a sample or a reason to StatementPlanTests")
        #expect(sampled.subtracting(names).sorted() == [], "samples of statements that are gone")
        let used = Set(names.compactMap { Self.exception(of: $0) })
        #expect(Set(Self.exceptions.keys).subtracting(used).sorted() == [], "reasons for nothing")
        #expect(sampled.filter { Self.exception(of: $0) != nil } == [])
    }

    @Test func `no select reads a large table whole, nor more than it may`() throws {
        let plans = try StatementPlans(
            VolumeDatabase(script: VolumeData.script + VolumeRecords.script).connect())
        for statement in Self.selects {
            for sample in Self.samples[statement.name] ?? [] {
                do {
                    let faults = try plans.faults(of: statement, sample)
                    #expect(faults == [], "\(sample.parameters)")
                } catch {
                    Issue.record("\(statement.name): \(error)")
                }
            }
        }
    }

    @Test func `a statement that reads a table whole is found out`() throws {
        let plans = try StatementPlans(
            VolumeDatabase(script: VolumeData.script + VolumeRecords.script).connect())
        let bad = Statement("test_bad", "select id from gonggus where title = $1")
        let faults = try plans.faults(
            of: bad, StatementSample(["x"], buffersMax: 1_000_000, rowsMax: 1_000_000))
        #expect(faults.count == 2 && faults[0].hasSuffix("reads all of gonggus"))
    }
}
