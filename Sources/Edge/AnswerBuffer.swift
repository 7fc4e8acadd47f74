// HOT: every answer passes through here. Bench: Benchmarks/Edge.
//
// The answers of one turn, one after the other, until the turn's records are durable and they
// may go out. Each span belongs to one connection; a connection's answers within a turn are
// adjacent, so pipelined requests leave in one send.

/// The answers waiting for their records to be written. Confined to its worker.
struct AnswerBuffer: ~Copyable {
    /// Answers for one connection, in the order of its requests.
    struct Span {
        let connection: ConnectionPlace
        /// Of the connection when it asked; another generation has no right to the answer.
        let generation: UInt32
        let start: Int
        var end: Int
    }

    private let bytes: UnsafeMutableRawPointer
    private let spans: UnsafeMutablePointer<Span>
    private(set) var count = 0
    private(set) var spanCount = 0

    static let bytesMax = 1 << 20
    static let spansMax = 4096

    init() {
        bytes = .allocate(byteCount: AnswerBuffer.bytesMax, alignment: 64)
        // Touches every page now, so that no click waits for one later.
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: AnswerBuffer.bytesMax)
        spans = .allocate(capacity: AnswerBuffer.spansMax)
    }

    deinit {
        bytes.deallocate()
        spans.deallocate()
    }

    /// Whether one more answer of at most so many bytes fits, for any connection.
    @inline(always)
    func hasRoom(for bytesMax: Int) -> Bool {
        AnswerBuffer.bytesMax &- count >= bytesMax && spanCount < AnswerBuffer.spansMax
    }

    /// The bytes that the last span has, if it is this connection's.
    @inline(always)
    func lastBytes(connection: ConnectionPlace, generation: UInt32) -> Int {
        guard spanCount > 0 else { return 0 }
        let last = spans[spanCount &- 1]
        guard last.connection == connection, last.generation == generation else { return 0 }
        return last.end &- last.start
    }

    /// Where the next answer is written; as large as ``hasRoom(for:)`` agreed to, or larger.
    var room: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: bytes + count, count: AnswerBuffer.bytesMax &- count)
    }

    /// Gives the bytes just written at the start of ``room`` to a connection.
    ///
    /// - Parameter pending: what ``lastBytes(connection:generation:)`` says of it.
    @inline(always)
    mutating func add(
        _ written: Int, connection: ConnectionPlace, generation: UInt32, pending: Int
    ) {
        precondition(written <= AnswerBuffer.bytesMax &- count, "room is asked for first")
        if pending > 0 {
            spans[spanCount &- 1].end &+= written
        } else {
            spans[spanCount] = Span(
                connection: connection, generation: generation, start: count,
                end: count &+ written)
            spanCount &+= 1
        }
        count &+= written
    }

    func span(_ number: Int) -> (Span, UnsafeRawBufferPointer) {
        let span = spans[number]
        return (
            span, UnsafeRawBufferPointer(start: bytes + span.start, count: span.end &- span.start)
        )
    }

    mutating func clear() {
        count = 0
        spanCount = 0
    }
}
