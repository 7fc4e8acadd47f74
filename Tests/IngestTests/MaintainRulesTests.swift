import Clicks
import Settings
import Testing

@testable import Ingest

@Suite struct MaintainRulesTests {
    private static let today = KoreanDay(text: "2026-11-21")!
    private let rules = MaintainRules(today: today, daysOnline: 400, retentionDays: 90)

    private func ago(_ days: Int32) -> KoreanDay { Self.today.advanced(byDays: -days) }

    /// What is due for one partition.
    private func due(_ state: DayState) -> [MaintainStep] {
        rules.steps(days: [state], waiting: []).filter {
            switch $0 {
            case .erase, .finish, .detach, .settle, .archive: true
            default: false
            }
        }
    }

    @Test func `a day goes through its life on the days that the settings name`() {
        #expect(due(DayState(day: ago(0))) == [], "a day under way")
        #expect(due(DayState(day: ago(1))) == [.finish(ago(1))])
        #expect(due(DayState(day: ago(1), isFinished: true)) == [])
        #expect(due(DayState(day: ago(90), isFinished: true)) == [], "90 days are kept")
        #expect(due(DayState(day: ago(91), isFinished: true)) == [.erase(ago(91))])
        #expect(due(DayState(day: ago(91))) == [.erase(ago(91))], "which makes the index too")
        #expect(due(DayState(day: ago(91), isFinished: true, isErased: true)) == [])
        #expect(due(DayState(day: ago(400), isFinished: true, isErased: true)) == [])
        #expect(due(DayState(day: ago(401), isErased: true)) == [.detach(ago(401))])
        #expect(
            due(DayState(day: ago(401))) == [.erase(ago(401)), .detach(ago(401))],
            "no file has addresses")
    }

    @Test func `a day that is not settled, or was restored, stays`() {
        let old = DayState(day: ago(401), isFinished: true, isErased: true)
        var unsettled = old
        unsettled.isSettled = false
        #expect(due(unsettled) == [])
        var restored = old
        restored.keepUntil = ago(-1)
        #expect(due(restored) == [])
        restored.keepUntil = ago(0)
        #expect(due(restored) == [.detach(ago(401))])
    }

    @Test func `what a death left over comes first`() {
        let part = WaitingPart(day: ago(500), part: 2)
        let days = [
            DayState(day: ago(450), table: .pending), DayState(day: ago(401), isErased: true),
            DayState(day: ago(3), table: .detached),
        ]
        let steps = rules.steps(days: days, waiting: [part])
        #expect(steps.prefix(3) == [.settle(ago(450)), .settle(ago(3)), .archive(part)])
        #expect(steps.contains(.detach(ago(401))))
    }

    @Test func `partitions are made for today and a week ahead, where there are none`() {
        let steps = rules.steps(days: [DayState(day: ago(-2))], waiting: [])
        let made = steps.compactMap { if case .makePartition(let day) = $0 { day } else { nil } }
        #expect(made == [0, 1, 3, 4, 5, 6, 7].map { ago(-$0) })
        #expect(steps.suffix(2).first == .eraseFlags(before: ago(90)), "after their clicks")
        #expect(steps.last == .forgetAgents(before: ago(92)))
    }

    @Test func `a full index is not bloated, one of split pages is`() {
        // 1,000,000 entries, full: 4,425 leaves and some twenty pages above them.
        #expect(!MaintainRules.isBloated(indexBytes: 4447 * 8192, rows: 1_000_000))
        #expect(MaintainRules.isBloated(indexBytes: 6200 * 8192, rows: 1_000_000))
        #expect(!MaintainRules.isBloated(indexBytes: 2 * 8192, rows: 0))
        #expect(!MaintainRules.isBloated(indexBytes: 8192, rows: 0))
    }

    @Test func `days are read as they are written`() {
        for number in stride(from: Int32(10_957), to: 376_000, by: 29) {
            let day = KoreanDay(daysSince1970: number)
            guard KoreanDay(text: day.description) == day else {
                Issue.record("\(number) is \(day)")
                return
            }
        }
        for text in [
            "", "2026-11-31", "2025-02-29", "2026-13-01", "2026-00-01", "2026-01-00", "2026-1-01",
            "20261121", "2026-11-21 ", "+026-11-21", "1999-12-31", "２026-1-1", "2026/11/21",
        ] {
            #expect(KoreanDay(text: text) == nil, "\(text)")
        }
    }

    @Test func `command lines say what they want, or what is wrong`() {
        func wish(_ line: String) -> MaintainCommand.Wish? {
            MaintainCommand.wish(["Ingest"] + line.split(separator: " ").map(String.init))
        }
        let day = KoreanDay(text: "2025-10-01")!
        #expect(wish("") == nil)
        #expect(wish("--help") == nil)
        #expect(wish("maintain") == .maintain(today: nil, isDry: false))
        #expect(
            wish("maintain --today 2026-11-21 --dry-run")
                == .maintain(today: Self.today, isDry: true))
        #expect(wish("restore 2025-10-01") == .restore(day, today: nil, keepDays: 30))
        #expect(
            wish("restore --keep-days 3 2025-10-01 --today 2026-11-21")
                == .restore(day, today: Self.today, keepDays: 3))
        for line in [
            "maintain --today", "maintain --today x", "maintain 2026-11-21", "restore",
            "restore x", "restore 2025-10-01 2025-10-02", "restore 2025-10-01 --keep-days 0",
        ] {
            guard case .wrong = wish(line) else {
                Issue.record("\(line) is wrong")
                continue
            }
        }
        for line in ["maintain --help", "restore -h"] {
            guard case .help = wish(line) else {
                Issue.record("\(line) asks for help")
                continue
            }
        }
    }

    @Test func `files are not asked for before addresses are erased`() {
        var reader = SettingsReader(environment: [
            "DATABASE_URL": "postgres://x/y", "ARCHIVE_DIRECTORY": "/tmp",
            "CLICK_DAYS_ONLINE": "30",
        ])
        _ = MaintainSettings(&reader)
        #expect {
            try reader.finish()
        } throws: {
            "\($0)".contains("CLICK_DAYS_ONLINE must not be less than IP_RETENTION_DAYS")
        }
    }
}
