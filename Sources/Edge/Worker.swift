// HOT: from epoll_wait returning to the next. Bench: Benchmarks/Edge, every row.
//
// One worker, one thread, one epoll, one listener of the shared port, one spool segment. A turn:
//
//   wait → receive → read → judge and answer → one write of all records → send
//
// so that no answer leaves before its record is in the kernel's hands, and `kill -9` at any point
// loses no answered click. Workers share three things, each a type that says how: the dedupe
// window, the link table (immutable, replaced whole) and the spool folder's name.

import Clicks
import Linux
import Spool
import TLS

/// Serves connections until told to drain. Confined to one thread.
///
/// A struct, because each access to a class's property is checked for exclusivity when it happens:
/// some thirty calls into the runtime a request.
struct Worker: ~Copyable {
    private let listener: Listener
    let epoll: Epoll
    private let inbox: WorkerInbox
    let metrics: WorkerMetrics
    private let turns: TurnMetrics
    let spool: SpoolWriter
    var memory: WorkerMemory
    var desk: ClickDesk
    var connections: Connections
    var answers = AnswerBuffer()
    /// What arrives in a turn, one connection's behind the other's, until it is answered.
    let arrivals: UnsafeMutableRawPointer
    var arrivedBytes = 0
    /// Whose they are, until they are read.
    let unread: UnsafeMutablePointer<Arrival>
    var unreadCount = 0
    var batch = RequestBatch()
    /// The connection whose window was found to be full, while a batch is answered.
    var held: ConnectionPlace?
    var entrance: Entrance
    let wire = TLSWire()
    private let events: UnsafeMutableBufferPointer<Epoll.Event>
    /// UTC, for clicks.
    private var now: Int64 = 0
    /// Never steps, for waits.
    private(set) var moment: Int64 = 0
    private var drainsUntil: Int64?
    private var isListening = true
    /// No accepts before this moment: descriptors have run out. 0 while listening.
    private var acceptsFrom: Int64 = 0
    private var patience: Patience
    /// ``Epoll/Interest/read``, at hand.
    private let arrivalAlone = Epoll.Interest.read.rawValue

    static let listenerToken = UInt64.max
    static let inboxToken = UInt64.max - 1
    static let secureListenerToken = UInt64.max - 2
    /// Those of connections are below.
    private static let ownTokens = UInt64.max - 2
    /// How many requests are read until what one of them needs has come from memory: reading one
    /// takes about as long as a line. Any from 4 to 16 will do.
    static let fetchDistance = 6
    static let eventsPerTurnMax = 512
    private static let acceptsPerTurnMax = 64
    /// Longest request twice over, so that a read after a carried beginning is never tiny.
    static let inputBytes = 65_536
    /// Of all connections in one turn; more of them wait until these are answered. No more, so that
    /// what has arrived is still in the processor's caches when it is read.
    static let arrivalBytesMax = 2 * inputBytes
    /// A turn comes at least so often, to see to waits that have run out.
    private static let turnMilliseconds: Int32 = 250

    /// Answers of one connection in one turn; more of them wait until these are sent, so that a
    /// peer that asks and does not read costs so much and one answer, not megabytes.
    static let answersPerTurnBytesMax = 65_536
    /// Descriptors that have run out are tried again so often.
    private static let acceptPauseMicroseconds: Int64 = 50_000

    /// - Parameter epoll: hears the listener and the inbox already, by their tokens.
    init(
        listener: Listener, entrance: Entrance, inbox: WorkerInbox, epoll: consuming Epoll,
        desk: ClickDesk, spool: SpoolWriter, memory: WorkerMemory, metrics: WorkerMetrics,
        connectionsMax: Int,
        patience: Patience
    ) {
        self.memory = memory
        self.listener = listener
        self.entrance = entrance
        self.inbox = inbox
        self.desk = desk
        self.spool = spool
        self.metrics = metrics
        turns = metrics.turns
        self.patience = patience
        connections = Connections(
            countMax: connectionsMax, idleGrainMicroseconds: patience.idleGrainMicroseconds)
        self.epoll = epoll
        arrivals = .allocate(byteCount: Worker.arrivalBytesMax, alignment: 64)
        arrivals.initializeMemory(as: UInt8.self, repeating: 0, count: Worker.arrivalBytesMax)
        unread = .allocate(capacity: Worker.eventsPerTurnMax)
        events = .allocate(capacity: Worker.eventsPerTurnMax)
    }

    deinit {
        arrivals.deallocate()
        unread.deallocate()
        events.deallocate()
    }

    /// Serves until drained; then everything answered is in the spool and the segment is closed.
    mutating func run() {
        readClocks()
        while !isDrained {
            turn()
        }
        for index in 0..<connections.countMax where connections[index].pointee.raw >= 0 {
            close(connections[index])
        }
        while memory.collectAll(into: spool) { flush() }
        spool.close()
    }

    private var isDrained: Bool {
        guard let drainsUntil else { return false }
        return connections.count == 0 || moment >= drainsUntil
    }

    private mutating func readClocks() {
        now = Clock.now()
        moment = Clock.monotonic()
    }

    private mutating func turn() {
        let count = epoll.wait(into: events, timeoutMilliseconds: Worker.turnMilliseconds)
        readClocks()
        memory.beginTurn(now: now)
        metrics.count(.turns)
        desk.beginTurn(now: now)
        for number in 0..<count {
            let event = events[number]
            switch event.data.u64 {
            case ..<Worker.ownTokens: handle(event)
            case Worker.listenerToken: accept(listener)
            case Worker.secureListenerToken: accept(entrance.secureListener!)
            default: readInbox()
            }
        }
        readArrivals()
        giveUpWaiting()
        settle()
        arrivedBytes = 0
        if acceptsFrom > 0 && moment >= acceptsFrom { resumeListening() }
        spool.rotateIfDue(nowMicros: now)
        memory.collectDue(now: now, moment: moment, into: spool)
        flush()
        memory.endTurn()
        turns.note(events: count, from: moment, connections)
    }

    private mutating func readInbox() {
        inbox.signal.clear()
        let mail = inbox.take()
        if let links = mail.links {
            // Requests that were read ask the table of before.
            readArrivals()
            settle()
            desk.adopt(links)
            inbox.confirmAdoption()
        }
        if let credentials = mail.credentials { entrance.credentials = credentials }
        if mail.drains && drainsUntil == nil { beginDrain() }
    }

    /// Stops accepting, after taking what the kernel has already accepted for this listener. Who is
    /// silent gets a moment more: a request may be under way to us.
    private mutating func beginDrain() {
        for listener in [listener, entrance.secureListener] {
            guard let listener else { continue }
            for _ in 0..<Listener.backlogMax {
                guard acceptNext(listener) else { break }
            }
            epoll.remove(listener.raw)
            listener.stop()
        }
        isListening = false
        desk.beginDrain()
        drainsUntil = moment + patience.farewellMicroseconds
        patience.idleMicroseconds = patience.partingMicroseconds + patience.idleGrainMicroseconds
    }

    // MARK: Connections

    private mutating func accept(_ listener: Listener) {
        for _ in 0..<Worker.acceptsPerTurnMax where isListening {
            guard acceptNext(listener) else { return }
        }
    }

    /// - Returns: false if nobody waits, or nobody can be let in.
    private mutating func acceptNext(_ listener: Listener) -> Bool {
        var peer = PeerAddress()
        let raw = Socket.accept(listener.raw, peer: &peer)
        guard raw >= 0 else {
            if Socket.isOutOfDescriptors(raw) && !evict() { pauseListening() }
            return false
        }
        admit(Int32(raw), peer, isSecure: listener === entrance.secureListener)
        return true
    }

    private mutating func admit(_ raw: Int32, _ peer: PeerAddress, isSecure: Bool) {
        metrics.count(.connectionsAccepted)
        let address = NetworkAddress(high: peer.high, low: peer.low)
        if connections.count == connections.countMax { _ = evict() }
        guard let connection = connections.open(raw, address: address, now: moment) else {
            metrics.count(.connectionsRefused)
            Socket.close(raw)
            return
        }
        connection.pointee.isTrusted = desk.trusts(address)
        do throws(SystemError) {
            try epoll.add(raw, .arrivals, token: token(of: connection))
        } catch {
            // Out of kernel memory or watches: as if it had never been accepted.
            metrics.count(.connectionsRefused)
            return close(connection)
        }
        if isSecure || entrance.expectsProxyHeader {
            beginWrapped(connection, isSecure: isSecure)
        } else {
            // Its request mostly comes with the end of the handshake, and saves waiting for it.
            arrive(connection)
        }
    }

    /// Closes the connection that has waited longest, whatever for: at the bound the idle and the
    /// slow give way to newcomers, so that nobody can hold all places by being slow.
    ///
    /// - Returns: false if there is none whose answer does not still wait for this turn's end.
    private mutating func evict() -> Bool {
        // Whose request has just arrived has not waited at all.
        readArrivals()
        var oldest: (connection: ConnectionPlace, since: Int64)?
        for wait in Wait.allCases {
            guard var first = connections.longestWaiting(for: wait) else { continue }
            // Its last answer may be so much younger than its place in the queue says.
            if wait == .idle { first.since += connections.idleGrainMicroseconds }
            if first.since < oldest?.since ?? moment { oldest = first }
        }
        guard let oldest else { return false }
        metrics.count(.connectionsEvicted)
        close(oldest.connection)
        return true
    }

    /// With no descriptor left a ready listener would spin.
    private mutating func pauseListening() {
        guard isListening && acceptsFrom == 0 else { return }
        hearListeners([])
        acceptsFrom = moment + Worker.acceptPauseMicroseconds
    }

    private mutating func resumeListening() {
        acceptsFrom = 0
        if isListening { hearListeners(.read) }
    }

    private func hearListeners(_ interest: Epoll.Interest) {
        epoll.change(listener.raw, interest, token: Worker.listenerToken)
        guard let other = entrance.secureListener else { return }
        epoll.change(other.raw, interest, token: Worker.secureListenerToken)
    }

    func token(of connection: ConnectionPlace) -> UInt64 {
        UInt64(connection.pointee.generation) << 32 | UInt64(connections.index(of: connection))
    }

    @inline(always)
    private mutating func handle(_ event: Epoll.Event) {
        let connection = connections[Int(event.data.u64 & 0xFFFF_FFFF)]
        guard connection.pointee.raw >= 0,
            connection.pointee.generation == UInt32(event.data.u64 >> 32)
        else { return }
        switch connection.pointee.wait {
        case .idle, .request: arrive(connection)
        case .drain: return sendRest(connection)
        case .linger: discard(connection)
        }
        // An end that came together with bytes is told with them; it is received next.
        if event.events != arrivalAlone {
            hearAgain(connection, UInt32(event.data.u64 >> 32))
        }
    }

    /// Has the connection's next event come even if nothing more arrives.
    @inline(never)
    private mutating func hearAgain(_ connection: ConnectionPlace, _ generation: UInt32) {
        guard connection.pointee.raw >= 0, connection.pointee.generation == generation,
            connection.pointee.wait != .drain
        else { return }
        epoll.change(connection.pointee.raw, .arrivals, token: token(of: connection))
    }

    /// Receives what a connection has sent, as far as there is room.
    ///
    /// Mutating though it changes nothing, and the one above as well: for a call that only borrows
    /// the worker the compiler moves it out of the way and back.
    ///
    /// - Returns: the bytes, 0 at the end, or what ``Socket/receive(_:into:bytesMax:)`` says.
    @inline(always)
    mutating func receive(
        _ connection: ConnectionPlace, into room: UnsafeMutableRawPointer, bytesMax: Int
    ) -> Int {
        let got = Socket.receive(connection.pointee.raw, into: room, bytesMax: bytesMax)
        if got == bytesMax { hearAgain(connection, connection.pointee.generation) }
        return got
    }

    mutating func close(_ connection: ConnectionPlace) {
        if connection.pointee.transport != .plain { endSession(connection) }
        // Closing the last descriptor of a socket takes it out of the epoll.
        Socket.close(connection.pointee.raw)
        connections.close(connection)
        metrics.count(.connectionsClosed)
    }

    // MARK: Waits that ran out

    private mutating func giveUpWaiting() {
        while let connection = expired(.idle, patience.idleMicroseconds) {
            // One more look: a request may have arrived just now.
            if let bytes = receive(connection, closesIfSilent: true) { take(connection, bytes) }
        }
        settle()
        while let connection = expired(.drain, patience.drainMicroseconds) { close(connection) }
        while let connection = expired(.linger, patience.lingerMicroseconds) { close(connection) }
        while let connection = expired(.request, patience.requestMicroseconds) {
            if connection.pointee.isOpening {
                giveUpOpening(connection)
                continue
            }
            metrics.count(.requestTimeouts)
            let generation = connection.pointee.generation
            let pending = makeRoom(for: connection, generation, spoolHasRoom: false)
            // Making room may have sent it a "100 Continue", and found its peer gone or slow.
            guard isWaiting(connection, for: .request) else { continue }
            let written = desk.timeout(into: answers.room)
            answers.add(
                written, connection: connection, generation: generation, pending: pending)
            beFarewell(connection, lingers: true)
        }
    }

    private func isWaiting(_ connection: ConnectionPlace, for wait: Wait) -> Bool {
        connection.pointee.raw >= 0 && connection.pointee.wait == wait
    }

    private func expired(_ wait: Wait, _ patienceMicroseconds: Int64) -> ConnectionPlace? {
        guard let (connection, since) = connections.longestWaiting(for: wait),
            moment - since >= patienceMicroseconds
        else { return nil }
        return connection
    }
}

/// A worker on its way to the thread that it is confined to.
///
/// Unchecked: it is made by the main thread, and the worker is touched by its own thread alone once
/// that has started; what they share (inbox, metrics, the spool's gauges) is Sendable by itself.
final class WorkerThread: @unchecked Sendable {
    private var worker: Worker

    init(
        listener: Listener, entrance: Entrance, inbox: WorkerInbox, desk: ClickDesk,
        spool: SpoolWriter, memory: WorkerMemory, metrics: WorkerMetrics, connectionsMax: Int,
        patience: Patience
    ) throws(SystemError) {
        let epoll = try Epoll()
        try epoll.add(listener.raw, .read, token: Worker.listenerToken)
        if let other = entrance.secureListener {
            try epoll.add(other.raw, .read, token: Worker.secureListenerToken)
        }
        try epoll.add(inbox.signal.raw, .read, token: Worker.inboxToken)
        worker = Worker(
            listener: listener, entrance: entrance, inbox: inbox, epoll: epoll, desk: desk,
            spool: spool, memory: memory, metrics: metrics, connectionsMax: connectionsMax,
            patience: patience)
    }

    /// Called once.
    func start(name: String) -> SystemThread {
        SystemThread(name: name) { self.worker.run() }
    }
}
