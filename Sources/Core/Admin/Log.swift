import Glibc
import Linux

/// Lines for the operator on standard error: time, level, event, then `name=value` pairs. For what
/// happens seldom; nothing that a client can repeat at will is logged, it is counted.
package enum Log {
    package static func info(_ event: String, _ details: [(String, String)] = []) {
        write("info", event, details)
    }

    package static func warning(_ event: String, _ details: [(String, String)] = []) {
        write("warning", event, details)
    }

    package static func error(_ event: String, _ details: [(String, String)] = []) {
        write("error", event, details)
    }

    /// Runs what a side thread is for; if it fails, that is said once and the process goes on.
    package static func endOf(_ what: String, _ body: () throws -> Void) {
        do {
            try body()
        } catch {
            Log.error("\(what) ended", [("reason", "\(error)")])
        }
    }

    private static func write(_ level: String, _ event: String, _ details: [(String, String)]) {
        var line = "\(timeText(Clock.now())) \(level) \(event)"
        for (name, value) in details { line += " \(name)=\(quoted(value))" }
        line += "\n"
        // One write(2), so that lines of several threads do not mix. Nobody is told if it fails:
        // standard error is the last resort itself.
        var text = line
        text.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// RFC 3339 in UTC with milliseconds.
    package static func timeText(_ microseconds: Int64) -> String {
        var seconds = time_t(microseconds / 1_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ value: Int32, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let milliseconds = Int32(microseconds % 1_000_000 / 1000)
        return padded(parts.tm_year + 1900, 4) + "-" + padded(parts.tm_mon + 1, 2) + "-"
            + padded(parts.tm_mday, 2) + "T" + padded(parts.tm_hour, 2) + ":"
            + padded(parts.tm_min, 2) + ":" + padded(parts.tm_sec, 2) + "."
            + padded(milliseconds, 3) + "Z"
    }

    /// As it is when plain; otherwise in quotes, with what could end the line escaped.
    static func quoted(_ value: String) -> String {
        let isPlain = value.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=")
        }
        if isPlain && !value.isEmpty { return value }
        var result = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
