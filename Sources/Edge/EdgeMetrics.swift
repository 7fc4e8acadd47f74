// HOT: a handful of additions a request. Bench: Benchmarks/Edge.
//
// Each worker counts for itself on cache lines of its own; a scrape adds nothing up, it shows every
// worker. A counter has one writer, so counting is a load and a store, not a locked addition; the
// reader may be one request behind and never sees a torn number.

import Admin
import Clicks
import Synchronization
import Wire

/// What a worker counts.
enum WorkerCounter: Int, CaseIterable {
    case connectionsAccepted
    case connectionsClosed
    case connectionsRefused
    case connectionsEvicted
    case requestTimeouts
    case clicksUnrecorded
    case turns
    /// TLS handshakes completed, resumed ones among them.
    case handshakes
    case handshakesResumed
    /// Broken off by either side, or not complete in time.
    case handshakesFailed
    /// Connections closed for want of a good PROXY header from a trusted peer.
    case proxyHeadersRefused
    case clicksFolded
}

/// One worker's counters. Written by its worker, read by anyone.
final class WorkerMetrics: @unchecked Sendable {
    let turns = TurnMetrics()
    // Single words, each with one writer; see the head comment.
    private let words: UnsafeMutablePointer<Atomic<UInt64>>

    // Literals, so that no count has to ask first whether a lazy constant was made.
    private static let verdictsStart = 16
    private static let statusesStart = 32
    private static let wordCount = 48

    init() {
        precondition(
            WorkerCounter.allCases.count <= 16 && Verdict.allCases.allSatisfy { $0.rawValue < 16 }
                && AnswerStatus.allCases.count <= 16, "each kind has sixteen words")
        // Whole lines on both sides, so that no two workers share one.
        let bytes = (WorkerMetrics.wordCount * 8 + 127) / 64 * 64 + 64
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 128)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        words = memory.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    deinit {
        UnsafeMutableRawPointer(words).deallocate()
    }

    func count(_ counter: WorkerCounter, _ amount: UInt64 = 1) {
        add(amount, at: counter.rawValue)
    }

    func count(_ verdict: Verdict) {
        add(1, at: WorkerMetrics.verdictsStart + Int(verdict.rawValue))
    }

    func count(_ status: AnswerStatus) {
        add(1, at: WorkerMetrics.statusesStart + status.rawValue)
    }

    func value(_ counter: WorkerCounter) -> UInt64 {
        words[counter.rawValue].load(ordering: .relaxed)
    }

    func value(_ verdict: Verdict) -> UInt64 {
        words[WorkerMetrics.verdictsStart + Int(verdict.rawValue)].load(ordering: .relaxed)
    }

    func value(_ status: AnswerStatus) -> UInt64 {
        words[WorkerMetrics.statusesStart + status.rawValue].load(ordering: .relaxed)
    }

    @inline(always)
    private func add(_ amount: UInt64, at index: Int) {
        let word = words + index
        word.pointee.store(word.pointee.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }
}

/// The statuses that the edge answers with.
enum AnswerStatus: Int, CaseIterable {
    case ok
    case noContent
    case found
    case badRequest
    case notFound
    case methodNotAllowed
    case requestTimeout
    case contentTooLarge
    case unsupportedMediaType
    case headTooLarge
    case unavailable
    case versionNotSupported

    init(_ error: ErrorAnswer) {
        switch error {
        case .badRequest, .bodyNotAnObject, .memberRepeated, .gongguIDMissing, .gongguIDInvalid,
            .channelInvalid:
            self = .badRequest
        case .notFound, .gongguNotFound: self = .notFound
        case .linkMethodNotAllowed, .reportMethodNotAllowed: self = .methodNotAllowed
        case .requestTimeout: self = .requestTimeout
        case .bodyTooLarge: self = .contentTooLarge
        case .unsupportedMediaType: self = .unsupportedMediaType
        case .headTooLarge: self = .headTooLarge
        case .prefetchRefused, .unavailable: self = .unavailable
        case .versionNotSupported: self = .versionNotSupported
        }
    }

    var code: Int {
        switch self {
        case .ok: 200
        case .noContent: 204
        case .found: 302
        case .badRequest: 400
        case .notFound: 404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .contentTooLarge: 413
        case .unsupportedMediaType: 415
        case .headTooLarge: 431
        case .unavailable: 503
        case .versionNotSupported: 505
        }
    }
}
