// HOT: once a click. Measured by the spool's bench, and Benchmarks/Edge, every row.
//
// Invariant: from the start to `next` there are `records` whole records.
import Clicks

/// The records that a writer gathers for its next frame. Confined to the writer's thread, and valid
/// as long as the writer.
///
/// What it counts lies in memory of its own: a look at a property of the writer, which is a class,
/// would be checked each time, and not be made part of another module's code. There a click that is
/// added need not be put together first: its parts go from the registers to the frame.
public struct FrameBuffer {
    @usableFromInline
    struct State {
        /// Where the next record begins.
        @usableFromInline var next: UnsafeMutableRawPointer
        /// Where the last one may begin, for a record of any length to fit.
        @usableFromInline let last: UnsafeMutableRawPointer
        @usableFromInline var records = 0
    }

    @usableFromInline let state: UnsafeMutablePointer<State>
    @usableFromInline let numbers: TextNumbers
    private let start: UnsafeMutableRawPointer

    /// - Parameters:
    ///   - start: where the first record begins.
    ///   - bytes: at least ``SpoolFormat/recordBytesMax``.
    init(_ start: UnsafeMutableRawPointer, bytes: Int, numbers: TextNumbers) {
        self.start = start
        self.numbers = numbers
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(next: start, last: start + bytes - SpoolFormat.recordBytesMax))
    }

    func deallocate() {
        state.deallocate()
    }

    var records: Int { state.pointee.records }
    /// All of them.
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: start, count: state.pointee.next - start)
    }

    /// Whether so many of the longest clicks still fit.
    func hasRoom(for records: Int) -> Bool {
        let state = state.pointee
        return state.last - state.next >= (records - 1) * SpoolFormat.recordBytesMax
    }

    /// Has what is known of two texts fetched, for an ``append(_:_:)`` that comes soon.
    @inlinable
    @inline(always)
    public func prefetch(userAgentKey: UInt64, refererKey: UInt64) {
        numbers.prefetch(key: userAgentKey)
        numbers.prefetch(key: refererKey)
    }

    /// Adds a click, its texts cut to their bounds.
    ///
    /// - Returns: false if there is no room: commit, then append again.
    @inlinable
    @inline(always)
    public func append(_ click: Click, _ texts: ClickTexts) -> Bool {
        guard state.pointee.next <= state.pointee.last else { return false }
        let channel = texts.channel.cut(to: ClickTexts.channelBytesMax)
        var writer = RecordWriter(state.pointee.next)
        writer.put(click, channelBytes: channel.count)
        writer.put(
            userAgent: numbers.place(
                texts.userAgent, bytesMax: ClickTexts.userAgentBytesMax, key: texts.userAgentKey))
        writer.put(
            referer: numbers.place(
                texts.referer, bytesMax: ClickTexts.refererBytesMax, key: texts.refererKey))
        writer.put(channel: channel)
        state.pointee.next = writer.next
        state.pointee.records &+= 1
        return true
    }

    /// Adds a record whose texts have their numbers; there is room for it.
    func add(_ record: SpoolRecord) {
        state.pointee.next = RecordWriter.write(record, to: state.pointee.next)
        state.pointee.records += 1
    }

    func clear() {
        state.pointee.next = start
        state.pointee.records = 0
    }
}
