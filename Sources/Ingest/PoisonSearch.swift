// The ledger refuses a batch for its content, and would refuse it for ever. Which rows are at fault
// only the ledger knows, so it is asked: by halves, in one transaction that is rolled back in the
// end. What it takes stays in that transaction, so that rows which are at fault only beside another
// (two of one id) are found as well.
//
// Bounded: k bad rows among n cost some 2 k log n questions, and no more than `frameQuestionsMax`
// of frames and `rowQuestionsMax` of rows; what is not told apart by then is taken to be bad as a
// whole. That is safe, if rough: quarantine keeps it for a requeue.

import Clicks
import GeoIP
import Linux
import Postgres
import Spool

/// Which parts of a row of things are refused, asked by halves from left to right.
struct Halving {
    /// Things that are refused, in order; several only where the questions ran out.
    private(set) var refused: [Range<Int>] = []
    private(set) var questions = 0

    /// - Parameters:
    ///   - count: of things, known to be refused as a whole.
    ///   - questionsMax: after which parts are asked for once and not halved any more.
    ///   - isTaken: whether the things are taken; those taken before are there already.
    init(count: Int, questionsMax: Int, isTaken: (Range<Int>) throws -> Bool) rethrows {
        var parts = [0..<count]
        var isKnown = true
        while let part = parts.popLast() {
            // The whole need not be asked for.
            if !isKnown {
                questions += 1
                if try isTaken(part) { continue }
            }
            isKnown = false
            guard part.count > 1, questions < questionsMax else {
                refused.append(part)
                continue
            }
            let middle = part.lowerBound + part.count / 2
            parts.append(middle..<part.upperBound)
            parts.append(part.lowerBound..<middle)
        }
    }
}

/// One look for the rows that the ledger refuses.
struct PoisonSearch {
    /// A frame of the batch, and those of its rows that the batch has.
    struct Frame {
        let place: FramePlace
        let split: SplitFrame
        let rows: [Int]
    }

    static let frameQuestionsMax = 1000
    static let rowQuestionsMax = 2000

    let tail: SpoolTail
    let texts: KnownTexts
    let countries: CountryTable?
    /// Puts a batch's rows into the ledger, within a transaction.
    let store: (ClickBatch, Connection) throws -> Void

    /// - Returns: the refused rows of each frame, and why; none if the ledger takes them all now.
    func run(
        _ progress: [SegmentProgress], in db: Connection
    ) throws -> [FramePlace: SpoolTail.Refusal] {
        let frames = try progress.flatMap { try tail.frames(of: $0) }
        guard !frames.isEmpty else { return [:] }
        var found: [FramePlace: SpoolTail.Refusal] = [:]
        var questionsLeft = PoisonSearch.rowQuestionsMax
        defer { texts.removeAll() }
        do {
            try db.transaction { db in
                var reason = "the ledger refuses it"
                let bad = try Halving(
                    count: frames.count, questionsMax: PoisonSearch.frameQuestionsMax
                ) { part in
                    let why = try ask(frames[part].map { ($0, $0.rows[...]) }, in: db)
                    if let why { reason = "\(why)" }
                    return why == nil
                }
                for part in bad.refused {
                    for frame in frames[part] {
                        found[frame.place] =
                            part.count == 1 && questionsLeft > 0
                            ? try rows(of: frame, &questionsLeft, in: db)
                            : SpoolTail.Refusal(rows: Set(frame.rows), reason: reason)
                    }
                }
                throw Finished()
            }
        } catch is Finished {}
        return found
    }

    /// Ends the transaction without a trace.
    private struct Finished: Error {}

    private func rows(
        of frame: Frame, _ questionsLeft: inout Int, in db: Connection
    ) throws -> SpoolTail.Refusal? {
        guard var reason = try ask([(frame, frame.rows[...])], in: db) else { return nil }
        let bad = try Halving(count: frame.rows.count, questionsMax: questionsLeft) { part in
            guard let why = try ask([(frame, frame.rows[part])], in: db) else { return true }
            reason = why
            return false
        }
        questionsLeft -= bad.questions
        let rows = bad.refused.joined().map { frame.rows[$0] }
        return SpoolTail.Refusal(rows: Set(rows), reason: "\(reason)")
    }

    /// Why the ledger refuses the rows; nil if it has taken them.
    private func ask(
        _ parts: [(frame: Frame, rows: ArraySlice<Int>)], in db: Connection
    ) throws -> PostgresError? {
        var batch = ClickBatch(texts, countries: countries)
        for part in parts {
            _ = part.frame.split.withFrame(of: Array(part.rows)) { batch.add($0) }
        }
        try db.run(script: "savepoint part")
        do {
            try store(batch, db)
            try db.run(script: "release savepoint part")
            return nil
        } catch let error as PostgresError where error.isRefusedContent {
            try db.run(script: "rollback to savepoint part; release savepoint part")
            // Numbers of texts that were stored since the savepoint are no more.
            texts.removeAll()
            return error
        }
    }
}

extension PostgresError {
    /// SQLSTATE classes 22 (data exception) and 23 (integrity constraint): the same rows would be
    /// refused again. Except 2200H, a sequence at its end: that refuses every new text, and sets
    /// aside what is wrong with the ledger and not with the clicks.
    var isRefusedContent: Bool {
        kind == .server && sqlState != "2200H"
            && (sqlState.hasPrefix("22") || sqlState.hasPrefix("23"))
    }

    /// Whether a key was there already.
    var isUniqueViolation: Bool { sqlState == "23505" }
}
