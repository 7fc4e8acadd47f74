import Testing

@testable import Wire

struct ByteWindowTests {
    /// Every byte at every place of windows of every length around the blocks, and nothing read
    /// outside: the bytes lie at the end of their memory.
    @Test func `each scan stops where a look at every byte would, whatever the byte and place`() {
        let guarded = GuardedBytes(capacity: 128)
        for length in [1, 7, 15, 16, 17, 31, 32, 33, 47, 64, 70] {
            for byte in UInt8.min...UInt8.max {
                for place in 0..<length {
                    var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: length)
                    bytes[place] = byte
                    let placed = guarded.place(bytes)
                    let window = ByteWindow(placed.baseAddress!, end: length)
                    let start = place / 2
                    for scan in Scan.allCases {
                        let expected = bytes[start...].firstIndex { scan.stops(at: $0) } ?? length
                        if scan.end(in: window, from: start) != expected {
                            Issue.record("\(scan) of \(byte) at \(place) of \(length)")
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: [false, true])
    func `marks flag what a look at every byte would, whatever the byte and place`(
        withoutAVX2: Bool
    ) {
        let guarded = GuardedBytes()
        for length in [64, 65, 95, 127, 128, 129, 191, 192, 200, 255, 256, 257, 575, 576] {
            for byte in UInt8.min...UInt8.max {
                // At the beginning, the end and somewhere.
                for place in [0, 31, 32, 63, length / 2, length - 3, Int(byte) % length] {
                    var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: length)
                    bytes[place] = byte
                    let window = ByteWindow(guarded.place(bytes).baseAddress!, end: length)
                    var marks = [UInt64](repeating: 0, count: LineMarks.wordsMax)
                    window.markTextStops(withoutAVX2: withoutAVX2, &marks)
                    var textStops = bytes.map { $0 < 0x20 || $0 >= 0x7F }
                    textStops[length - 2] = true
                    let isRight = stride(from: 0, to: length, by: 64).allSatisfy { start in
                        marks[start / 64]
                            == mask(Array(textStops[start..<min(start + 64, length)]))
                    }
                    if !isRight { Issue.record("\(byte) at \(place) of \(length)") }
                }
            }
        }
    }

    private func mask(_ flags: [Bool]) -> UInt64 {
        flags.enumerated().reduce(0) { $0 | ($1.element ? 1 << UInt64($1.offset) : 0) }
    }

    private enum Scan: CaseIterable {
        case token, fieldText, path, query, registeredName, label, semicolon

        func end(in window: ByteWindow, from start: Int) -> Int {
            switch self {
            case .token: window.endOfToken(from: start)
            case .fieldText: window.endOfFieldText(from: start)
            case .path: window.endOfTarget(from: start, inPath: true)
            case .query: window.endOfTarget(from: start, inPath: false)
            case .registeredName: window.endOfRegisteredName(from: start)
            case .label: window.endOfLabel(from: start)
            case .semicolon: window.firstIndex(of: UInt8(ascii: ";"), from: start)
            }
        }

        func stops(at byte: UInt8) -> Bool {
            let isAlphanumeric =
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            switch self {
            case .token: return !isAlphanumeric && !"!#$%&'*+-.^_`|~".utf8.contains(byte)
            case .fieldText: return byte < 0x20 && byte != 0x09 || byte == 0x7F
            case .path: return Scan.query.stops(at: byte) || byte == UInt8(ascii: "?")
            case .query: return byte <= 0x20 || byte >= 0x7F || "\"#<>".utf8.contains(byte)
            case .registeredName:
                return !isAlphanumeric && !"-._~!$&'()*+,;=".utf8.contains(byte)
            case .label: return !isAlphanumeric && !"-_".utf8.contains(byte)
            case .semicolon: return byte == UInt8(ascii: ";")
            }
        }
    }
}
