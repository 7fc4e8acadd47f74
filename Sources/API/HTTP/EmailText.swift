// What an e-mail address looks like: a part of RFC 5321's mailbox, and no more than JSON Schema's
// `email` is, so that the document's format, its pattern and the check say the same. Quoted local
// parts, literal addresses and what is not ASCII are left out: nobody signs up by them, and two
// addresses that look alike are alike. Whether mail arrives is found by sending some.

/// Tells an e-mail address from other text.
enum EmailText {
    private static let local = "[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]+"
    private static let letter = "[0-9A-Za-z]"
    private static let more = "(-+\(letter)+)*"
    /// Two hyphens as third and fourth character mark names in other scripts (`xn--`) and are
    /// reserved otherwise.
    private static let label =
        "(\(letter)(-{1,2}\(letter)+\(more))?|\(letter){2}(-\(letter)+\(more))?"
        + "|\(letter){3,}\(more)|[Xx][Nn]--\(letter)+\(more))"
    private static let localBytesMax = 64
    private static let labelBytesMax = 63

    /// For the document; the parts' lengths, 64 and 63, are in its format.
    static let pattern = "^\(local)(\\.\(local))*@\(label)(\\.\(label))*$"

    static func accepts(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].count <= localBytesMax else { return false }
        let atoms = parts[0].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let labels = parts[1].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return atoms.allSatisfy(isAtom) && labels.allSatisfy(isLabel)
    }

    private static func isAtom(_ bytes: Substring.UTF8View) -> Bool {
        !bytes.isEmpty
            && bytes.allSatisfy { isLetter($0) || "!#$%&'*+/=?^_`{|}~-".utf8.contains($0) }
    }

    private static func isLabel(_ bytes: Substring.UTF8View) -> Bool {
        let hyphen = UInt8(ascii: "-")
        guard (1...labelBytesMax).contains(bytes.count), bytes.first != hyphen,
            bytes.last != hyphen, bytes.allSatisfy({ isLetter($0) || $0 == hyphen })
        else { return false }
        let isMarked = bytes.dropFirst(2).prefix(2).elementsEqual("--".utf8)
        guard isMarked else { return true }
        let rest = bytes.dropFirst(4)
        return String(bytes.prefix(2))?.lowercased() == "xn" && rest.first != hyphen
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}
