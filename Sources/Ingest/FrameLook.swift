// HOT: once a click; measured by Benchmarks/Ingest. A click is looked up in four tables that are
// larger than the nearest caches, and waiting for memory was most of what it cost. So a frame's
// clicks are gone through some at a time, and what the next step will look at is sent for in the
// step before.

import Clicks
import Spool

/// Some clicks of a frame on their way into a batch. Confined to one thread.
final class FrameLook {
    struct Line {
        let key: WordTable.Key
        let amount: Int64
        /// As ``WordTable/fetch(_:)`` has said.
        let hash: UInt64
    }

    struct Entry {
        let click: Click
        /// Borrowed from the frame.
        let texts: ClickTexts
        var line: Line
    }

    /// Memory has answered the first when the last is sent for.
    private static let clicksMax = 16

    private let entries = UnsafeMutablePointer<Entry>.allocate(capacity: clicksMax)
    private(set) var count = 0

    deinit { entries.deallocate() }

    subscript(_ index: Int) -> Entry {
        _read { yield entries[index] }
        _modify { yield &entries[index] }
    }

    /// Takes the next clicks, and has their texts' places fetched.
    /// - Returns: false if these were the last.
    @inline(__always)
    func fill(
        from rest: inout SpoolFrame.Iterator, _ userAgents: TextPlaces, _ referers: TextPlaces
    ) -> Bool {
        count = 0
        while count < FrameLook.clicksMax {
            guard let (click, texts) = rest.next() else { return false }
            userAgents.fetch(key: texts.userAgentKey)
            referers.fetch(key: texts.refererKey)
            (entries + count).initialize(
                to: Entry(
                    click: click, texts: texts,
                    line: Line(key: (0, 0, 0, 0), amount: 0, hash: 0)))
            count += 1
        }
        return true
    }
}
