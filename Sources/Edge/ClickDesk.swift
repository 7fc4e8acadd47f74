// HOT: one call a request. Bench: Benchmarks/Edge, every row.
//
// What a request comes to: which link it names, what is thought of the click, what is written down
// and what is answered. Everything is decided here, nothing is sent here.
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
/// The bytes and the room it is handed are borrowed for the call.
struct ClickDesk {
    /// What the connection does after the answer.
    enum Next {
        /// Goes on behind so many bytes.
        case request(consumed: Int)
        /// Waits for more of this request, of which the parser has looked at so many bytes.
        case more(seenBytes: Int)
        /// Ends after the answer. `lingers`: bytes may follow that nobody reads, and a socket
        /// closed over unread bytes takes back what was sent.
        case close(lingers: Bool)
    }

    struct Outcome {
        let answerBytes: Int
        let next: Next
    }

    /// No answer is longer, headers and body together.
    static let answerBytesMax = 16_384
    /// A redirect's location that would not fit an answer is not served: no links file has one.
    private static let locationBytesMax = 2048

    private let spool: SpoolWriter
    /// Nil where nobody is folded.
    private let folds: FoldTable?
    private let metrics: WorkerMetrics
    private let judge: ClickJudge
    private let agents: AgentCache
    private let trusted: NetworkSet
    private let users: SignedInUser
    private let origins: AllowedOrigins
    /// `FRONTEND_URL/gonggus/`, to which a gonggu's id is added.
    private let pages: UnsafeRawBufferPointer
    private let scratch: UnsafeMutableRawBufferPointer
    private var random: RandomWords
    private var links: LinkTable?
    private var now = Timestamp(microseconds: 0)
    private var second: Int64 = -1
    private var date = DateLine(unixSeconds: 0)
    private var isDraining = false
    private var head = RequestHead()

    /// Its buffers are never freed: it lives as long as the process.
    init(
        _ shared: SharedDesk, spool: SpoolWriter, folds: FoldTable?, metrics: WorkerMetrics,
        seed: [UInt64]
    ) {
        self.spool = spool
        self.folds = folds
        self.metrics = metrics
        judge = shared.judge
        agents = AgentCache(bots: .current, visitors: shared.visitors)
        trusted = shared.trusted
        users = SignedInUser(shared.tokenKey)
        origins = shared.origins
        pages = shared.pages
        links = shared.links
        random = RandomWords(seed: seed)
        scratch = .allocate(byteCount: ClickReport.scratchBytes, alignment: 8)
    }

    mutating func beginTurn(now: Int64) {
        self.now = Timestamp(microseconds: now)
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

    /// Answers the request at the start of `bytes`, if it is whole.
    ///
    /// - Parameters:
    ///   - bytes: what has arrived of it, and perhaps of those behind it.
    ///   - seenBefore: what the last outcome said with `more`, else 0.
    ///   - room: where the answer goes; at least ``answerBytesMax``.
    mutating func answer(
        _ bytes: UnsafeRawBufferPointer, seenBefore: Int, address: NetworkAddress,
        into room: UnsafeMutableRawBufferPointer
    ) -> Outcome {
        switch RequestParser.parse(bytes, seenBefore: seenBefore, into: &head) {
        case .partial:
            return Outcome(answerBytes: 0, next: .more(seenBytes: bytes.count))
        case .malformed(let fault):
            return refuse(ErrorAnswer(fault), into: room)
        case .complete(let headBytes):
            return answer(bytes, headBytes: headBytes, address: address, into: room)
        }
    }

    /// The answer to a request that did not come whole in time.
    mutating func timeout(into room: UnsafeMutableRawBufferPointer) -> Int {
        head = RequestHead()
        return refuse(.requestTimeout, into: room).answerBytes
    }

    // MARK: One request

    private mutating func answer(
        _ bytes: UnsafeRawBufferPointer, headBytes: Int, address: NetworkAddress,
        into room: UnsafeMutableRawBufferPointer
    ) -> Outcome {
        guard head.contentLength <= ClickReport.bodyBytesMax else {
            return refuse(.bodyTooLarge, into: room)
        }
        let consumed = headBytes + head.contentLength
        guard consumed <= bytes.count else {
            return awaitBody(isFirstLook: bytes.count == headBytes, into: room)
        }
        let keepAlive = head.keepAlive && !isDraining
        let terms = AnswerTerms(head, keepAlive: keepAlive)
        let target = LinkTarget(head, in: bytes)
        let written: Int
        switch target.route {
        case .follow:
            written = follow(target, bytes, address, terms, into: room)
        case .report:
            let body = UnsafeRawBufferPointer(rebasing: bytes[headBytes..<consumed])
            written = report(body, bytes, address, keepAlive: keepAlive, into: room)
        case .robots:
            written = robots(terms, into: room)
        case .none:
            guard !LinkTarget.isPathMalformed(head, in: bytes) else {
                return refuse(.badRequest, into: room)
            }
            written = error(.notFound, terms, into: room)
        }
        return Outcome(
            answerBytes: written,
            next: keepAlive
                ? .request(consumed: consumed)
                : .close(lingers: isDraining || consumed < bytes.count))
    }

    /// A client that asked to be told before it sends its body is told, once: when the head has
    /// come and nothing behind it.
    private func awaitBody(
        isFirstLook: Bool, into room: UnsafeMutableRawBufferPointer
    ) -> Outcome {
        guard head.expectsContinue && isFirstLook else {
            return Outcome(answerBytes: 0, next: .more(seenBytes: 0))
        }
        let line = ResponseBytes.continueLine
        room.baseAddress!.copyMemory(from: line.utf8Start, byteCount: line.utf8CodeUnitCount)
        return Outcome(answerBytes: line.utf8CodeUnitCount, next: .more(seenBytes: 0))
    }

    // MARK: Routes

    private mutating func follow(
        _ target: LinkTarget, _ bytes: UnsafeRawBufferPointer, _ address: NetworkAddress,
        _ terms: AnswerTerms, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        guard head.method == .get || head.method == .head else {
            return error(.linkMethodNotAllowed, terms, into: room)
        }
        guard let link = find(target.id.bytes(in: bytes)) else {
            return error(.gongguNotFound, terms, into: room)
        }
        _ = record(
            link, .redirect, channel: target.channel.bytes(in: bytes), bytes, address)
        // By the request, not by the verdict: a prefetch of another fault must come back as well.
        if head.isPrefetch { return error(.prefetchRefused, terms, into: room) }
        metrics.count(AnswerStatus.found)
        return ResponseBytes.redirect(to: location(link), terms, date: date, into: room)
    }

    private mutating func report(
        _ body: UnsafeRawBufferPointer, _ bytes: UnsafeRawBufferPointer,
        _ address: NetworkAddress, keepAlive: Bool, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        let origin = origins.allowed(head.origin.bytes(in: bytes))
        let terms = AnswerTerms(head, keepAlive: keepAlive, allowedOrigin: origin)
        if head.method == .options {
            metrics.count(AnswerStatus.noContent)
            return ResponseBytes.preflight(terms, date: date, into: room)
        }
        guard head.method == .post else {
            return error(.reportMethodNotAllowed, terms, into: room)
        }
        guard ClickReport.accepts(contentType: head.contentType.bytes(in: bytes)) else {
            return error(.unsupportedMediaType, terms, into: room)
        }
        var report = ClickReport()
        if let fault = ClickReport.read(body, scratch: scratch, into: &report) {
            return error(ErrorAnswer(fault), terms, into: room)
        }
        guard let link = find(report.gongguID) else {
            return error(.gongguNotFound, terms, into: room)
        }
        let click = record(link, .report, channel: report.channel, bytes, address)
        // By the request, not by the verdict: a prefetch of another fault must come back as well.
        if head.isPrefetch { return error(.prefetchRefused, terms, into: room) }
        metrics.count(AnswerStatus.ok)
        return ResponseBytes.reported(
            click.id, redirect: location(link), terms, date: date, into: room)
    }

    private func robots(_ terms: AnswerTerms, into room: UnsafeMutableRawBufferPointer) -> Int {
        guard head.method == .get || head.method == .head else {
            return error(.linkMethodNotAllowed, terms, into: room)
        }
        metrics.count(AnswerStatus.ok)
        return ResponseBytes.robots(terms, date: date, into: room)
    }

    private func refuse(
        _ answer: ErrorAnswer, into room: UnsafeMutableRawBufferPointer
    ) -> Outcome {
        let terms = AnswerTerms(head, keepAlive: false)
        return Outcome(
            answerBytes: error(answer, terms, into: room), next: .close(lingers: true))
    }

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

    /// A link whose gonggu is not open leads to the gonggu's page.
    private func location(_ link: LinkRecord) -> AnswerLocation {
        link.isOpen(at: now) && link.location.count <= ClickDesk.locationBytesMax
            ? AnswerLocation(link.location) : AnswerLocation(pages, gonggu: link.id)
    }

    /// Judges the click and adds it to the frame that this turn writes, or to the fold of an
    /// address far over the limit.
    private mutating func record(
        _ link: LinkRecord, _ path: ClickPath, channel: UnsafeRawBufferPointer,
        _ bytes: UnsafeRawBufferPointer, _ peer: NetworkAddress
    ) -> Click {
        let userAgent = head.userAgent.bytes(in: bytes)
        let address = ForwardedFor.client(
            head.forwardedFor.bytes(in: bytes), trusted: trusted, peer: peer)
        let question = ClickJudge.Question(
            isHead: head.method == .head, isPrefetch: head.isPrefetch,
            agent: agents.facts(of: userAgent), address: address,
            claims: users.claims(head, in: bytes, nowSeconds: second))
        let judgement = judge.judge(question, of: link, now: now)
        let click = Click(
            id: Identifier(
                unixMilliseconds: UInt64(now.microseconds / 1000),
                random: (random.next(), random.next())),
            gongguID: link.id, time: now, visitorKey: judgement.visitorKey,
            userID: judgement.userID, address: address, reason: judgement.reason,
            verdict: judgement.verdict, path: path)
        metrics.count(click.verdict)
        if judgement.fold == .fold, let folds, folds.add(click, addressKey: judgement.addressKey) {
            metrics.count(.clicksFolded)
            return click
        }
        let isAppended = spool.append(
            click,
            ClickTexts(
                userAgent: userAgent, referer: head.referer.bytes(in: bytes), channel: channel))
        precondition(isAppended, "the worker asks the spool for room before each request")
        return click
    }
}
