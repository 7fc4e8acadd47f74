// HOT: opened, touched and closed on the path of a click. Bench: Benchmarks/Edge.
//
// A worker's connections live in one block of memory made at start, and one is named by its place
// there. Each is on exactly one of four lists by what is waited for. Every list has one patience
// for all its members, and a member goes to the end when its wait begins, so the first of a list is
// always the next to run out: no timers, no wheel, and the one to evict at the cap is first of one
// of four.
//
// Invariant: a connection in use is on the list of its `wait`; a free one is on none.

import Clicks
import Linux
import TLS

/// What a connection is waiting for, and so how long it may.
enum Wait: Int, CaseIterable {
    /// For the next request to begin.
    case idle
    /// For a request that has begun to be complete.
    case request
    /// For the peer to take the rest of an answer.
    case drain
    /// For the peer to read the last answer and close: closing at once could destroy it.
    case linger
}

/// How long each wait may take, in microseconds. Nobody would turn these, but tests do.
struct Patience {
    /// Browsers keep a connection for a minute or two; much longer only costs us memory.
    var idleMicroseconds: Int64 = 75_000_000
    /// From a request's first byte to its last.
    var requestMicroseconds: Int64 = 10_000_000
    /// Between two bytes that the peer takes.
    var drainMicroseconds: Int64 = 30_000_000
    var lingerMicroseconds: Int64 = 2_000_000
    /// How long requests under way may take to finish after SIGTERM.
    var farewellMicroseconds: Int64 = 5_000_000
    /// How long a silent connection stays after SIGTERM.
    var partingMicroseconds: Int64 = 500_000
    /// How exactly the silence of a connection is known.
    var idleGrainMicroseconds: Int64 { min(8000, idleMicroseconds / 256) }
}

/// What stands between a connection's bytes and its requests.
enum Transport: UInt8 {
    /// Nothing.
    case plain
    /// A PROXY header, which has not come whole yet.
    case proxied
    /// The same, and then a handshake.
    case proxiedSecure
    /// A TLS handshake that is not complete.
    case shaking
    /// TLS.
    case secure
}

/// One client's connection. Plain memory: whoever closes it frees `carry`, `unsent` and `session`.
struct Connection {
    var raw: Int32 = -1
    /// Rises with each use of the place, so that an event for its last user is known as stale.
    var generation: UInt32 = 0
    var wait = Wait.idle
    /// Whether the connection ends with the last byte of `unsent`, or of the turn's answer.
    var closesAfterAnswer = false
    /// Whether its end waits for the peer, because bytes may be under way that nobody will read.
    var lingers = false
    var transport = Transport.plain
    /// Whether the TLS client has no ticket yet to resume by.
    var owesTicket = false
    /// Whether the TLS client has said that it sends nothing more.
    var peerHasEnded = false
    var address = NetworkAddress(high: 0, low: 0)
    /// Whether the address is a trusted proxy's.
    var isTrusted = false
    /// When the wait began, monotonic microseconds.
    var waitingSince: Int64 = 0
    var previous: Int32 = -1
    var next: Int32 = -1
    /// The beginning of a request whose rest has not arrived; nil nearly always.
    var carry = Leftover()
    /// How much of `carry` the parser has looked at.
    var seenBefore: Int32 = 0
    /// The rest of an answer that the peer's window had no room for; nil nearly always.
    var unsent = Leftover()
    /// Nil until a client of the TLS listener has begun to speak.
    var session: TLSSession?
}

/// Bytes that outlive a turn, on the heap: the exception, not the path.
struct Leftover {
    private(set) var start: UnsafeMutableRawPointer?
    private(set) var count = 0

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    mutating func keep(_ bytes: UnsafeRawBufferPointer) {
        let old = start
        start = nil
        if !bytes.isEmpty {
            start = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 1)
            start!.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
        }
        count = bytes.count
        // Last, since the bytes kept may be a part of the old ones.
        old?.deallocate()
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        let whole = UnsafeMutableRawPointer.allocate(
            byteCount: count + bytes.count, alignment: 1)
        if let start { whole.copyMemory(from: start, byteCount: count) }
        if let added = bytes.baseAddress {
            (whole + count).copyMemory(from: added, byteCount: bytes.count)
        }
        start?.deallocate()
        start = whole
        count += bytes.count
    }

    mutating func drop() {
        start?.deallocate()
        start = nil
        count = 0
    }
}

/// Where a connection is, for as long as the worker lives. A place has one connection after the
/// other: who comes back to one later compares the generation.
typealias ConnectionPlace = UnsafeMutablePointer<Connection>

/// All connections of one worker, confined to its thread.
struct Connections: ~Copyable {
    private let places: ConnectionPlace
    let countMax: Int
    private(set) var count = 0
    /// Places not in use, linked by `next`.
    private var firstFree: Int32
    private var firsts: UnsafeMutablePointer<Int32>
    private var lasts: UnsafeMutablePointer<Int32>
    private var counts: UnsafeMutablePointer<Int32>
    let idleGrainMicroseconds: Int64

    /// - Parameter idleGrainMicroseconds: so much too soon may an idle connection's patience seem
    ///   to have run out, see ``stayIdle(_:now:)``.
    init(countMax: Int, idleGrainMicroseconds: Int64) {
        precondition(countMax > 0 && countMax < Int32.max, "an index has 31 bits")
        self.countMax = countMax
        self.idleGrainMicroseconds = idleGrainMicroseconds
        places = .allocate(capacity: countMax)
        places.initialize(repeating: Connection(), count: countMax)
        for index in 0..<countMax {
            places[index].next = index + 1 < countMax ? Int32(index + 1) : -1
        }
        firstFree = 0
        firsts = .allocate(capacity: Wait.allCases.count)
        firsts.initialize(repeating: -1, count: Wait.allCases.count)
        lasts = .allocate(capacity: Wait.allCases.count)
        lasts.initialize(repeating: -1, count: Wait.allCases.count)
        counts = .allocate(capacity: Wait.allCases.count)
        counts.initialize(repeating: 0, count: Wait.allCases.count)
    }

    deinit {
        places.deallocate()
        firsts.deallocate()
        lasts.deallocate()
        counts.deallocate()
    }

    /// The place of an index.
    subscript(index: Int) -> ConnectionPlace {
        precondition(UInt(bitPattern: index) < UInt(bitPattern: countMax), "an index names a place")
        return places + index
    }

    func index(of place: ConnectionPlace) -> Int { place - places }

    /// Takes a place, idle. Nil when all are in use: evict or refuse.
    mutating func open(_ raw: Int32, address: NetworkAddress, now: Int64) -> ConnectionPlace? {
        guard firstFree >= 0 else { return nil }
        let place = places + Int(firstFree)
        firstFree = place.pointee.next
        let generation = place.pointee.generation &+ 1
        place.pointee = Connection()
        place.pointee.raw = raw
        place.pointee.generation = generation
        place.pointee.address = address
        count += 1
        append(place, to: .idle, now: now)
        return place
    }

    /// Gives the place back and frees what it kept. The descriptor is the caller's to close.
    mutating func close(_ place: ConnectionPlace) {
        unlink(place)
        place.pointee.carry.drop()
        place.pointee.unsent.drop()
        place.pointee.raw = -1
        place.pointee.next = firstFree
        firstFree = Int32(index(of: place))
        count -= 1
    }

    /// Begins a wait: its patience counts from now.
    mutating func begin(_ wait: Wait, _ place: ConnectionPlace, now: Int64) {
        unlink(place)
        append(place, to: wait, now: now)
    }

    /// Begins to wait for the next request. Who has begun to so recently that the difference does
    /// not matter stays where it is: with a request a millisecond, most do.
    @inline(always)
    mutating func stayIdle(_ place: ConnectionPlace, now: Int64) {
        if case .idle = place.pointee.wait,
            now &- place.pointee.waitingSince < idleGrainMicroseconds
        {
            return
        }
        begin(.idle, place, now: now)
    }

    /// The connection that has waited longest for something; nil if none does.
    func longestWaiting(for wait: Wait) -> (connection: ConnectionPlace, since: Int64)? {
        let first = firsts[wait.rawValue]
        guard first >= 0 else { return nil }
        let place = places + Int(first)
        return (place, place.pointee.waitingSince)
    }

    /// How many wait for something.
    func count(of wait: Wait) -> Int { Int(counts[wait.rawValue]) }

    private mutating func append(_ place: ConnectionPlace, to wait: Wait, now: Int64) {
        let index = Int32(index(of: place))
        place.pointee.wait = wait
        place.pointee.waitingSince = now
        place.pointee.next = -1
        place.pointee.previous = lasts[wait.rawValue]
        if place.pointee.previous >= 0 {
            places[Int(place.pointee.previous)].next = index
        } else {
            firsts[wait.rawValue] = index
        }
        lasts[wait.rawValue] = index
        counts[wait.rawValue] &+= 1
    }

    private mutating func unlink(_ place: ConnectionPlace) {
        let (previous, next) = (place.pointee.previous, place.pointee.next)
        let wait = place.pointee.wait.rawValue
        counts[wait] &-= 1
        if previous >= 0 {
            places[Int(previous)].next = next
        } else {
            firsts[wait] = next
        }
        if next >= 0 {
            places[Int(next)].previous = previous
        } else {
            lasts[wait] = previous
        }
    }
}
