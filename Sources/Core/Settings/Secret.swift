/// A value that must not reach a log, an error or a terminal: however it is described, three dots
/// come out. Only `text` and `bytes` give it away, so a search for them finds every use.
package struct Secret: Sendable, Equatable {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    package var bytes: [UInt8] { Array(text.utf8) }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "•••" }
    package var debugDescription: String { description }
    /// `dump` and the default description of a struct that holds a secret look in here.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
