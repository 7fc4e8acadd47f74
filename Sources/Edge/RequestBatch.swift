// HOT: every request passes through here. Bench: Benchmarks/Edge.

import Clicks
import Guards
import Links
import Wire

/// What a connection has sent, where it lies until it is read.
struct Arrival {
    let connection: ConnectionPlace
    /// Of the connection when it was received.
    let generation: UInt32
    let bytes: UnsafeRawBufferPointer
}

/// What reading a connection's bytes came to.
enum Reading {
    /// The request is whole; the next one begins behind so many bytes.
    case whole(consumed: Int)
    /// The request is whole, or at fault, and the connection's last. `lingers`: bytes may follow
    /// that nobody reads, and a socket closed over unread bytes takes back what was sent.
    case last(lingers: Bool)
    /// The rest is still to come; the parser has looked at so many bytes.
    case more(seenBytes: Int)
    /// The rest comes once the client has been answered that it may.
    case moreAfterAnswer
}

/// A request that was read and waits to be answered. Plain memory, but too much of it to be copied:
/// it is handed on by its place in the batch. Its bytes are the worker's.
struct ReadRequest {
    /// What is to be done about it.
    enum Errand: Equatable {
        case follow
        case report
        case robots
        /// `100 Continue`, and nothing else.
        case proceed
        case refuse(ErrorAnswer)
    }

    var errand = Errand.proceed
    var head = RequestHead()
    var headBytes = 0
    /// Head and body; it was parsed here. Empty until it was read.
    var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
    var keepAlive = false
    /// The label of a followed link.
    var channel = ByteRange.absent
    /// Of a followed link: nil if no link can have its name. Nil for all other errands.
    var link: LinkQuery?
    /// What the dedupe window goes by, of a link that is followed by its id; else 0.
    var pair: UInt64 = 0
    /// Where the flood guard has the visitor's address, if it was asked.
    var floodHint: FloodHint?
    /// Of a followed link and of a report.
    var visitor = Visitor(
        address: NetworkAddress(high: 0, low: 0), userID: .anonymous, isAdmin: false,
        agentDigest: 0, key: 0, addressKey: 0)
    /// What stands for the referer in the spool.
    var refererKey: UInt64 = 0

    // Set by the worker.

    /// Nil until it was read.
    var connection: ConnectionPlace?
    /// Of the connection when it asked; another generation has no right to the answer.
    var generation: UInt32 = 0
    /// From the request's first byte to the last that has arrived on the connection.
    var received = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The connection's last request.
    var isLast = false
    var lingers = false
}

/// The requests of a turn that were read and are not answered yet, in the order of their arrival.
/// Confined to its worker.
struct RequestBatch: ~Copyable {
    /// More do not make look-ups any faster; their entries fill a processor's first cache.
    static let countMax = 64

    /// The first request; the others follow.
    let start: UnsafeMutablePointer<ReadRequest>
    /// Behind the last one.
    private(set) var end: UnsafeMutablePointer<ReadRequest>
    /// The first one that had no second step of fetching yet.
    private var unfetched: UnsafeMutablePointer<ReadRequest>
    private let limit: UnsafeMutablePointer<ReadRequest>

    init() {
        start = .allocate(capacity: RequestBatch.countMax)
        start.initialize(repeating: ReadRequest(), count: RequestBatch.countMax)
        end = start
        unfetched = start
        limit = start + RequestBatch.countMax
    }

    deinit {
        start.deallocate()
    }

    var count: Int { end - start }
    var isFull: Bool { end == limit }

    /// Where the next request is read to, of which nothing is known. There is room for it.
    var next: UnsafeMutablePointer<ReadRequest> {
        precondition(!isFull, "a full batch is answered first")
        return end
    }

    /// Takes the request that was read to ``next``.
    @inline(always)
    mutating func add(
        connection: ConnectionPlace, generation: UInt32, received: UnsafeRawBufferPointer,
        isLast: Bool = false, lingers: Bool = false
    ) {
        let request = end
        request.pointee.connection = connection
        request.pointee.generation = generation
        request.pointee.received = received
        request.pointee.isLast = isLast
        request.pointee.lingers = lingers
        end += 1
    }

    /// The request whose second step of fetching is next; nil if no more than so many wait for it.
    @inline(always)
    mutating func takeUnfetched(downTo unfetchedCount: Int) -> UnsafeMutablePointer<ReadRequest>? {
        guard unfetched + unfetchedCount < end else { return nil }
        defer { unfetched += 1 }
        return unfetched
    }

    mutating func clear() {
        end = start
        unfetched = start
    }
}
