import Clicks
import Hummingbird
import Linux
import Logging
import ObjectStore
import Postgres
import ServiceLifecycle

// Pictures of erased people, and what tries that failed may have left. Whoever forgets whose an
// image was writes it into discarded_images in the same transaction; its files are deleted later,
// here, and the row after them. So a process that dies and a bucket that is away delay it, and
// nothing is forgotten. A try is noted before it is made, with the time of the next one: what
// crashes a process is not tried at once again.
//
// Caches before the store keep what they have for as long as they were told; a CDN is purged by its
// operator.

/// What a round came to.
package struct DisposalReport: Equatable, Sendable {
    package var deleted = 0
    /// Tried again later.
    package var failed = 0
}

/// Deletes the files of discarded images, a bounded number at a time, every minute. Of several
/// processes each takes other rows.
package struct ImageDisposal: Service {
    let pool: ConnectionPool
    let desk: UploadDesk
    let logger: Logger
    let pauseSeconds: Int
    /// Images a round; more are left for the next one.
    static let batchMax = 100
    /// Failures one after the other after which a round ends: the store is away.
    static let failuresMax = 3

    package init(pool: ConnectionPool, desk: UploadDesk, logger: Logger, pauseSeconds: Int = 60) {
        self.pool = pool
        self.desk = desk
        self.logger = logger
        self.pauseSeconds = pauseSeconds
    }

    package func run() async throws {
        await repeatRounds(pauseSeconds: pauseSeconds, logger, failure: "images are not deleted") {
            _ = try await runOnce()
        }
    }

    /// One round: takes what is due, each image's two files, the longest due first.
    package func runOnce() async throws -> DisposalReport {
        let images = try await pool.run {
            try DiscardQueries.take(limit: ImageDisposal.batchMax, in: $0)
        }
        var report = DisposalReport()
        var failures = 0
        var reason = ""
        for image in images where failures < ImageDisposal.failuresMax {
            do {
                try await desk.discard(image.id, at: image.createdAt)
            } catch let error
                where error is SystemError || error is ObjectStoreError || error is WorkLanes.Full
            {
                failures += 1
                reason = "\(error)"
                continue
            }
            failures = 0
            try await pool.run { try DiscardQueries.finish(image.id, in: $0) }
            report.deleted += 1
        }
        report.failed = images.count - report.deleted
        if report.failed > 0 {
            logger.error(
                "images are not deleted",
                metadata: [
                    "failed": "\(report.failed)", "deleted": "\(report.deleted)",
                    "reason": .string(reason),
                ])
        }
        return report
    }
}
