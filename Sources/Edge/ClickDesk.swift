// HOT: one call a request. Bench: Benchmarks/Edge, every row.
//
// What a request comes to: which link it names, what is thought of the click, what is written down
// and what is answered. Everything is decided here, nothing is sent here.
//
// In two steps, because what is asked for lies in tables far larger than the processor's caches. A
// request is read and the lines it needs are sent for; when the other requests of the turn have
// been read as well they have come, and it is answered.
//
// The answer never shows the verdict: valid, duplicate and rejected clicks get the same bytes, but
// for the two that need another (a closed gonggu's page, and a prefetch that must come back).

import Clicks
import Guards
import Links
import Spool
import Wire

/// Decides requests for one worker. Confined to its thread, but for what the judge shares.
///
/// The bytes and the room it is handed are borrowed for the call, those of a request that was read
/// until it is answered.
///
/// Its calls are mutating, those that seem not to be as well: a value of this size would else be
/// copied for each.
struct ClickDesk {
    /// No answer is longer, headers and body together.
    static let answerBytesMax = 16_384
    /// A redirect's location that would not fit an answer is not served: no links file has one.
    private static let locationBytesMax = 2048

    private let records: FrameBuffer
    /// Nil where nobody is folded.
    private let folds: FoldTable?
    private let metrics: WorkerMetrics
    private let judge: ClickJudge
    private var agents: AgentCache
    private let trusted: NetworkSet
    private var users: SignedInUser
    private let origins: AllowedOrigins
    /// `FRONTEND_URL/gonggus/`, to which a gonggu's id is added.
    private let pages: UnsafeRawBufferPointer
    /// `FRONTEND_URL/`.
    private let front: UnsafeRawBufferPointer
    private let scratch: UnsafeMutableRawBufferPointer
    private var random: RandomWords
    private var links: LinkTable?
    private var now = Timestamp(microseconds: 0)
    /// The first word of the turn's click ids.
    private var timeWord: UInt64 = 0
    private var second: Int64 = -1
    private var date = DateLine(unixSeconds: 0)
    private var isDraining = false

    /// Its buffers are never freed: it lives as long as the process.
    init(
        _ shared: SharedDesk, spool: SpoolWriter, folds: FoldTable?, metrics: WorkerMetrics,
        seed: UInt64
    ) {
        records = spool.buffer
        self.folds = folds
        self.metrics = metrics
        judge = shared.judge
        agents = AgentCache(bots: .current, visitors: shared.visitors)
        trusted = shared.trusted
        users = SignedInUser(shared.tokenKey)
        origins = shared.origins
        pages = shared.pages
        front = shared.front
        links = shared.links
        random = RandomWords(seed: seed)
        scratch = .allocate(byteCount: ClickReport.scratchBytes, alignment: 8)
    }

    mutating func beginTurn(now: Int64) {
        self.now = Timestamp(microseconds: now)
        timeWord = Identifier.timeWord(of: self.now)
        let second = now / Timestamp.microsecondsPerSecond
        if second != self.second {
            self.second = second
            date = DateLine(unixSeconds: second)
        }
    }

    mutating func adopt(_ links: LinkTable) {
        self.links = links
    }

    /// From now on every answer ends its connection.
    mutating func beginDrain() {
        isDraining = true
    }

    /// Whether the peer's X-Forwarded-For is believed.
    func trusts(_ peer: NetworkAddress) -> Bool { trusted.contains(peer) }

    // MARK: Reading

    /// Reads the request at the start of `bytes`, if it is whole, and has fetched from memory what
    /// answering it will need.
    ///
    /// - Parameters:
    ///   - bytes: what has arrived of it, and perhaps of those behind it. They stay where they are
    ///     until the request is answered.
    ///   - seenBefore: what the last reading said with `more`, else 0.
    ///   - peer: the connection's.
    ///   - isTrusted: whether the peer is a trusted proxy.
    @inline(always)
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, seenBefore: Int, peer: @autoclosure () -> NetworkAddress,
        isTrusted: @autoclosure () -> Bool, into request: UnsafeMutablePointer<ReadRequest>
    ) -> Reading {
        switch RequestParser.parse(bytes, seenBefore: seenBefore, into: &request.pointee.head) {
        case .partial: return .more(seenBytes: bytes.count)
        case .malformed(let fault): return refuse(ErrorAnswer(fault), request)
        case .complete(let headBytes):
            request.pointee.headBytes = headBytes
            return plan(bytes, peer: peer(), isTrusted: isTrusted(), for: request)
        }
    }

    @inline(always)
    private mutating func plan(
        _ bytes: UnsafeRawBufferPointer, peer: @autoclosure () -> NetworkAddress,
        isTrusted: @autoclosure () -> Bool, for request: UnsafeMutablePointer<ReadRequest>
    ) -> Reading {
        let contentLength = request.pointee.head.contentLength
        guard contentLength <= ClickReport.bodyBytesMax else {
            return refuse(.bodyTooLarge, request)
        }
        let consumed = request.pointee.headBytes &+ contentLength
        guard consumed <= bytes.count else {
            // A client that asked to be told before it sends its body is told, once: when the head
            // has come and nothing behind it.
            guard request.pointee.head.expectsContinue && bytes.count == request.pointee.headBytes
            else {
                return .more(seenBytes: 0)
            }
            request.pointee.errand = .proceed
            request.pointee.link = nil
            return .moreAfterAnswer
        }
        request.pointee.bytes = UnsafeRawBufferPointer(start: bytes.baseAddress, count: consumed)
        request.pointee.keepAlive = request.pointee.head.keepAlive && !isDraining
        let target = LinkTarget(request.pointee.head, in: bytes)
        // Not by ==, which for another module's type is a call through its table of functions.
        if case .none = target.route,
            LinkTarget.isPathMalformed(request.pointee.head, in: bytes)
        {
            return refuse(.badRequest, request)
        }
        request.pointee.channel = target.channel
        let errand = errand(target.route, request.pointee.head.method)
        request.pointee.errand = errand
        switch errand {
        case .follow, .report:
            request.pointee.refererKey = agents.key(
                ofReferer: request.pointee.head.referer.bytes(ofParsed: request.pointee.bytes))
            readVisitor(of: request, bytes, peer: peer(), isTrusted: isTrusted())
            if case .follow = errand {
                prepare(request, target)
            } else {
                request.pointee.link = nil
            }
        case .robots, .proceed, .refuse: request.pointee.link = nil
        }
        return request.pointee.keepAlive
            ? .whole(consumed: consumed)
            : .last(lingers: isDraining || consumed < bytes.count)
    }

    private func refuse(_ answer: ErrorAnswer, _ request: UnsafeMutablePointer<ReadRequest>)
        -> Reading
    {
        request.pointee.errand = .refuse(answer)
        request.pointee.link = nil
        request.pointee.keepAlive = false
        return .last(lingers: true)
    }

    @inline(always)
    private func errand(_ route: EdgeRoute, _ method: RequestMethod) -> ReadRequest.Errand {
        switch route {
        case .follow:
            switch method {
            case .get, .head: return .follow
            case .post, .options, .other: return .refuse(.linkMethodNotAllowed)
            }
        case .report: return .report
        case .robots:
            switch method {
            case .get, .head: return .robots
            case .post, .options, .other: return .refuse(.linkMethodNotAllowed)
            }
        case .none: return .refuse(.notFound)
        }
    }

    @inline(always)
    private mutating func readVisitor(
        of request: UnsafeMutablePointer<ReadRequest>, _ bytes: UnsafeRawBufferPointer,
        peer: @autoclosure () -> NetworkAddress, isTrusted: Bool
    ) {
        let address = ForwardedFor.client(
            request.pointee.head.forwardedFor.bytes(ofParsed: request.pointee.bytes),
            trusted: trusted, peer: peer(), isTrusted: isTrusted)
        let token = BearerToken.find(
            authorization: request.pointee.head.authorization, cookie: request.pointee.head.cookie,
            in: bytes)
        let agentDigest = agents.digest(
            of: request.pointee.head.userAgent.bytes(ofParsed: request.pointee.bytes))
        if token.isEmpty {
            request.pointee.visitor = judge.visitor(at: address, agentDigest: agentDigest)
        } else {
            readUser(of: request, token, address, agentDigest)
        }
    }

    /// Not by a result, which would else lie in memory for those without a token as well.
    @inline(never)
    private mutating func readUser(
        of request: UnsafeMutablePointer<ReadRequest>, _ token: UnsafeRawBufferPointer,
        _ address: NetworkAddress, _ agentDigest: UInt64
    ) {
        if let claims = users.claims(token, nowSeconds: second) {
            request.pointee.visitor = judge.visitor(at: address, claims, agentDigest: agentDigest)
        } else {
            request.pointee.visitor = judge.visitor(at: address, agentDigest: agentDigest)
        }
    }

    /// Looks for the link of a request to follow one, as far as that goes without waiting.
    @inline(always)
    private mutating func prepare(
        _ request: UnsafeMutablePointer<ReadRequest>, _ target: LinkTarget
    ) {
        let visitor = request.pointee.visitor
        var query: LinkQuery?
        var pair: UInt64 = 0
        if let id = target.linkID(request.pointee.head, in: request.pointee.bytes) {
            query = links?.query(id: id)
            pair = judge.pair(visitor, id)
        } else {
            query = links?.query(code: target.id.bytes(ofParsed: request.pointee.bytes))
        }
        request.pointee.link = query
        request.pointee.pair = pair
        guard let query else { return }
        links?.prefetchSlot(query)
        prefetchFirst(visitor, pair: pair, refererKey: request.pointee.refererKey)
    }

    /// Has fetched what the second step and the answer look at first.
    @inline(always)
    private func prefetchFirst(_ visitor: Visitor, pair: UInt64, refererKey: UInt64) {
        judge.prefetch(for: visitor, pair: pair)
        agents.prefetch(visitor.agentDigest)
        records.prefetch(userAgentKey: visitor.agentDigest, refererKey: refererKey)
    }

    /// Takes the second step for a request that was read: has fetched what the lines that reading
    /// it has sent for point at, the link's record and the counts of the visitor's address.
    ///
    /// To be done a few requests later, when those lines are there: then the memory works on the
    /// lines of several requests while the processor reads the next one.
    @inline(always)
    mutating func fetchMore(for request: UnsafeMutablePointer<ReadRequest>) {
        guard let query = request.pointee.link else { return }
        links?.prefetchRecord(query)
        request.pointee.floodHint = judge.prefetchCounts(
            for: request.pointee.visitor, second: second)
    }

    // MARK: Answering

    /// Answers a request that was read.
    ///
    /// - Parameter room: where the answer goes; at least ``answerBytesMax``.
    /// - Returns: the answer's bytes.
    @inline(always)
    mutating func answer(
        _ request: UnsafeMutablePointer<ReadRequest>, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        // Nearly all are links that are followed.
        if case .follow = request.pointee.errand { return follow(request, into: room) }
        return answerOther(request, into: room)
    }

    @inline(never)
    private mutating func answerOther(
        _ request: UnsafeMutablePointer<ReadRequest>, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        switch request.pointee.errand {
        case .follow: preconditionFailure("links are followed before")
        case .report: report(request, into: room)
        case .robots:
            robots(
                AnswerTerms(request.pointee.head, keepAlive: request.pointee.keepAlive), into: room)
        case .refuse(let answer):
            error(answer, request, into: room)
        case .proceed: proceed(into: room)
        }
    }

    /// The answer to a request that did not come whole in time.
    func timeout(into room: UnsafeMutableRawBufferPointer) -> Int {
        error(.requestTimeout, AnswerTerms(RequestHead(), keepAlive: false), into: room)
    }

    @inline(never)
    private func proceed(into room: UnsafeMutableRawBufferPointer) -> Int {
        let line = ResponseBytes.continueLine
        room.baseAddress!.copyMemory(from: line.utf8Start, byteCount: line.utf8CodeUnitCount)
        return line.utf8CodeUnitCount
    }

    // MARK: Routes

    @inline(always)
    private mutating func follow(
        _ request: UnsafeMutablePointer<ReadRequest>, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        guard let query = request.pointee.link, let link = links?.find(query) else {
            return error(.gongguNotFound, request, into: room)
        }
        let isOpen = link.isOpen(at: now)
        _ = record(
            link, isOpen: isOpen, .redirect,
            channel: request.pointee.channel.bytes(ofParsed: request.pointee.bytes), request)
        // By the request, not by the verdict: a prefetch of another fault must come back as well.
        if request.pointee.head.isPrefetch {
            return error(.prefetchRefused, request, into: room)
        }
        metrics.count(AnswerStatus.found)
        let terms = AnswerTerms(request.pointee.head, keepAlive: request.pointee.keepAlive)
        return ResponseBytes.redirect(
            to: location(link, isOpen: isOpen), terms, date: date, into: room)
    }

    @inline(never)
    private mutating func report(
        _ request: UnsafeMutablePointer<ReadRequest>, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        let head = request.pointee.head
        let origin = origins.allowed(head.origin.bytes(ofParsed: request.pointee.bytes))
        let terms = AnswerTerms(head, keepAlive: request.pointee.keepAlive, allowedOrigin: origin)
        if head.method == .options {
            metrics.count(AnswerStatus.noContent)
            return ResponseBytes.preflight(terms, date: date, into: room)
        }
        guard head.method == .post else {
            return error(.reportMethodNotAllowed, terms, into: room)
        }
        let contentType = head.contentType.bytes(ofParsed: request.pointee.bytes)
        guard ClickReport.accepts(contentType: contentType) else {
            return error(.unsupportedMediaType, terms, into: room)
        }
        let body = UnsafeRawBufferPointer(
            rebasing: request.pointee.bytes[request.pointee.headBytes...])
        var report = ClickReport()
        if let fault = ClickReport.read(body, scratch: scratch, into: &report) {
            return error(ErrorAnswer(fault), terms, into: room)
        }
        guard let link = find(report.gongguID) else {
            return error(.gongguNotFound, terms, into: room)
        }
        let isOpen = link.isOpen(at: now)
        request.pointee.pair = 0
        request.pointee.floodHint = nil
        let click = record(link, isOpen: isOpen, .report, channel: report.channel, request)
        // By the request, not by the verdict: a prefetch of another fault must come back as well.
        if head.isPrefetch { return error(.prefetchRefused, terms, into: room) }
        metrics.count(AnswerStatus.ok)
        return ResponseBytes.reported(
            click, redirect: location(link, isOpen: isOpen), terms, date: date, into: room)
    }

    @inline(never)
    private func robots(_ terms: AnswerTerms, into room: UnsafeMutableRawBufferPointer) -> Int {
        metrics.count(AnswerStatus.ok)
        return ResponseBytes.robots(terms, date: date, into: room)
    }

    @inline(never)
    private func error(
        _ answer: ErrorAnswer, _ request: UnsafeMutablePointer<ReadRequest>,
        into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        let terms = AnswerTerms(request.pointee.head, keepAlive: request.pointee.keepAlive)
        return error(answer, terms, into: room)
    }

    @inline(never)
    private func error(
        _ answer: ErrorAnswer, _ terms: AnswerTerms, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        metrics.count(AnswerStatus(answer))
        return ResponseBytes.error(answer, terms, date: date, into: room)
    }

    // MARK: The click

    private func find(_ name: UnsafeRawBufferPointer) -> LinkRecord? {
        guard let links else { return nil }
        if let id = Identifier(text: name) { return links.find(id: id) }
        return links.find(code: name)
    }

    /// A link whose gonggu is not open leads to the gonggu's page, a banner's to the front page.
    @inline(always)
    private func location(_ link: LinkRecord, isOpen: Bool) -> AnswerLocation {
        if isOpen && link.location.count <= ClickDesk.locationBytesMax {
            let separator = link.separator
            if separator == 0 { return AnswerLocation(link.location) }
            return AnswerLocation(link.location, separator: separator, gonggu: link.id)
        }
        return link.isBanner ? AnswerLocation(front) : AnswerLocation(pages, gonggu: link.id)
    }

    /// Judges the click and adds it to the frame that this turn writes, or to the fold of an
    /// address far over the limit.
    ///
    /// - Returns: the click's id.
    @inline(always)
    private mutating func record(
        _ link: LinkRecord, isOpen: Bool, _ path: ClickPath,
        channel: @autoclosure () -> UnsafeRawBufferPointer,
        _ request: UnsafeMutablePointer<ReadRequest>
    ) -> Identifier {
        let judgement = judge.judge(
            request, agents.facts(of: request), of: link, isOpen: isOpen, now: now, second: second)
        let id = Identifier(timeWord: timeWord, random: random.next())
        metrics.count(judgement.verdict)
        if case .fold = judgement.fold, isFolded(id, link, path, request, judgement) { return id }
        let isAppended = records.append(
            click(id, link, path, request, judgement),
            ClickTexts(
                userAgent: request.pointee.head.userAgent.bytes(ofParsed: request.pointee.bytes),
                referer: request.pointee.head.referer.bytes(ofParsed: request.pointee.bytes),
                channel: channel(),
                userAgentKey: request.pointee.visitor.agentDigest,
                refererKey: request.pointee.refererKey))
        precondition(isAppended, "the worker asks the spool for room before each request")
        return id
    }

    /// Made where it is used, so that on the way to the spool it need not be a whole in memory.
    @inline(always)
    private func click(
        _ id: Identifier, _ link: LinkRecord, _ path: ClickPath,
        _ request: UnsafeMutablePointer<ReadRequest>, _ judgement: Judgement
    ) -> Click {
        Click(
            id: id, gongguID: link.id, time: now, visitorKey: request.pointee.visitor.key,
            userID: request.pointee.visitor.userID, address: request.pointee.visitor.address,
            reason: judgement.reason, verdict: judgement.verdict, path: path)
    }

    /// Whether the click was counted on a fold.
    @inline(never)
    private mutating func isFolded(
        _ id: Identifier, _ link: LinkRecord, _ path: ClickPath,
        _ request: UnsafeMutablePointer<ReadRequest>, _ judgement: Judgement
    ) -> Bool {
        let click = click(id, link, path, request, judgement)
        guard let folds, folds.add(click, addressKey: request.pointee.visitor.addressKey) else {
            return false
        }
        metrics.count(.clicksFolded)
        return true
    }
}
