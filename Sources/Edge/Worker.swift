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
    private let epoll: Epoll
    private let inbox: WorkerInbox
    let metrics: WorkerMetrics
    private let turns: TurnMetrics
    private let spool: SpoolWriter
    private var memory: WorkerMemory
    private var desk: ClickDesk
    var connections: Connections
    private(set) var answers = AnswerBuffer()
    /// What arrives in a turn, one connection's behind the other's, until it is answered.
    private let arrivals: UnsafeMutableRawBufferPointer
    private var arrivedBytes = 0
    /// Whose they are, until they are read.
    private let unread: UnsafeMutableBufferPointer<Arrival>
    private var unreadCount = 0
    private var batch = RequestBatch()
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

    static let listenerToken = UInt64.max
    static let inboxToken = UInt64.max - 1
    static let secureListenerToken = UInt64.max - 2
    private static let eventsPerTurnMax = 512
    private static let acceptsPerTurnMax = 64
    /// Longest request twice over, so that a read after a carried beginning is never tiny.
    private static let inputBytes = 65_536
    /// Of all connections in one turn; more of them wait until these are answered.
    private static let arrivalBytesMax = 8 * inputBytes
    /// A turn comes at least so often, to see to waits that have run out.
    private static let turnMilliseconds: Int32 = 250

    /// Answers of one connection in one turn; more of them wait until these are sent, so that a
    /// peer that asks and does not read costs so much and one answer, not megabytes.
    private static let answersPerTurnBytesMax = 65_536
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
        connections = Connections(countMax: connectionsMax)
        self.epoll = epoll
        arrivals = .allocate(byteCount: Worker.arrivalBytesMax, alignment: 64)
        arrivals.initializeMemory(as: UInt8.self, repeating: 0)
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
            close(index)
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
            case Worker.listenerToken: accept(listener)
            case Worker.secureListenerToken: accept(entrance.secureListener!)
            case Worker.inboxToken: readInbox()
            default: handle(event)
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
        patience.idleMicroseconds = patience.partingMicroseconds
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
        guard let index = connections.open(raw, address: address, now: moment) else {
            metrics.count(.connectionsRefused)
            Socket.close(raw)
            return
        }
        do throws(SystemError) {
            try epoll.add(raw, .read, token: token(of: index))
        } catch {
            // Out of kernel memory or watches: as if it had never been accepted.
            metrics.count(.connectionsRefused)
            return close(index)
        }
        if isSecure || entrance.expectsProxyHeader {
            beginWrapped(index, isSecure: isSecure)
        } else {
            // Its request mostly comes with the end of the handshake, and saves waiting for it.
            arrive(index)
        }
    }

    /// Closes the connection that has waited longest, whatever for: at the bound the idle and the
    /// slow give way to newcomers, so that nobody can hold all places by being slow.
    ///
    /// - Returns: false if there is none whose answer does not still wait for this turn's end.
    private mutating func evict() -> Bool {
        // Whose request has just arrived has not waited at all.
        readArrivals()
        var oldest: (index: Int, since: Int64)?
        for wait in Wait.allCases {
            guard let first = connections.longestWaiting(for: wait) else { continue }
            if first.since < oldest?.since ?? moment { oldest = first }
        }
        guard let oldest else { return false }
        metrics.count(.connectionsEvicted)
        close(oldest.index)
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

    private func token(of index: Int) -> UInt64 {
        UInt64(connections[index].pointee.generation) << 32 | UInt64(index)
    }

    private mutating func handle(_ event: Epoll.Event) {
        let index = Int(event.data.u64 & 0xFFFF_FFFF)
        let connection = connections[index]
        guard connection.pointee.raw >= 0,
            connection.pointee.generation == UInt32(event.data.u64 >> 32)
        else { return }
        switch connection.pointee.wait {
        case .idle, .request:
            arrive(index)
        case .drain: sendRest(index)
        case .linger: discard(index)
        }
    }

    mutating func close(_ index: Int) {
        if connections[index].pointee.transport != .plain { endSession(index) }
        // Closing the last descriptor of a socket takes it out of the epoll.
        Socket.close(connections[index].pointee.raw)
        connections.close(index)
        metrics.count(.connectionsClosed)
    }

    // MARK: Reading

    /// Where a connection's bytes go next: at least ``inputBytes``, behind those that wait.
    mutating func makeInput() -> UnsafeMutableRawBufferPointer {
        if arrivals.count - arrivedBytes < Worker.inputBytes {
            readArrivals()
            settle()
            arrivedBytes = 0
        }
        return UnsafeMutableRawBufferPointer(
            start: arrivals.baseAddress! + arrivedBytes, count: Worker.inputBytes)
    }

    /// Takes what a plain connection has sent; one that is wrapped is seen to at once.
    ///
    /// - Returns: what is to be read, behind what was carried over; nil for nothing.
    private mutating func receive(
        _ index: Int, closesIfSilent: Bool = false
    ) -> UnsafeRawBufferPointer? {
        let connection = connections[index]
        if connection.pointee.transport != .plain {
            receiveWrapped(index, closesIfSilent: closesIfSilent)
            return nil
        }
        let input = makeInput()
        let carried = connection.pointee.carry.count
        if carried > 0 { input.copyMemory(from: connection.pointee.carry.bytes) }
        let got = Socket.receive(
            connection.pointee.raw, into: input.baseAddress! + carried,
            bytesMax: input.count - carried)
        guard got > 0 else {
            if got != Socket.wouldBlock || closesIfSilent { close(index) }
            return nil
        }
        arrivedBytes += carried + got
        return UnsafeRawBufferPointer(rebasing: input[..<(carried + got)])
    }

    /// Receives what a connection has sent, to be read when all have been received from.
    private mutating func arrive(_ index: Int) {
        if unreadCount == unread.count { readArrivals() }
        let generation = connections[index].pointee.generation
        guard let bytes = receive(index) else { return }
        unread[unreadCount] = Arrival(index: index, generation: generation, bytes: bytes)
        unreadCount += 1
    }

    /// Reads what the turn's connections have sent. All of them are received from first, because
    /// the kernel's code and ours push each other out of the caches.
    private mutating func readArrivals() {
        for number in 0..<unreadCount {
            let arrival = unread[number]
            guard isReading(arrival.index, arrival.generation) else { continue }
            take(arrival.index, arrival.bytes)
        }
        unreadCount = 0
    }

    /// Reads every whole request in `bytes`, which lie in the turn's arrivals, and keeps the
    /// beginning of one that is not whole.
    mutating func take(_ index: Int, _ bytes: UnsafeRawBufferPointer) {
        let connection = connections[index]
        let generation = connection.pointee.generation
        let end = bytes.baseAddress! + bytes.count - UnsafeRawPointer(arrivals.baseAddress!)
        arrivedBytes = max(arrivedBytes, end)
        var offset = 0
        while offset < bytes.count {
            if batch.isFull {
                settle()
                // Answers may have gone out to make room, and ended this connection or filled its
                // window. Then all that was not answered is kept, these bytes too.
                guard isReading(index, generation) else { return }
            }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            let seen = offset == 0 ? Int(connection.pointee.seenBefore) : 0
            let reading = desk.read(
                rest, seenBefore: seen, peer: connection.pointee.address, into: batch.next)
            switch reading {
            case .whole(let consumed):
                batch.add(index: index, generation: generation, received: rest)
                offset += consumed
            case .last(let lingers):
                batch.add(
                    index: index, generation: generation, received: rest, isLast: true,
                    lingers: lingers)
                connection.pointee.carry.drop()
                // Nothing more is read from it, even if its answer goes out much later.
                return connections.begin(.linger, index, now: moment)
            case .more(let seenBytes):
                return keep(index, rest, seenBytes: seenBytes, isNew: offset > 0)
            case .moreAfterAnswer:
                batch.add(index: index, generation: generation, received: rest)
                return keep(index, rest, seenBytes: 0, isNew: offset > 0)
            }
        }
        connection.pointee.carry.drop()
        connection.pointee.seenBefore = 0
        connections.begin(.idle, index, now: moment)
    }

    private func isReading(_ index: Int, _ generation: UInt32) -> Bool {
        let connection = connections[index]
        return connection.pointee.generation == generation && connection.pointee.raw >= 0
            && connection.pointee.wait != .drain
    }

    /// Answers every request that was read.
    mutating func settle() {
        for number in 0..<batch.count { desk.prefetch(batch[number]) }
        // The connection whose window was found to be full: all of its requests wait together.
        var held: UInt64?
        for number in 0..<batch.count {
            let request = batch[number]
            let (index, generation) = (request.pointee.index, request.pointee.generation)
            makeRoom(for: index, generation)
            guard isReading(index, generation) else {
                let token = UInt64(generation) << 32 | UInt64(index)
                if held != token { keepForLater(request) }
                held = token
                continue
            }
            let written = desk.answer(request, into: answers.room)
            answers.add(written, index: index, generation: generation)
            if request.pointee.isLast { beFarewell(index, lingers: request.pointee.lingers) }
        }
        batch.clear()
    }

    /// What arrived already is answered once the peer has taken what went before.
    private func keepForLater(_ request: UnsafeMutablePointer<ReadRequest>) {
        let connection = connections[request.pointee.index]
        guard connection.pointee.generation == request.pointee.generation,
            connection.pointee.raw >= 0
        else { return }
        connection.pointee.carry.keep(request.pointee.received)
        connection.pointee.seenBefore = 0
    }

    /// The longest answer must fit, and the longest record; else what is there goes out first, as
    /// it does when there is much of it for this one connection.
    private mutating func makeRoom(for index: Int, _ generation: UInt32) {
        let pending = answers.lastBytes(index: index, generation: generation)
        if !answers.hasRoom(for: ClickDesk.answerBytesMax) || !spool.hasRoom
            || pending >= Worker.answersPerTurnBytesMax
        {
            flush()
        }
    }

    /// The answer just given is the connection's last.
    mutating func beFarewell(_ index: Int, lingers: Bool) {
        let connection = connections[index]
        connection.pointee.closesAfterAnswer = true
        connection.pointee.lingers = lingers
        connection.pointee.carry.drop()
        // Nothing more is read from it, even if its answer goes out much later.
        connections.begin(.linger, index, now: moment)
    }

    private mutating func keep(
        _ index: Int, _ rest: UnsafeRawBufferPointer, seenBytes: Int, isNew: Bool
    ) {
        let connection = connections[index]
        connection.pointee.carry.keep(rest)
        connection.pointee.seenBefore = Int32(seenBytes)
        // The patience counts from this request's first byte: not from its latest, and not from
        // that of a request before it.
        if isNew || connection.pointee.wait == .idle {
            connections.begin(.request, index, now: moment)
        }
    }

    // MARK: Sending

    /// Makes the turn's records durable, then sends the answers that waited for it.
    mutating func flush() {
        let outcome = spool.commit()
        if case .unrecorded = outcome {
            // Redirects go on without a record: the shopper is not to blame. Readiness says so.
            metrics.count(.clicksUnrecorded, memory.settleFailure(outcome, moment: moment))
        } else {
            memory.settle()
        }
        for number in 0..<answers.spanCount {
            let (span, bytes) = answers.span(number)
            let connection = connections[span.index]
            guard connection.pointee.generation == span.generation, connection.pointee.raw >= 0
            else { continue }
            if connection.pointee.transport == .plain {
                send(bytes, span.index)
            } else {
                sendSealed(bytes, span.index)
            }
        }
        answers.clear()
    }

    /// Sends bytes as they are, and keeps those that the peer's window has no room for.
    mutating func send(_ bytes: UnsafeRawBufferPointer, _ index: Int) {
        let connection = connections[index]
        if connection.pointee.wait == .drain {
            // Only within one turn: answers made before the peer's window was known to be full.
            connection.pointee.unsent.append(bytes)
            return
        }
        let sent = Socket.send(
            connection.pointee.raw, bytes.baseAddress!, bytes: bytes.count)
        if sent == bytes.count {
            if connection.pointee.closesAfterAnswer { part(index) }
        } else if sent >= 0 || sent == Socket.wouldBlock {
            connection.pointee.unsent.keep(
                UnsafeRawBufferPointer(rebasing: bytes[max(0, sent)...]))
            epoll.change(connection.pointee.raw, .write, token: token(of: index))
            connections.begin(.drain, index, now: moment)
        } else {
            close(index)
        }
    }

    private mutating func sendRest(_ index: Int) {
        let connection = connections[index]
        let bytes = connection.pointee.unsent.bytes
        let sent = Socket.send(connection.pointee.raw, bytes.baseAddress!, bytes: bytes.count)
        guard sent >= 0 else {
            if sent != Socket.wouldBlock { close(index) }
            return
        }
        connection.pointee.unsent.keep(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
        guard connection.pointee.unsent.count == 0 else {
            return connections.begin(.drain, index, now: moment)
        }
        if connection.pointee.closesAfterAnswer { return part(index) }
        epoll.change(connection.pointee.raw, .read, token: token(of: index))
        connections.begin(.idle, index, now: moment)
        let carried = connection.pointee.carry.count
        if carried > 0 {
            // Requests that had already arrived when the window filled.
            let input = makeInput()
            input.copyMemory(from: connection.pointee.carry.bytes)
            take(index, UnsafeRawBufferPointer(rebasing: input[..<carried]))
        }
        if connection.pointee.transport != .plain { resume(index) }
    }

    /// After the last answer: our half ends, the peer may still read it and close.
    mutating func part(_ index: Int) {
        guard connections[index].pointee.lingers else { return close(index) }
        Socket.shutdownWrite(connections[index].pointee.raw)
        epoll.change(connections[index].pointee.raw, .read, token: token(of: index))
        connections.begin(.linger, index, now: moment)
    }

    private mutating func discard(_ index: Int) {
        let input = makeInput()
        let got = Socket.receive(
            connections[index].pointee.raw, into: input.baseAddress!, bytesMax: input.count)
        if got <= 0 && got != Socket.wouldBlock { close(index) }
    }

    // MARK: Waits that ran out

    private mutating func giveUpWaiting() {
        while let index = expired(.idle, patience.idleMicroseconds) {
            // One more look: a request may have arrived just now.
            if let bytes = receive(index, closesIfSilent: true) { take(index, bytes) }
        }
        settle()
        while let index = expired(.drain, patience.drainMicroseconds) { close(index) }
        while let index = expired(.linger, patience.lingerMicroseconds) { close(index) }
        while let index = expired(.request, patience.requestMicroseconds) {
            if connections[index].pointee.isOpening {
                giveUpOpening(index)
                continue
            }
            metrics.count(.requestTimeouts)
            let generation = connections[index].pointee.generation
            makeRoom(for: index, generation)
            // Making room may have sent it a "100 Continue", and found its peer gone or slow.
            guard isWaiting(index, for: .request) else { continue }
            let written = desk.timeout(into: answers.room)
            answers.add(written, index: index, generation: generation)
            beFarewell(index, lingers: true)
        }
    }

    private func isWaiting(_ index: Int, for wait: Wait) -> Bool {
        connections[index].pointee.raw >= 0 && connections[index].pointee.wait == wait
    }

    private func expired(_ wait: Wait, _ patienceMicroseconds: Int64) -> Int? {
        guard let (index, since) = connections.longestWaiting(for: wait),
            moment - since >= patienceMicroseconds
        else { return nil }
        return index
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
