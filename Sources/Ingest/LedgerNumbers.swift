// The numbers that the ledger gives to texts and dimensions come late: whoever reads makes a
// batch's rows and hands the tables on, and the ledger is asked while the next batch is read
// already. Until then a row has 0 in that place, and its batch remembers where.

import Postgres
import Synchronization

/// The ledger's numbers of one table's places. Shared between whoever reads and the pumps that
/// ask; a table that forgets its places begins another.
final class LedgerNumbers: Sendable {
    /// By place; 0 where the ledger has not answered yet.
    private let numbers = Mutex<[Int32]>([])

    func learn(_ number: Int32, of place: Int32) {
        numbers.withLock { numbers in
            if place >= numbers.count {
                numbers += repeatElement(0, count: max(Int(place) + 1 - numbers.count, 1024))
            }
            numbers[Int(place)] = number
        }
    }

    /// Tells of each place its number, 0 if there is none yet.
    func read(_ body: ((Int32) -> Int32) -> Void) {
        numbers.withLock { numbers in
            body { $0 < numbers.count ? numbers[Int($0)] : 0 }
        }
    }
}

/// What a batch has brought that has no number yet. Each is one batch's to ask for.
struct Unnumbered<Wanted> {
    let wanted: [(wanted: Wanted, place: Int32)]
    let numbers: LedgerNumbers
}

/// Where a row has room for a number that was not known when the row was made.
struct NumberWanted {
    let place: Int32
    /// In the rows' bytes.
    let offset: Int
}

extension CopyRows {
    /// Writes the numbers that were not known. All of them have to be by now.
    func complete(_ wanted: [NumberWanted], from numbers: LedgerNumbers) {
        guard !wanted.isEmpty else { return }
        numbers.read { number in
            for one in wanted {
                let number = number(one.place)
                precondition(number != 0, "what a batch names has its number before it is copied")
                replaceInt32(at: one.offset, by: number)
            }
        }
    }
}

extension Unnumbered {
    /// Learns their numbers.
    ///
    /// - Parameters:
    ///   - precedes: one order on every Ingest, so that two never wait for each other in a circle.
    ///   - ask: the ledger's numbers of at most ``TextPlaces/questionTextsMax`` of them, each once,
    ///     in their order; new ones are stored. Called before the batch's transaction: a text
    ///     without clicks does no harm, a number without its text would.
    fileprivate func number(
        inOrder precedes: (Wanted, Wanted) -> Bool, by ask: ([Wanted]) throws -> [Int32]
    ) throws {
        let sorted = wanted.sorted { precedes($0.wanted, $1.wanted) }
        var done = 0
        while done < sorted.count {
            var question: [Wanted] = []
            var end = done
            while end < sorted.count {
                // Repair made some of them equal.
                if question.last.map({ precedes($0, sorted[end].wanted) }) ?? true {
                    if question.count == TextPlaces.questionTextsMax { break }
                    question.append(sorted[end].wanted)
                }
                end += 1
            }
            let answer = try ask(question)
            var index = 0
            for (one, place) in sorted[done..<end] {
                if precedes(question[index], one) { index += 1 }
                numbers.learn(answer[index], of: place)
            }
            done = end
        }
    }
}

extension Unnumbered<String> {
    /// Texts are compared as bytes: Swift holds a text to be equal to its other Unicode normal
    /// forms, and the ledger does not.
    func number(by ask: ([String]) throws -> [Int32]) throws {
        try number(inOrder: { TextPlaces.compare($0, $1) < 0 }, by: ask)
    }
}

extension Unnumbered<StatisticsDimensions> {
    func number(by ask: ([StatisticsDimensions]) throws -> [Int32]) throws {
        try number(inOrder: { $0.precedes($1) }, by: ask)
    }
}
