// `environ` is a C global, which Swift cannot prove free of races: hence @preconcurrency, and the
// rule below. It avoids Foundation, which Edge and Ingest do without.
@preconcurrency import Glibc

/// The environment the process was started with.
package enum ProcessEnvironment {
    /// A copy of all variables, the first of equal names. Call it before the first thread starts
    /// and never call setenv(3): the C library does not guard its table.
    package static func current() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let line = String(cString: text)
            if let equals = line.firstIndex(of: "=") {
                let name = String(line[..<equals])
                let value = String(line[line.index(after: equals)...])
                variables[name] = variables[name] ?? value
            }
            entry += 1
        }
        return variables
    }
}
