// HOT
// Where the lines of a head may end, for many lines at once: one call marks every byte of a slice
// that ends text, and the walk over the lines takes one mark after the other. To look for each
// line's end on its own would begin and end a loop over blocks for each.
//
// Measured: 576 bytes are 123 instructions by AVX2, 330 without it.

import CScan

/// The marks of a slice of a window. Lives inside one call of the parser, whose stack has its
/// words.
///
/// Invariant: marks before the line that is read are taken; the last but one byte of the slice is
/// marked, whatever it is. So, with a line that begins ``lineBytesMin`` or more before ``end``,
/// there is always another mark, and two bytes to be read at it.
struct LineMarks {
    /// How much of a line must lie in the slice, which is also how far its name is read blindly.
    static var lineBytesMin: Int { 24 }
    /// How much of a head must have arrived for marks to be worth while, and for its request line
    /// to be read blindly up to 16 bytes behind an identifier of ``LinkTarget/idBytesMax``.
    static var headBytesMin: Int { 96 }

    static var wordsMax: Int { Int(CSCAN_SLICE_BYTES_MAX) / 64 }

    /// The slice's end; 0 without a slice.
    private(set) var end: Int

    private let words: UnsafeMutablePointer<UInt64>
    private var start: Int
    /// The word that marks are taken of, which of its marks are left, and its first byte's offset.
    private var word: UnsafeMutablePointer<UInt64>
    private var left: UInt64
    private var offset: Int

    /// The marks of the window's beginning, if that has ``headBytesMin``; else without a slice.
    ///
    /// - Parameter words: room for ``wordsMax``.
    @inline(always)
    init(_ words: UnsafeMutablePointer<UInt64>, of window: ByteWindow) {
        self.words = words
        word = words
        start = 0
        offset = 0
        left = 0
        end = 0
        guard window.end >= LineMarks.headBytesMin else { return }
        end = LineMarks.sliceEnd(from: 0, in: window)
        window.markTextStops(from: 0, to: end, words)
        left = word.pointee
    }

    /// A slice that begins where a line does, at `index`; none if too little of the window is left.
    @inline(never)
    private init(at index: Int, in window: ByteWindow, _ words: UnsafeMutablePointer<UInt64>) {
        self.words = words
        word = words
        start = index
        offset = index
        left = 0
        end = 0
        let isWorthWhile =
            window.end >= LineMarks.headBytesMin
            && index &+ LineMarks.lineBytesMin <= window.end
        guard isWorthWhile else { return }
        end = LineMarks.sliceEnd(from: index, in: window)
        window.markTextStops(from: index, to: end, words)
        left = word.pointee
    }

    @inline(always)
    private static func sliceEnd(from start: Int, in window: ByteWindow) -> Int {
        let limit = start &+ Int(CSCAN_SLICE_BYTES_MAX)
        return limit < window.end ? limit : window.end
    }

    /// The marks from `index` on, which is behind all that were taken, in this slice or another.
    @inline(never)
    func resumed(at index: Int, in window: ByteWindow) -> LineMarks {
        guard index &+ LineMarks.lineBytesMin <= end else {
            // Where the slice ends with the window, a new one would be no better.
            return end < window.end ? LineMarks(at: index, in: window, words) : self
        }
        let skipped = index &- start
        var resumed = self
        resumed.word = words + skipped / 64
        resumed.left = resumed.word.pointee & (~0 &<< UInt64(truncatingIfNeeded: skipped))
        resumed.offset = index &- skipped % 64
        return resumed
    }

    /// The next byte that may end a line's text: no printable ASCII.
    @inline(always)
    mutating func next() -> Int {
        advance()
        return offset &+ left.trailingZeroBitCount
    }

    /// Takes the mark that ``next()`` told of and the one right behind it.
    @inline(always)
    mutating func takeTwo() {
        left &= left &- 1
        advance()
        left &= left &- 1
    }

    @inline(always)
    private mutating func advance() {
        while left == 0 {
            word += 1
            left = word.pointee
            offset &+= 64
        }
    }
}

extension ByteWindow {
    /// The proof that nothing here allocates or locks cannot look into C; what it would see there
    /// is one loop without a call.
    @_semantics("no_performance_analysis")
    @inline(always)
    fileprivate func markTextStops(
        from start: Int, to limit: Int, _ words: UnsafeMutablePointer<UInt64>
    ) {
        assert(start >= 0 && start < limit && limit <= end && limit >= 64, "a slice of the window")
        cscan_mark_text_stops(base.assumingMemoryBound(to: UInt8.self), start, limit, words)
    }

    /// Marks a window of 64 bytes to a slice as this processor does it or as every processor can;
    /// the tests compare the two.
    func markTextStops(withoutAVX2: Bool, _ words: UnsafeMutablePointer<UInt64>) {
        guard withoutAVX2 else { return markTextStops(from: 0, to: end, words) }
        cscan_mark_text_stops_by_16(base.assumingMemoryBound(to: UInt8.self), 0, end, words)
    }
}
