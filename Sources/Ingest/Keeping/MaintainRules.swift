// What is due for which day. Pure: the state of the tables is an argument, and so is today.

import Clicks

/// A day's partition, and what is remembered of it.
struct DayState: Equatable {
    enum Table: Equatable {
        case partition
        /// Its detaching was cut off.
        case pending
        /// It still has the partition's name and is none.
        case detached
    }

    var day: KoreanDay
    var table = Table.partition
    var isFinished = false
    var isErased = false
    /// Not detached before this day.
    var keepUntil: KoreanDay?
    var isSettled = true
}

/// A detached table that waits to be a file.
struct WaitingPart: Hashable {
    let day: KoreanDay
    let part: Int
}

/// One thing to do. Each can be done again, or be gone on with after a death.
enum MaintainStep: Equatable {
    /// Ends a detaching that was cut off, or sets aside a table that was detached by hand.
    case settle(KoreanDay)
    /// Makes the file, verifies it, drops the table.
    case archive(WaitingPart)
    case makePartition(KoreanDay)
    case erase(KoreanDay)
    /// Second index, and the first anew where it is bloated.
    case finish(KoreanDay)
    /// Detaches, and archives what is detached then.
    case detach(KoreanDay)
    case eraseFlags(before: KoreanDay)
    case forgetAgents(before: KoreanDay)
}

/// For how long things are kept, in days.
struct MaintainRules {
    let today: KoreanDay
    let daysOnline: Int
    let retentionDays: Int

    /// A week, as Ingest makes them; so that a week without either costs nothing.
    static let daysAhead: Int32 = 7
    /// Besides the retention, for an agent that is known but not seen: Ingest notes a sighting at
    /// least once a day, and a transaction under way at midnight is over within the second.
    static let agentSlackDays: Int32 = 2

    /// The first day whose addresses and agents are kept.
    var firstRaw: KoreanDay { today.advanced(byDays: -Int32(retentionDays)) }
    /// The first day that stays in the ledger.
    var firstOnline: KoreanDay { today.advanced(byDays: -Int32(daysOnline)) }

    /// Everything due, in the order in which it is to be done: first what a death has left over.
    func steps(days: [DayState], waiting: [WaitingPart]) -> [MaintainStep] {
        var steps: [MaintainStep] = []
        for state in days where state.table != .partition { steps.append(.settle(state.day)) }
        steps += waiting.map { .archive($0) }
        let known = Set(days.filter { $0.table == .partition }.map(\.day))
        for ahead in 0...MaintainRules.daysAhead {
            let day = today.advanced(byDays: ahead)
            if !known.contains(day) { steps.append(.makePartition(day)) }
        }
        for state in days where state.table == .partition { steps += due(state) }
        // After their clicks: a flag without its address releases nothing, so clicks that still
        // have it would be judged as if nobody had decided.
        steps.append(.eraseFlags(before: firstRaw))
        steps.append(
            .forgetAgents(before: firstRaw.advanced(byDays: -MaintainRules.agentSlackDays)))
        return steps
    }

    private func due(_ state: DayState) -> [MaintainStep] {
        var steps: [MaintainStep] = []
        // Before all else, as what leaves must not have them. It makes the indexes as well.
        let erases = !state.isErased && state.day < firstRaw
        if erases { steps.append(.erase(state.day)) }
        let isKept = state.keepUntil.map { today < $0 } ?? false
        if state.day < firstOnline, state.isSettled, !isKept {
            steps.append(.detach(state.day))
        } else if !erases, !state.isFinished, state.day < today {
            steps.append(.finish(state.day))
        }
        return steps
    }

    /// Whether an index of a key is worth making anew: it is a fifth larger than one that is full.
    ///
    /// An entry has 24 bytes of key, 8 before and 4 in the page's directory; 226 to a page.
    static func isBloated(indexBytes: Int, rows: Int) -> Bool {
        let (pageBytes, entriesPerPage, freePages) = (8192, 226, 10)
        let pages = rows / entriesPerPage + freePages
        return indexBytes > pages * pageBytes / 5 * 6
    }
}

extension MaintainStep: CustomStringConvertible {
    /// As `--dry-run` and the log show it.
    var description: String {
        switch self {
        case .settle(let day): "set aside the detached table of \(day)"
        case .archive(let part): "archive \(part.day), part \(part.part), and drop its table"
        case .makePartition(let day): "make the partition of \(day)"
        case .erase(let day): "erase addresses and agents of \(day)"
        case .finish(let day): "finish the indexes of \(day)"
        case .detach(let day): "detach \(day), archive it and drop its table"
        case .eraseFlags(let day): "erase addresses of flags before \(day)"
        case .forgetAgents(let day): "delete agents not seen since \(day)"
        }
    }
}

extension KoreanDay {
    /// Reads `2026-11-21`, from 2000 to 2999; nil for anything else, also for days that no month
    /// has.
    init?(text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard text.utf8.count == 10, parts.map(\.utf8.count) == [4, 2, 2],
            text.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || 0x30...0x39 ~= $0 }),
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]),
            2000...2999 ~= year, 1...12 ~= month, 1...31 ~= day
        else { return nil }
        // Years begin in March here, so that the leap day is the last.
        let marchYear = month > 2 ? year : year - 1
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = 365 * marchYear + marchYear / 4 - marchYear / 100 + marchYear / 400 + dayOfYear
        self.init(daysSince1970: Int32(days - 719_468))
        guard civil == (year, month, day) else { return nil }
    }
}
