import Testing

@testable import API

@Suite struct MultipartParserTests {
    /// What a body says, or why not.
    enum Reading: Equatable {
        case form([Field])
        case fault(MultipartFault)
    }

    struct Field: Equatable {
        let head: PartHead
        var content: [UInt8] = []
        var isOver = false
    }

    private func read(_ pieces: [ArraySlice<UInt8>], boundary: String) -> Reading {
        var parser = MultipartParser(boundary: boundary)
        var fields: [Field] = []
        do {
            for piece in pieces {
                // A block of its own, so that a read beyond it is found by whoever looks for it.
                try Array(piece).withUnsafeBytes { bytes in
                    try parser.consume(bytes) { event in
                        switch event {
                        case .part(let head): fields.append(Field(head: head))
                        case .content(let bytes):
                            #expect(!bytes.isEmpty)
                            fields[fields.count - 1].content += bytes
                        case .partEnded: fields[fields.count - 1].isOver = true
                        }
                    }
                }
            }
            try parser.finish()
        } catch let fault as MultipartFault {
            return .fault(fault)
        } catch {
            Issue.record("\(error)")
        }
        #expect(fields.allSatisfy { $0.isOver })
        return .form(fields)
    }

    private func read(_ text: String, boundary: String = "b") -> Reading {
        read([Array(text.utf8)[...]], boundary: boundary)
    }

    private func field(_ name: String, _ content: String, isFile: Bool = false) -> Field {
        Field(
            head: PartHead(name: name, isFile: isFile), content: Array(content.utf8), isOver: true)
    }

    private static let disposition = "Content-Disposition: form-data; name="

    @Test func `a form is its fields in order`() {
        let text =
            "--b\r\n\(Self.disposition)\"file\"; filename=\"C:\\a\\b \\\"c\\\".jpg\"\r\n"
            + "Content-Type: image/jpeg\r\n\r\nbytes\r\n--b \t\r\ncontent-disposition:form-data;"
            + "name=purpose\r\n\r\nbanner\r\n--b--\r\nafter it"
        #expect(
            read(text) == .form([field("file", "bytes", isFile: true), field("purpose", "banner")]))
    }

    @Test func `what only looks like a delimiter is content`() {
        for content in [
            "", "\r\n", "\r", "\n--b", "\r--b", "\r\n-", "\r\n--", "\r\r\n--a", "\r\n\r\n",
            "x\r\n--B\r\n", "\r\n-\r\n-b", "a--b--", "\r\n--\r\n--a",
        ] {
            let text = "--b\r\n\(Self.disposition)a\r\n\r\n\(content)\r\n--b--"
            #expect(read(text) == .form([field("a", content)]), "\(content.debugDescription)")
        }
        // RFC 2046: the empty line that ends a head may begin the delimiter, so that a content
        // cannot begin with it either.
        #expect(read("--b\r\n\(Self.disposition)a\r\n\r\n--b--") == .form([field("a", "")]))
        #expect(
            read("preamble\r\n--b\r\n\(Self.disposition)a\r\n\r\nx\r\n--b--")
                == .form([field("a", "x")]))
        #expect(read("--b--") == .form([]))
    }

    @Test func `what two readers could take for different things is refused`() {
        let part = "--b\r\n\(Self.disposition)a\r\n\r\nx"
        let faults: [(String, MultipartFault)] = [
            ("", .incomplete), ("no form at all", .incomplete), ("--b", .incomplete),
            (part, .incomplete), (part + "\r\n--b", .incomplete), (part + "\r\n--b-", .incomplete),
            (part + "\r\n--b\r\n", .incomplete), (part + "\r\n--bc\r\n", .malformed),
            (part + "\r\n--b-\r\n", .malformed), (part + "\r\n--b\rx", .malformed),
            (part + "\r\n--b\n", .malformed), ("--b\n\(Self.disposition)a\n\nx\n--b--", .malformed),
            ("--b\r\n\r\nx\r\n--b--", .malformed),
            ("--b\r\nContent-Type: a/b\r\n\r\nx\r\n--b--", .malformed),
            ("--b\r\n\(Self.disposition)a\r\n\(Self.disposition)c\r\n\r\nx\r\n--b--", .malformed),
            ("--b\r\n\(Self.disposition)a; name=c\r\n\r\nx\r\n--b--", .malformed),
            ("--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--", .malformed),
            ("--b\r\n\(Self.disposition)\"a\r\n\r\nx\r\n--b--", .malformed),
            ("--b\r\n \(Self.disposition)a\r\n\r\nx\r\n--b--", .malformed),
            ("--b\r\n\(Self.disposition)a\r\n folded\r\n\r\nx\r\n--b--", .malformed),
            ("--b\r\n\(Self.disposition)a\u{0}\r\n\r\nx\r\n--b--", .malformed),
            ("--b\r\n\(Self.disposition)a\nX: y\r\n\r\nx\r\n--b--", .malformed),
            (
                "--b\r\n\(Self.disposition)a\r\nContent-Transfer-Encoding: base64\r\n\r\nx"
                    + "\r\n--b--",
                .malformed
            ),
            ("--b" + String(repeating: " ", count: 5000) + "\r\n", .headTooLong),
            (
                "--b\r\nX: " + String(repeating: "x", count: 5000) + "\r\n\r\nx\r\n--b--",
                .headTooLong
            ),
            (String(repeating: part + "\r\n", count: 17) + "--b--", .tooManyParts),
        ]
        for (text, fault) in faults {
            #expect(read(text) == .fault(fault), "\(text.prefix(120).debugDescription)")
        }
    }

    @Test func `a boundary is of 1 to 70 characters that RFC 2046 allows`() throws {
        let long = String(repeating: "x", count: 70)
        for (type, boundary) in [
            ("multipart/form-data; boundary=b", "b"),
            ("Multipart/Form-Data;charset=utf-8 ; BOUNDARY=\"a b:c\"", "a b:c"),
            ("multipart/form-data; boundary=\(long)", long),
            (
                "multipart/form-data; boundary=----WebKitFormBoundaryAbC'123;",
                "----WebKitFormBoundaryAbC'123"
            ),
        ] {
            #expect(try MultipartParser.boundary(of: type) == boundary)
        }
        for type in [
            "", "multipart/form-data", "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\(long)x", "multipart/form-data; boundary=\"a \"",
            "multipart/form-data; boundary=a; boundary=b", "multipart/mixed; boundary=b",
            "multipart/form-data; boundary=\"a\r\n\"", "multipart/form-data; boundary=한",
            "multipart/form-data; boundary=\"a", "multipart/form-data boundary=a",
        ] {
            #expect(throws: MultipartFault.boundaryInvalid) {
                try MultipartParser.boundary(of: type)
            }
        }
    }

    /// The whole body at once, by searching text: what the parser of pieces is held against.
    private func oracle(_ contents: [[UInt8]], boundary: String) -> [UInt8] {
        var body: [UInt8] = []
        for (index, content) in contents.enumerated() {
            body += Array("--\(boundary)\r\n\(Self.disposition)\"f\(index)\"\r\n\r\n".utf8)
            body += content + [0x0D, 0x0A]
        }
        return body + Array("--\(boundary)--\r\n".utf8)
    }

    /// Bytes that come close to a delimiter as often as can be.
    private func content(_ boundary: String, _ random: inout SeededGenerator) -> [UInt8] {
        let delimiter = Array("\r\n--\(boundary)".utf8)
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            switch Int.random(in: 0...3, using: &random) {
            case 0: bytes += delimiter.prefix(Int.random(in: 0..<delimiter.count, using: &random))
            case 1: bytes += delimiter.dropFirst(Int.random(in: 1...3, using: &random))
            case 2: bytes += [0x0D, 0x0D, 0x0A]
            default: bytes.append(UInt8.random(in: 0...255, using: &random))
            }
        }
        // A content that has the whole delimiter would not be one.
        let text = bytes + [0x0D, 0x0A]
        let isDelimited = text.indices.contains { text[$0...].starts(with: delimiter) }
        return isDelimited || bytes.starts(with: delimiter.dropFirst(2)) ? [] : bytes
    }

    @Test func `a body means the same however it is cut`() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let boundary = ["b", "--", "aab", "a-b-"].randomElement(using: &random)!
            let contents = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                content(boundary, &random)
            }
            let body = oracle(contents, boundary: boundary)
            let expected = Reading.form(
                contents.enumerated().map { index, content in
                    Field(
                        head: PartHead(name: "f\(index)", isFile: false), content: content,
                        isOver: true)
                })
            #expect(read([body[...]], boundary: boundary) == expected, "seed \(seed): \(body)")
            for cut in body.indices {
                let halves = [body[..<cut], body[cut...]]
                #expect(
                    read(halves, boundary: boundary) == expected, "seed \(seed): \(body) at \(cut)")
            }
            #expect(
                read(body.indices.map { body[$0...$0] }, boundary: boundary) == expected,
                "seed \(seed): \(body) in single bytes")
            // Every beginning of it is no form, and says so.
            for end in body.indices.dropLast(2) {
                #expect(read([body[..<end]], boundary: boundary) == .fault(.incomplete))
            }
        }
    }

    @Test func `changed bytes are read the same way whole and in pieces`() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            var body = oracle([Array("one".utf8), Array("\r\n-two".utf8)], boundary: "aab")
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                body[body.indices.randomElement(using: &random)!] =
                    [0x0D, 0x0A, 0x2D, 0x20, 0x22, 0x3B, 0x61, 0x62, 0x00, 0xFF]
                    .randomElement(using: &random)!
            }
            let cut = body.indices.randomElement(using: &random)!
            let whole = read([body[...]], boundary: "aab")
            let pieces = read([body[..<cut], body[cut...]], boundary: "aab")
            #expect(whole == pieces, "seed \(seed): \(body) at \(cut)")
        }
    }
}
