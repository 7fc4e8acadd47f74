// Links down: from the gonggus in PostgreSQL to the file that the edge maps.
//
// A change is told by NOTIFY, several that come together are one rebuild, and a sweep every half
// minute finds what a lost notification would have hidden. A file whose content would be the one
// already published is not written, so a sweep costs the edge nothing.

import Admin
import Clicks
import Links
import Linux
import Postgres
import Settings

/// Keeps the links file true until stopped. Confined to one thread.
///
/// Unchecked: made by the main thread, handed to its own by the caller, touched by no other.
final class LinkPublisher: @unchecked Sendable {
    /// What a round came to.
    struct Round: Equatable {
        var links = 0
        /// Gonggus whose URL cannot be sent to anybody.
        var refused = 0
        /// False if the file in place already said the same.
        var isWritten = false
    }

    private let path: String
    private let databaseURL: Secret
    private let gauges: IngestGauges
    private var db: Connection?
    /// What was last found or put in place: the file, and its content's checksum.
    private var inPlace: (file: File.Identity, checksum: UInt64)?

    private static let channel = "links_changed"
    private static let sweepMilliseconds = 30_000
    /// Changes this close together become one file.
    private static let coalesceMilliseconds = 20
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
                let round = try runOnce()
                backOffMilliseconds = 100
                gauges.notePublished(
                    links: round.links, refused: round.refused, isWritten: round.isWritten)
                try awaitChange(stopping)
            } catch {
                db = nil
                if gauges.noteLinksDown("\(error)") {
                    Log.error("links not published", [("reason", "\(error)")])
                }
                stopping.wait(milliseconds: backOffMilliseconds)
                backOffMilliseconds = min(
                    backOffMilliseconds * 2, LinkPublisher.backOffMillisecondsMax)
            }
        }
    }

    /// Reads all links and publishes them if they differ from what is in place.
    func runOnce() throws -> Round {
        let db = try connected()
        try File.makeDirectories(File.folder(of: path))
        let writer = try LinksWriter(
            path: path, generatedAt: Timestamp(microseconds: Clock.now()))
        var round = Round()
        try LinkQueries.snapshot(of: db) { db in
            var after: Identifier? = Identifier(high: 0, low: 0)
            while let last = after {
                let page = try LinkQueries.links(after: last, in: db)
                for link in page { try add(link, to: writer, &round) }
                after = page.count < LinkQueries.pageLinksMax ? nil : page.last?.id
            }
        }
        if writer.contentChecksum != inPlaceChecksum() {
            _ = try writer.finish()
            inPlace = File.identity(of: path).map { ($0, writer.contentChecksum) }
            round.isWritten = true
        }
        return round
    }

    private func add(
        _ link: PublishedLink, to writer: LinksWriter, _ round: inout Round
    ) throws {
        let location: [UInt8]
        do {
            location = try TrackedURL.location(externalURL: link.externalURL, gonggu: link.id)
        } catch {
            round.refused += 1
            return
        }
        try writer.add(
            LinkSource(
                id: link.id, influencerID: link.influencerID, shortCode: link.shortCode,
                opensAt: link.opensAt, closesAt: link.closesAt, isSuspended: link.isSuspended,
                location: location))
        round.links += 1
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

    private func awaitChange(_ stopping: WakeSignal) throws {
        let db = try connected()
        let notices = try db.waitForNotifications(
            timeoutMilliseconds: LinkPublisher.sweepMilliseconds, wakeDescriptor: stopping.raw)
        guard !notices.isEmpty, !stopping.isRaised else { return }
        stopping.wait(milliseconds: LinkPublisher.coalesceMilliseconds)
        _ = try db.waitForNotifications(timeoutMilliseconds: 0, wakeDescriptor: nil)
    }

    private func connected() throws -> Connection {
        if let db, !db.isLost { return db }
        let db = try Connection.toLedger(databaseURL, as: "gonggumoa-ingest-links")
        // Before the first read, so that a change between the two is told.
        try db.listen(to: LinkPublisher.channel)
        self.db = db
        return db
    }
}
