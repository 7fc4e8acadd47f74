// HOT: from bytes that arrive to answers that wait to be sent. Bench: Benchmarks/Edge, every row.
//
// Bytes lie where they were received until their requests are answered, and nothing is copied but
// the beginning of a request whose rest is still to come.

import Linux

extension Worker {
    /// Where a connection's bytes go next: at least ``inputBytes``, behind those that wait.
    @inline(always)
    mutating func makeInput() -> UnsafeMutableRawBufferPointer {
        if Worker.arrivalBytesMax &- arrivedBytes < Worker.inputBytes {
            readArrivals()
            settle()
            arrivedBytes = 0
        }
        return UnsafeMutableRawBufferPointer(
            start: arrivals + arrivedBytes, count: Worker.inputBytes)
    }

    /// Takes what a plain connection has sent; one that is wrapped is seen to at once.
    ///
    /// - Returns: what is to be read, behind what was carried over; nil for nothing.
    @inline(always)
    mutating func receive(
        _ connection: ConnectionPlace, closesIfSilent: Bool = false
    ) -> UnsafeRawBufferPointer? {
        if connection.pointee.transport != .plain {
            receiveWrapped(connection, closesIfSilent: closesIfSilent)
            return nil
        }
        let input = makeInput()
        let carried = connection.pointee.carry.count
        if carried > 0 { input.copyMemory(from: connection.pointee.carry.bytes) }
        let got = receive(
            connection, into: input.baseAddress! + carried, bytesMax: input.count &- carried)
        guard got > 0 else {
            if got != Socket.wouldBlock || closesIfSilent { close(connection) }
            return nil
        }
        arrivedBytes &+= carried &+ got
        return UnsafeRawBufferPointer(start: input.baseAddress, count: carried &+ got)
    }

    /// Receives what a connection has sent, to be read when all have been received from.
    @inline(always)
    mutating func arrive(_ connection: ConnectionPlace) {
        if unreadCount == Worker.eventsPerTurnMax { readArrivals() }
        let generation = connection.pointee.generation
        guard let bytes = receive(connection) else { return }
        unread[unreadCount] = Arrival(connection: connection, generation: generation, bytes: bytes)
        unreadCount &+= 1
    }

    /// Reads what the turn's connections have sent. All of them are received from first, because
    /// the kernel's code and ours push each other out of the caches.
    mutating func readArrivals() {
        for number in 0..<unreadCount {
            let arrival = unread[number]
            guard isReading(arrival.connection, arrival.generation) else { continue }
            readAll(arrival.connection, arrival.bytes)
        }
        unreadCount = 0
    }

    /// Reads every whole request in `bytes`, which lie in the turn's arrivals, and keeps the
    /// beginning of one that is not whole.
    @inline(never)
    mutating func take(_ connection: ConnectionPlace, _ bytes: UnsafeRawBufferPointer) {
        let end = bytes.baseAddress! + bytes.count - UnsafeRawPointer(arrivals)
        arrivedBytes = max(arrivedBytes, end)
        readAll(connection, bytes)
    }

    /// The same for those of a turn, which are counted as arrived, and without a call for each.
    @inline(always)
    private mutating func readAll(
        _ connection: ConnectionPlace, _ bytes: UnsafeRawBufferPointer
    ) {
        let generation = connection.pointee.generation
        var offset = 0
        while offset < bytes.count {
            if batch.isFull {
                settle()
                // Answers may have gone out to make room, and ended this connection or filled its
                // window. Then all that was not answered is kept, these bytes too.
                guard isReading(connection, generation) else { return }
            }
            let rest = UnsafeRawBufferPointer(
                start: bytes.baseAddress! + offset, count: bytes.count &- offset)
            let seen = offset == 0 ? Int(connection.pointee.seenBefore) : 0
            let reading = desk.read(
                rest, seenBefore: seen, peer: connection.pointee.address,
                isTrusted: connection.pointee.isTrusted, into: batch.next)
            switch reading {
            case .whole(let consumed):
                batch.add(connection: connection, generation: generation, received: rest)
                offset &+= consumed
                // One more was read, so that it is one request's turn at most.
                if let request = batch.takeUnfetched(downTo: Worker.fetchDistance) {
                    desk.fetchMore(for: request)
                }
            case .last(let lingers):
                batch.add(
                    connection: connection, generation: generation, received: rest, isLast: true,
                    lingers: lingers)
                connection.pointee.carry.drop()
                // Nothing more is read from it, even if its answer goes out much later.
                return connections.begin(.linger, connection, now: moment)
            case .more(let seenBytes):
                return keep(connection, rest, seenBytes: seenBytes, isNew: offset > 0)
            case .moreAfterAnswer:
                batch.add(connection: connection, generation: generation, received: rest)
                return keep(connection, rest, seenBytes: 0, isNew: offset > 0)
            }
        }
        if connection.pointee.carry.count > 0 { connection.pointee.carry.drop() }
        connection.pointee.seenBefore = 0
        connections.stayIdle(connection, now: moment)
    }

    @inline(always)
    private func isReading(_ connection: ConnectionPlace, _ generation: UInt32) -> Bool {
        return connection.pointee.generation == generation && connection.pointee.raw >= 0
            && connection.pointee.wait != .drain
    }

    /// Answers every request that was read.
    mutating func settle() {
        while let request = batch.takeUnfetched(downTo: 0) { desk.fetchMore(for: request) }
        // Mostly yes; then no request has to ask. A flush on the way only makes more.
        let spoolHasRoom = spool.hasRoom(for: batch.count)
        held = nil
        var request = batch.start
        while request < batch.end {
            defer { request += 1 }
            let connection = request.pointee.connection!
            let generation = request.pointee.generation
            let pending = makeRoom(for: connection, generation, spoolHasRoom: spoolHasRoom)
            guard isReading(connection, generation) else {
                hold(request, connection)
                continue
            }
            let written = desk.answer(request, into: answers.room)
            answers.add(
                written, connection: connection, generation: generation, pending: pending)
            if request.pointee.isLast { beFarewell(connection, lingers: request.pointee.lingers) }
        }
        batch.clear()
    }

    /// What arrived already is answered once the peer has taken what went before; of a connection
    /// that is gone nothing is.
    @inline(never)
    private mutating func hold(
        _ request: UnsafeMutablePointer<ReadRequest>, _ connection: ConnectionPlace
    ) {
        guard connection.pointee.generation == request.pointee.generation,
            connection.pointee.raw >= 0
        else { return }
        // All of its requests wait together, from the first one on.
        guard held != connection else { return }
        held = connection
        connection.pointee.carry.keep(request.pointee.received)
        connection.pointee.seenBefore = 0
    }

    /// The longest answer must fit, and the longest record; else what is there goes out first, as
    /// it does when there is much of it for this one connection.
    ///
    /// - Parameter spoolHasRoom: false says that it is to be asked.
    /// - Returns: the bytes that wait as the connection's last.
    @inline(always)
    mutating func makeRoom(
        for connection: ConnectionPlace, _ generation: UInt32, spoolHasRoom: Bool
    ) -> Int {
        let pending = answers.lastBytes(connection: connection, generation: generation)
        if spoolHasRoom && pending < Worker.answersPerTurnBytesMax
            && answers.hasRoom(for: ClickDesk.answerBytesMax)
        {
            return pending
        }
        return makeRoom(pending)
    }

    @inline(never)
    private mutating func makeRoom(_ pending: Int) -> Int {
        if pending < Worker.answersPerTurnBytesMax && spool.hasRoom
            && answers.hasRoom(for: ClickDesk.answerBytesMax)
        {
            return pending
        }
        flush()
        return 0
    }

    /// The answer just given is the connection's last.
    mutating func beFarewell(_ connection: ConnectionPlace, lingers: Bool) {
        connection.pointee.closesAfterAnswer = true
        connection.pointee.lingers = lingers
        connection.pointee.carry.drop()
        // Nothing more is read from it, even if its answer goes out much later.
        connections.begin(.linger, connection, now: moment)
    }

    private mutating func keep(
        _ connection: ConnectionPlace, _ rest: UnsafeRawBufferPointer, seenBytes: Int, isNew: Bool
    ) {
        connection.pointee.carry.keep(rest)
        connection.pointee.seenBefore = Int32(seenBytes)
        // The patience counts from this request's first byte: not from its latest, and not from
        // that of a request before it.
        if isNew || connection.pointee.wait == .idle {
            connections.begin(.request, connection, now: moment)
        }
    }
}
