import Postgres

/// Numbers of texts that the ledger stores once: user agents or referers. Remembers what it has
/// seen, since nearly every click repeats one.
///
/// At the bound it forgets everything and asks again: simple, and once in a long while cheap.
/// Whoever sends a new text with every click makes that happen more often, and no more than that.
struct TextDictionary {
    /// Texts that one question to the ledger may have: bounds the message, not the batch.
    static let questionTextsMax = 5000
    private static let entryOverheadBytes = 100

    private var ids: [ExactText: Int32] = [:]
    private(set) var bytes = 0
    private let bytesMax: Int

    /// - Parameter bytesMax: of texts and what keeping them costs. A batch's own come on top while
    ///   it is looked up.
    init(bytesMax: Int = 64 << 20) {
        self.bytesMax = bytesMax
    }

    var count: Int { ids.count }

    /// The numbers of the texts, in their order.
    ///
    /// New texts are stored by `resolve`, at most ``questionTextsMax`` a call, before the batch's
    /// transaction: a text without clicks does no harm, a number without its text would.
    mutating func numbers(
        of texts: [String], resolve: ([String]) throws -> [Int32]
    ) throws -> [Int32] {
        var unknown = Set<ExactText>()
        for text in texts where ids[ExactText(text)] == nil { unknown.insert(ExactText(text)) }
        // In one order on every Ingest, so that two never wait for each other in a circle.
        var sorted = unknown.map(\.text)[...]
        sorted.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        while !sorted.isEmpty {
            let question = Array(sorted.prefix(TextDictionary.questionTextsMax))
            for (text, id) in zip(question, try resolve(question)) {
                ids[ExactText(text)] = id
                bytes += text.utf8.count + TextDictionary.entryOverheadBytes
            }
            sorted = sorted.dropFirst(question.count)
        }
        let numbers = texts.map { ids[ExactText($0)]! }
        if bytes > bytesMax { removeAll() }
        return numbers
    }

    mutating func removeAll() {
        ids.removeAll()
        bytes = 0
    }
}

/// A text that equals only its own bytes. Swift holds a text to be equal to its other Unicode
/// normal forms, the ledger does not, and Apple's systems send Hangul decomposed.
private struct ExactText: Hashable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (left: ExactText, right: ExactText) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        // Native strings are contiguous; the ledger's and the spool's are.
        let isContiguous: Void? = text.utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        precondition(isContiguous != nil, "texts from bytes are contiguous")
    }
}
