import Glibc

// multipart/form-data (RFC 7578, RFC 2046 section 5.1) as it arrives: bytes go in by any pieces,
// and what they mean comes out. No body is kept: content goes to its taker as slices of the piece
// it came in, and between pieces only the head of a part and the number of delimiter bytes that
// were seen are remembered.
//
//   body      = [preamble CRLF] "--" boundary *(SP / HT) CRLF part
//               *(CRLF "--" boundary *(SP / HT) CRLF part) CRLF "--" boundary "--" epilogue
//   part      = 1*(header CRLF) CRLF content
//
// Stricter than the RFC where senders agree anyway and readers do not: a line that begins with the
// delimiter and goes on otherwise is refused rather than guessed at, lines end with CRLF alone,
// each part has one Content-Disposition of form-data with a name, and no transfer encoding.

/// Why a body is no form.
package enum MultipartFault: Error, Equatable, Sendable {
    /// The Content-Type has no boundary, or one that RFC 2046 does not allow.
    case boundaryInvalid
    case malformed
    /// A part's head is over ``MultipartParser/headBytesMax``.
    case headTooLong
    /// More parts than ``MultipartParser/partsMax``.
    case tooManyParts
    /// It ended before its last delimiter.
    case incomplete
}

/// Reads one body. Fed after a fault or after its end, it says so again.
package struct MultipartParser {
    /// What a piece of the body turned out to be.
    package enum Event {
        case part(PartHead)
        /// Of the part that began last; valid during the call alone.
        case content(UnsafeRawBufferPointer)
        case partEnded
    }

    package static let headBytesMax = 4096
    package static let partsMax = 16

    private enum State {
        /// Before the first delimiter: what stands here is for no one.
        case preamble
        /// Behind a delimiter, `-` seen or not, blanks seen or not, CR seen or not.
        case delimiterEnd(DelimiterEnd)
        case head
        case content
        case epilogue
        case failed(MultipartFault)
    }

    private enum DelimiterEnd {
        case fresh, dash, blank, carriageReturn
    }

    /// CRLF, two dashes, boundary. CR is nowhere else in it, so after a mismatch a new match can
    /// begin only where the mismatch is.
    private let delimiter: [UInt8]
    private var state = State.preamble
    /// Invariant: less than `delimiter.count`; so many bytes of the delimiter were seen last.
    private var matched: Int
    /// Of `matched`, those that came in earlier pieces.
    private var heldBack: Int
    /// Of `heldBack`, those that were never content: the CRLF before the first delimiter, which may
    /// be missing, and the one that ends a head.
    private var assumed: Int
    private var head: [UInt8] = []
    private var partCount = 0

    /// - Parameter boundary: as ``MultipartParser/boundary(of:)`` gives it.
    package init(boundary: String) {
        delimiter = Array("\r\n--\(boundary)".utf8)
        // The first delimiter needs no CRLF before it: it is as if there had been one.
        (matched, heldBack, assumed) = (2, 2, 2)
    }

    /// The next bytes of the body, in order. Linear in their number.
    package mutating func consume(
        _ bytes: UnsafeRawBufferPointer, _ take: (Event) throws -> Void
    ) throws {
        var position = 0
        while position < bytes.count {
            switch state {
            case .preamble: position = find(in: bytes, from: position) { _ in }
            case .content:
                position = try findContent(in: bytes, from: position, take)
            case .delimiterEnd(let end):
                try readDelimiterEnd(end, bytes[position], take)
                position += 1
            case .head:
                try readHead(bytes[position], take)
                position += 1
            case .epilogue: return
            case .failed(let fault): throw fault
            }
        }
        // What matches so far is neither content nor delimiter yet.
        heldBack = matched
    }

    /// The body has ended.
    package mutating func finish() throws(MultipartFault) {
        switch state {
        case .epilogue: return
        case .failed(let fault): throw fault
        case .preamble, .delimiterEnd, .head, .content: throw fail(.incomplete)
        }
    }

    private mutating func fail(_ fault: MultipartFault) -> MultipartFault {
        state = .failed(fault)
        return fault
    }

    // MARK: Delimiters

    private mutating func findContent(
        in bytes: UnsafeRawBufferPointer, from start: Int,
        _ take: (Event) throws -> Void
    ) throws -> Int {
        var failure: (any Error)?
        let end = find(in: bytes, from: start) { content in
            guard failure == nil, !content.isEmpty else { return }
            do { try take(.content(content)) } catch { failure = error }
        }
        if let failure { throw failure }
        if case .delimiterEnd = state { try take(.partEnded) }
        return end
    }

    /// Goes on until a delimiter is whole or the bytes are over, and gives out what is before it.
    /// - Returns: where to go on.
    private mutating func find(
        in bytes: UnsafeRawBufferPointer, from start: Int,
        _ give: (UnsafeRawBufferPointer) -> Void
    ) -> Int {
        var position = start
        while position < bytes.count {
            if matched == 0 {
                let rest = bytes.baseAddress! + position
                guard let next = memchr(rest, 0x0D, bytes.count - position) else {
                    position = bytes.count
                    continue
                }
                position += next - UnsafeMutableRawPointer(mutating: rest) + 1
                matched = 1
            } else if bytes[position] == delimiter[matched] {
                matched += 1
                position += 1
                guard matched == delimiter.count else { continue }
                let end = position - (matched - heldBack)
                if end > start { give(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) }
                (matched, heldBack, assumed) = (0, 0, 0)
                state = .delimiterEnd(.fresh)
                return position
            } else {
                // It was no delimiter: what was held back of earlier pieces is content after all.
                if heldBack > assumed {
                    let range = assumed..<heldBack
                    delimiter.withUnsafeBytes { give(UnsafeRawBufferPointer(rebasing: $0[range])) }
                }
                (matched, heldBack, assumed) = (0, 0, 0)
            }
        }
        let end = bytes.count - (matched - heldBack)
        if end > start { give(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) }
        return position
    }

    private mutating func readDelimiterEnd(
        _ end: DelimiterEnd, _ byte: UInt8, _ take: (Event) throws -> Void
    ) throws {
        switch (end, byte) {
        case (.fresh, UInt8(ascii: "-")): state = .delimiterEnd(.dash)
        case (.dash, UInt8(ascii: "-")): state = .epilogue
        case (.fresh, UInt8(ascii: " ")), (.fresh, UInt8(ascii: "\t")),
            (.blank, UInt8(ascii: " ")), (.blank, UInt8(ascii: "\t")):
            head.append(byte)
            guard head.count <= MultipartParser.headBytesMax else { throw fail(.headTooLong) }
            state = .delimiterEnd(.blank)
        case (.fresh, UInt8(ascii: "\r")), (.blank, UInt8(ascii: "\r")):
            state = .delimiterEnd(.carriageReturn)
        case (.carriageReturn, UInt8(ascii: "\n")):
            partCount += 1
            guard partCount <= MultipartParser.partsMax else { throw fail(.tooManyParts) }
            head.removeAll(keepingCapacity: true)
            state = .head
        default: throw fail(.malformed)
        }
    }

    // MARK: Heads

    private mutating func readHead(
        _ byte: UInt8, _ take: (Event) throws -> Void
    ) throws {
        head.append(byte)
        guard head.count <= MultipartParser.headBytesMax else { throw fail(.headTooLong) }
        guard byte == UInt8(ascii: "\n"), head.suffix(4).elementsEqual("\r\n\r\n".utf8) else {
            // A part without any header could not say its name.
            if head.count == 2, head.elementsEqual("\r\n".utf8) { throw fail(.malformed) }
            return
        }
        guard let parsed = PartHead(head.dropLast(4)) else { throw fail(.malformed) }
        head.removeAll(keepingCapacity: true)
        // A part may be empty: its delimiter's CRLF may be that which ended the head.
        (matched, heldBack, assumed) = (2, 2, 2)
        state = .content
        try take(.part(parsed))
    }
}
