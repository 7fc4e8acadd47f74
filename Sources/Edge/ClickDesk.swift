// HOT: one call a request. Bench: Benchmarks/Edge, every row.
//
// What a request comes to: which link it names, what is thought of the click, what is written down
// and what is answered. Everything is decided here, nothing is sent here.
//
// The answer never shows the verdict: valid, duplicate and rejected clicks get the same bytes, but
// for the two that need another (a closed gonggu's page, and a prefetch that must come back).

import Clicks
import Guards
import Judging
import Links
import Spool
import Wire

/// Decides requests for one worker. Confined to its thread, but for the shared window.
struct ClickDesk {
    /// What the connection does after the answer.
    enum Next {
        /// Goes on behind so many bytes.
        case request(consumed: Int)
        /// Waits for more of this request, of which the parser has looked at so many bytes.
        case more(seenBytes: Int)
        /// Ends after the answer. `lingers`: unread bytes may follow, which would destroy it.
        case close(lingers: Bool)
    }

    struct Outcome {
        let answerBytes: Int
        let next: Next
    }

    /// No answer is longer, headers and body together.
    static let answerBytesMax = Responses.bytesMax
    static let bodyBytesMax = ClickReport.bodyBytesMax

    private let visitors: VisitorKey
    private let dedupe: DedupeWindow
    private let pageURL: [UInt8]
    private var random: RandomWords
    private var links: LinkTable?
    private var now = Timestamp(microseconds: 0)
    private var date = DateLine()
    private var isDraining = false
    private var head = RequestHead()
    private var scratch: UnsafeMutableRawBufferPointer

    init(visitorKey: [UInt8], dedupe: DedupeWindow, frontendURL: String, links: LinkTable?) {
        fatalError()
    }
}
