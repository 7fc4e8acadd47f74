import Postgres

/// Numbers of texts that the ledger stores once: user agents or referers. Remembers what it has
/// seen, since nearly every click repeats one.
///
/// At the bound it forgets everything and asks again: simple, and once in a long while cheap.
struct TextDictionary {
    private var ids: [String: Int32] = [:]
    private let entriesMax: Int

    init(entriesMax: Int = 200_000) {
        self.entriesMax = entriesMax
    }

    /// The numbers of the texts, in their order.
    ///
    /// New texts are stored by `resolve` in a statement of its own, before the batch's transaction:
    /// a text without clicks does no harm, a number without its text would.
    mutating func numbers(
        of texts: [String], resolve: ([String]) throws -> [Int32]
    ) throws -> [Int32] {
        var unknown = Set<String>()
        for text in texts where ids[text] == nil { unknown.insert(text) }
        if !unknown.isEmpty {
            if ids.count + unknown.count > entriesMax {
                ids.removeAll(keepingCapacity: true)
                unknown = Set(texts)
            }
            // In one order on every Ingest, so that two never wait for each other in a circle.
            let sorted = unknown.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            for (text, id) in zip(sorted, try resolve(sorted)) { ids[text] = id }
        }
        return texts.map { ids[$0]! }
    }
}
