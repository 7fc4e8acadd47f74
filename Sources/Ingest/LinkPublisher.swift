// Links down: from the gonggus and banners in PostgreSQL to the file that the edge maps.
//
// All links are held in memory as their file is laid out (LinkImage). A change names its links by
// NOTIFY, after its commit; they are read by their ids, which is right whatever order transactions
// took, and the whole file is written by copying. Notifications that are lost were lost with their
// connection, so a new connection reads everything; so does a rare sweep, against what nobody
// thought of. A file whose content would be the one already published is not written.
//
// The first change after a quiet time is published at once. Then there is a pause of at least
// `pauseMillisecondsMin`, and of twice what the round took: however many changes there are, and
// however slow the disk is, a third of this thread's time goes to them.

import Admin
import Clicks
import Links
import Linux
import Postgres
import Settings

/// Keeps the links file true until stopped. Confined to one thread.
///
/// Memory: the image, as large as the file; 40 bytes a refused link.
///
/// Unchecked: made by the main thread, handed to its own by the caller, touched by no other.
final class LinkPublisher: @unchecked Sendable {
    /// What a round came to.
    struct Round: Equatable {
        var links = 0
        /// Gonggus and banners whose URL cannot be sent to anybody.
        var refused = 0
        /// False if the file in place already said the same.
        var isWritten = false
    }

    private let path: String
    private let databaseURL: Secret
    private let gauges: IngestGauges
    private var db: Connection?
    private let image = LinkImage()
    private var refused: Set<Identifier> = []
    /// Links that were named and not read since.
    private var named: Set<Identifier> = []
    /// When all links are to be read, monotonic; nil is now.
    private var readingDue: Int64?
    /// Whether by a change, not by a new connection or the clock.
    private var isReadingAsked = false
    /// What was last found or put in place: the file, and its content's checksum.
    private var inPlace: (file: File.Identity, checksum: UInt64)?
    private var totals = LinkTotals()

    private static let channel = "links_changed"
    private static let pauseMillisecondsMin: Int64 = 200
    private static let sweepMicroseconds: Int64 = 600 * 1_000_000
    /// A reading of all takes at most so much of the time, however many links there are.
    private static let readingShare: Int64 = 30
    /// A look whether the file is still ours.
    private static let lookMilliseconds = 5000
    /// Above it, reading all costs less than reading each.
    private static let namedMax = 50_000
    /// Looks for more notices before what they name is read.
    private static let noticeRoundsMax = 100
    private static let readingTimeoutSeconds = 600
    private static let backOffMillisecondsMax = 5000

    init(path: String, databaseURL: Secret, gauges: IngestGauges) {
        self.path = path
        self.databaseURL = databaseURL
        self.gauges = gauges
    }

    func run(until stopping: WakeSignal) {
        var backOffMilliseconds = 100
        while !stopping.isRaised {
            do {
                let micros = try catchUp()
                backOffMilliseconds = 100
                gauges.notePublished(totals)
                if micros > 0 {
                    let pause = max(2 * micros / 1000, LinkPublisher.pauseMillisecondsMin)
                    stopping.wait(milliseconds: Int(pause))
                }
                try awaitChange(stopping)
            } catch {
                // What the disk refuses says nothing about the database.
                if !(error is LinksError || error is SystemError) { forgetConnection() }
                if gauges.noteLinksDown("\(error)") {
                    Log.error("links not published", [("reason", "\(error)")])
                }
                stopping.wait(milliseconds: backOffMilliseconds)
                backOffMilliseconds = min(
                    backOffMilliseconds * 2, LinkPublisher.backOffMillisecondsMax)
                takeNotices()
            }
        }
    }

    /// Reads all links and publishes them if they differ from what is in place.
    func runOnce() throws -> Round {
        readingDue = nil
        let files = totals.files
        try catchUp()
        return Round(
            links: totals.links, refused: totals.refused, isWritten: totals.files > files)
    }

    // MARK: A round

    /// Reads what is to be read and publishes it.
    ///
    /// - Returns: the µs that changes have cost, 0 if there were none. A reading of all that nobody
    ///   asked for is not among them: it has its own share of the time.
    @discardableResult
    private func catchUp() throws -> Int64 {
        let db = try connected()
        var began = Clock.monotonic()
        let isAsked = isReadingAsked
        var isBusy = isAsked || !named.isEmpty
        if readingDue.map({ $0 <= began }) ?? true {
            try readAll(db)
            if !isAsked { began = Clock.monotonic() }
        } else if !named.isEmpty {
            try readNamed(db)
        }
        totals.links = image.count
        totals.refused = refused.count
        totals.imageBytes = image.memoryBytes
        if image.contentChecksum != inPlaceChecksum() {
            try write()
            isBusy = true
        }
        return isBusy ? Clock.monotonic() - began : 0
    }

    private func readAll(_ db: Connection) throws {
        let began = Clock.monotonic()
        // Until it has ended, also by an error, the image is of no moment at all.
        readingDue = nil
        isReadingAsked = false
        named = []
        refused = []
        image.beginReading()
        try LinkQueries.allLinks(in: db) { try take($0, leadingTo: $1) }
        try image.endReading()
        let micros = Clock.monotonic() - began
        readingDue =
            began
            + max(LinkPublisher.sweepMicroseconds, LinkPublisher.readingShare * micros)
        totals.readings += 1
        totals.readingMicros += micros
    }

    private func readNamed(_ db: Connection) throws {
        var rest = Array(named)
        while !rest.isEmpty {
            let ids = Array(rest.suffix(LinkQueries.namedLinksMax))
            rest.removeLast(ids.count)
            var gone = Set(ids)
            try LinkQueries.links(ids, in: db) { link, url in
                gone.remove(link.id)
                try take(link, leadingTo: url)
            }
            for id in gone {
                image.remove(id)
                refused.remove(id)
            }
            totals.named += ids.count
        }
        named = []
    }

    /// One that no edge can use is left out, and the others go on.
    private func take(
        _ link: PublishedLink, leadingTo url: UnsafeRawBufferPointer
    ) throws(LinksError) {
        do {
            let location = try TrackedURL.location(of: url, id: link.id)
            try image.put(
                LinkSource(
                    kind: link.kind, id: link.id, influencerID: link.influencerID,
                    shortCode: link.shortCode, opensAt: link.opensAt, closesAt: link.closesAt,
                    isSuspended: link.isSuspended, location: location))
            if !refused.isEmpty { refused.remove(link.id) }
        } catch let error as LinksError where !error.isOfOneLink {
            throw error
        } catch {
            image.remove(link.id)
            refused.insert(link.id)
        }
    }

    private func write() throws {
        let began = Clock.monotonic()
        try File.makeDirectories(File.folder(of: path))
        totals.fileBytes = try image.write(
            to: path, generatedAt: Timestamp(microseconds: Clock.now()))
        inPlace = File.identity(of: path).map { ($0, image.contentChecksum) }
        totals.files += 1
        totals.writingMicros += Clock.monotonic() - began
    }

    /// Of the file that the edge reads: a file that was removed or replaced by others is made anew.
    private func inPlaceChecksum() -> UInt64? {
        guard let file = File.identity(of: path) else { return nil }
        if let inPlace, inPlace.file == file { return inPlace.checksum }
        // A bad file is as good as none: it is about to be replaced.
        guard let checksum = try? LinkTable(path: path).contentChecksum else { return nil }
        inPlace = (file, checksum)
        return checksum
    }

    // MARK: Being told

    /// Waits until a change is told, it is time to look or to read all, or the process stops.
    private func awaitChange(_ stopping: WakeSignal) throws {
        let db = try connected()
        let untilReading = max(0, ((readingDue ?? 0) - Clock.monotonic()) / 1000)
        let notices = try db.waitForNotifications(
            timeoutMilliseconds: min(Int(untilReading), LinkPublisher.lookMilliseconds),
            wakeDescriptor: stopping.raw)
        for notice in notices { note(notice.payload) }
        // All that have come by now, since each round has its price.
        if !notices.isEmpty { takeNotices() }
    }

    /// Takes what was told so far, also while nothing can be written: the server keeps it for us,
    /// and has room for so much. But not for ever.
    private func takeNotices() {
        guard let db else { return }
        for _ in 0..<LinkPublisher.noticeRoundsMax {
            guard
                // A connection that is lost is met again by whoever uses it next.
                let notices = try? db.waitForNotifications(timeoutMilliseconds: 0),
                !notices.isEmpty
            else { return }
            for notice in notices { note(notice.payload) }
        }
    }

    /// An id, or "all" in any other words.
    private func note(_ payload: String) {
        guard let id = Identifier(payload), named.count < LinkPublisher.namedMax else {
            readingDue = nil
            isReadingAsked = true
            return
        }
        named.insert(id)
    }

    private func forgetConnection() {
        db = nil
        readingDue = nil
    }

    private func connected() throws -> Connection {
        if let db, !db.isLost { return db }
        forgetConnection()
        let db = try Connection.toLedger(databaseURL, as: "gonggumoa-ingest-links")
        // Of all links, a statement may take longer than others have patience for.
        try db.run(
            script: "set statement_timeout = '\(LinkPublisher.readingTimeoutSeconds)s'")
        // Before the first read, so that a change between the two is told.
        try db.listen(to: LinkPublisher.channel)
        self.db = db
        return db
    }
}
