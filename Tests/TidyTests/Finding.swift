/// A line that breaks a rule, and what to do instead.
struct Finding: Equatable, CustomStringConvertible {
    let path: String
    /// Counted from 1; 0 stands for the file as a whole.
    let line: Int
    let advice: String

    var description: String {
        line == 0 ? "\(path): \(advice)" : "\(path):\(line): \(advice)"
    }
}
