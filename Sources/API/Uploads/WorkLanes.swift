import Foundation
import Linux
import Synchronization

// Work that blocks for long (a program that decodes an image, a disk, a bucket) on threads of its
// own. Not on Swift's own pool, which has as many threads as the machine has cores, nor on
// Dispatch's, whose few are shared with everything else that waits.

/// A fixed number of threads and a queue before them. Thread-safe.
///
/// The threads start with the first work and end with the last reference; work that was taken is
/// done in any case.
final class WorkLanes: Sendable {
    /// The queue is full; nothing was begun.
    struct Full: Error {}

    private struct State {
        var waiting: [@Sendable () -> Void] = []
        /// Waiting or under way.
        var count = 0
        var isStarted = false
        var isOver = false
    }

    /// What the threads hold on to, so that the lanes themselves can go.
    private final class Shared: Sendable {
        let state = Mutex(State())
        let bell = DispatchSemaphore(value: 0)
    }

    private let name: String
    private let lanes: Int
    private let countMax: Int
    private let shared = Shared()

    /// - Parameters:
    ///   - name: of the threads, at most 15 bytes.
    ///   - lanes: pieces of work at once.
    ///   - queueMax: pieces that wait besides.
    init(name: String, lanes: Int, queueMax: Int) {
        precondition(lanes > 0 && queueMax >= 0, "somebody has to do the work")
        self.name = name
        self.lanes = lanes
        countMax = lanes + queueMax
    }

    deinit {
        shared.state.withLock { $0.isOver = true }
        for _ in 0..<lanes { shared.bell.signal() }
    }

    /// Does the work on one of the threads. - Throws: what it throws, or ``Full`` at once.
    func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value
    {
        try await withCheckedThrowingContinuation { continuation in
            let isTaken = take { continuation.resume(with: Result { try work() }) }
            if !isTaken { continuation.resume(throwing: Full()) }
        }
    }

    private func take(_ work: @escaping @Sendable () -> Void) -> Bool {
        let (isTaken, isFirst) = shared.state.withLock { state -> (Bool, Bool) in
            guard state.count < countMax else { return (false, false) }
            state.count += 1
            state.waiting.append(work)
            defer { state.isStarted = true }
            return (true, !state.isStarted)
        }
        if isFirst {
            for _ in 0..<lanes {
                // Not joined: a lane ends by itself when there is nothing left to do.
                _ = SystemThread(name: name) { [shared] in WorkLanes.serve(shared) }
            }
        }
        if isTaken { shared.bell.signal() }
        return isTaken
    }

    private static func serve(_ shared: Shared) {
        while true {
            shared.bell.wait()
            let next = shared.state.withLock { state -> (@Sendable () -> Void)? in
                state.waiting.isEmpty ? nil : state.waiting.removeFirst()
            }
            guard let next else {
                // Rung without work: the lanes are given up.
                if shared.state.withLock({ $0.isOver }) { return }
                continue
            }
            next()
            shared.state.withLock { $0.count -= 1 }
        }
    }
}
