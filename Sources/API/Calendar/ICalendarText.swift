import Clicks

// iCalendar (RFC 5545) as text: content lines end with CRLF, are folded at 75 octets, and texts are
// escaped. What goes into a calendar is decided elsewhere.

/// Writes content lines.
struct ICalendarText {
    /// Octets of a line without its CRLF (section 3.1), with the blank that begins a folded one.
    static let lineOctetsMax = 75

    private(set) var bytes: [UInt8] = []

    /// A line whose value is written as it is: a date, a number, a URI.
    mutating func line(_ name: StaticString, _ value: String) {
        fold("\(name):" + ICalendarText.withoutControls(value, exceptLines: false))
    }

    /// A line whose value is TEXT (section 3.3.11).
    mutating func text(_ name: StaticString, _ value: String) {
        fold("\(name):" + ICalendarText.escaped(value))
    }

    /// A line whose value is a list of TEXTs.
    mutating func texts(_ name: StaticString, _ values: [String]) {
        fold("\(name):" + values.map(ICalendarText.escaped).joined(separator: ","))
    }

    /// Cut between characters: a reader that joins lines after decoding them would otherwise find
    /// halves.
    private mutating func fold(_ line: String) {
        var octets = 0
        for scalar in line.unicodeScalars {
            let width = UTF8.width(scalar)
            if octets + width > ICalendarText.lineOctetsMax {
                bytes += [0x0D, 0x0A, 0x20]
                octets = 1
            }
            bytes += UTF8.encode(scalar)!
            octets += width
        }
        bytes += [0x0D, 0x0A]
    }

    static func escaped(_ text: String) -> String {
        var result = ""
        for character in withoutControls(text, exceptLines: true).unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case ";": result += "\\;"
            case ",": result += "\\,"
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    /// Control characters have no place in a value (section 3.1); any line break is one `\n`.
    private static func withoutControls(_ text: String, exceptLines: Bool) -> String {
        var result = String.UnicodeScalarView()
        var wasReturn = false
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0D where exceptLines: result.append("\n")
            case 0x0A where exceptLines: if !wasReturn { result.append("\n") }
            case 0x09: result.append(scalar)
            case 0x00...0x1F, 0x7F: break
            default: result.append(scalar)
            }
            wasReturn = scalar.value == 0x0D
        }
        return String(result)
    }

    /// DATE-TIME in UTC (form 2 of section 3.3.5): `20261121T090000Z`. No time zone has to be
    /// described then, and each reader shows it in its own.
    static func utc(_ time: Timestamp) -> String {
        let text = time.rfc3339(offsetMinutes: 0)
        return String(text.prefix(19).filter { $0 != "-" && $0 != ":" }) + "Z"
    }
}
