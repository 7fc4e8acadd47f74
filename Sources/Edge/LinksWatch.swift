// Links come down here: Ingest replaces the links file, this thread notices, opens the new one and
// hands it to every worker. The old table is let go here, after the last worker has moved on, since
// unmapping a large file takes milliseconds that no click should wait for.

import Admin
import Links
import Linux
import Synchronization

/// Keeps the workers' link table the newest good one.
final class LinksWatch: Sendable {
    private struct State {
        var table: LinkTable?
        /// The file last opened or refused: it is not tried again until it changes.
        var seen: File.Identity?
    }

    private let path: String
    private let inboxes: [WorkerInbox]
    private let watch: FolderWatch
    private let stopping: WakeSignal
    private let state: Mutex<State>
    private let refused = Atomic<UInt64>(0)
    private let swapped = Atomic<UInt64>(0)
    private let swapMicroseconds = Atomic<Int64>(0)

    /// A look without a notice, for file systems that give none.
    private static let sweepMilliseconds: Int32 = 1000
    private static let adoptionPollMilliseconds = 1

    /// Opens the file if there is a good one, so that the workers start with it.
    init(path: String, inboxes: [WorkerInbox]) throws(SystemError) {
        self.path = path
        self.inboxes = inboxes
        let folder = File.folder(of: path)
        try File.makeDirectories(folder)
        watch = try FolderWatch(folder: folder)
        stopping = try WakeSignal()
        let seen = File.identity(of: path)
        state = Mutex(State(table: nil, seen: seen))
        if seen != nil, let table = open() { state.withLock { $0.table = table } }
    }

    /// The table that all workers go by; nil while there has been no good file.
    var table: LinkTable? { state.withLock { $0.table } }
    var refusals: UInt64 { refused.load(ordering: .relaxed) }
    var swaps: UInt64 { swapped.load(ordering: .relaxed) }
    /// All swaps together, from the change noticed to the last worker's adoption: the file is
    /// read and checked between.
    var swapSeconds: Double { Double(swapMicroseconds.load(ordering: .relaxed)) / 1e6 }

    /// Watches until ``stop()``; blocks its thread.
    func run() throws(SystemError) {
        // Reading and checking a million links is a tenth of a second's work that no click on the
        // same processor should wait for.
        SystemThread.giveWay()
        let epoll = try Epoll()
        try epoll.add(stopping.raw, .read, token: 0)
        try epoll.add(watch.raw, .read, token: 1)
        let events = UnsafeMutableBufferPointer<Epoll.Event>.allocate(capacity: 2)
        defer { events.deallocate() }
        while true {
            let count = epoll.wait(into: events, timeoutMilliseconds: LinksWatch.sweepMilliseconds)
            for event in events.prefix(count) where event.data.u64 == 0 { return }
            watch.clear()
            replaceIfChanged()
        }
    }

    func stop() {
        stopping.raise()
    }

    private func replaceIfChanged() {
        let identity = File.identity(of: path)
        guard let identity, identity != state.withLock({ $0.seen }) else { return }
        state.withLock { $0.seen = identity }
        let start = Clock.monotonic()
        guard let new = open() else { return }
        defer { swapMicroseconds.add(Clock.monotonic() - start, ordering: .relaxed) }
        for inbox in inboxes { inbox.send(links: new) }
        awaitAdoption()
        // Told only now that all workers know its links. Ours is the last reference to the old one.
        let old = state.withLock { state in
            defer { state.table = new }
            return state.table
        }
        _ = consume old
        swapped.add(1, ordering: .relaxed)
    }

    private func awaitAdoption() {
        while !inboxes.allSatisfy(\.hasAdoptedLinks) && !stopping.isRaised {
            Clock.sleep(milliseconds: LinksWatch.adoptionPollMilliseconds)
        }
    }

    /// A bad file is refused and the last good one serves on.
    private func open() -> LinkTable? {
        do throws(LinksError) {
            let table = try LinkTable(path: path)
            Log.info("links loaded", [("count", "\(table.linkCount)")])
            return table
        } catch {
            refused.add(1, ordering: .relaxed)
            Log.error("links file refused", [("reason", "\(error)")])
            return nil
        }
    }
}
