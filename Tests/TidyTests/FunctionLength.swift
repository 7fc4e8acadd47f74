/// No function is longer than a screen. Its length is counted from the line of its `func`, `init`,
/// `deinit` or `subscript` to that of its closing brace.
enum FunctionLength {
    static let linesMax = 70

    static func findings(in file: SwiftText) -> [Finding] {
        let bytes = Array(file.code.joined(separator: "\n").utf8)
        var scanner = Scanner(bytes: bytes)
        return scanner.functions().compactMap { function in
            let count = function.last - function.first + 1
            guard count > linesMax else { return nil }
            let advice =
                "this function has \(count) lines of at most \(linesMax); split it by what its "
                + "parts decide"
            return Finding(path: file.path, line: function.first, advice: advice)
        }
    }

    /// Walks over code whose literals and comments are blanked.
    struct Scanner {
        let bytes: [UInt8]

        init(bytes: [UInt8]) {
            self.bytes = bytes
        }

        /// First and last line of each function that has a body, nested ones too.
        mutating func functions() -> [(first: Int, last: Int)] {
            var functions: [(first: Int, last: Int)] = []
            var line = 1
            var position = 0
            while position < bytes.count {
                if bytes[position] == UInt8(ascii: "\n") { line += 1 }
                guard let end = declaration(at: position) else {
                    position += 1
                    continue
                }
                if let open = body(from: end), let close = matching(open) {
                    let breaks = bytes[position..<close].count { $0 == UInt8(ascii: "\n") }
                    functions.append((line, line + breaks))
                }
                position = end
            }
            return functions
        }

        /// The end of the keyword, if a function is declared here; a call such as `.init(` is not.
        private func declaration(at start: Int) -> Int? {
            let before = start > 0 ? bytes[start - 1] : UInt8(ascii: "\n")
            guard isWordByte(bytes[start]), !isWordByte(before), before != UInt8(ascii: ".") else {
                return nil
            }
            var end = start
            while end < bytes.count && isWordByte(bytes[end]) { end += 1 }
            switch String(decoding: bytes[start..<end], as: UTF8.self) {
            case "func", "init", "deinit", "subscript": return end
            default: return nil
            }
        }

        /// The brace that opens the body: the first outside of parentheses. A requirement of a
        /// protocol has none; then a closing brace or the next declaration comes first.
        private func body(from start: Int) -> Int? {
            var depth = 0
            for position in start..<bytes.count {
                switch bytes[position] {
                case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
                case UInt8(ascii: "{") where depth == 0: return position
                case UInt8(ascii: "}") where depth == 0: return nil
                case UInt8(ascii: "{") where depth > 0:
                    // A closure as a default argument; its braces are balanced inside.
                    break
                default:
                    if depth == 0 && declaration(at: position) != nil { return nil }
                }
            }
            return nil
        }

        private func matching(_ open: Int) -> Int? {
            var depth = 0
            for position in open..<bytes.count {
                if bytes[position] == UInt8(ascii: "{") { depth += 1 }
                if bytes[position] == UInt8(ascii: "}") { depth -= 1 }
                if depth == 0 { return position }
            }
            return nil
        }
    }
}
