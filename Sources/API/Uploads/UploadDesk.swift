import Clicks
import Hummingbird
import Linux
import Logging
import ObjectStore
import Postgres
import Synchronization

// An upload's way: its body into memory, from there through the image program, and what that made
// into the store. Each step has its own bound, and whose fault a failure is is decided at the step
// that failed.

/// What uploads are taken in by; one for the service.
package struct UploadDesk: Sendable {
    let images: ImageProgram
    let store: ImageStore
    /// What addresses of images begin with, without a slash at its end.
    let publicBase: String
    let perHour: Int
    private let storing: WorkLanes
    private let slots = UploadSlots()

    /// Stored at once; a bucket that is away holds each for up to a minute.
    private static let storingLanes = 4
    private static let storingQueueMax = 64
    /// A body that takes longer is given up: a banner at 90 KB a second.
    private static let bodySeconds: Int64 = 120

    /// - Parameter ownURL: where clients reach the API, which serves images of a folder itself.
    package init(_ settings: UploadSettings, ownURL: String) {
        images = ImageProgram(
            path: settings.program, lanes: settings.lanes, queueMax: settings.queueMax)
        store = settings.bucket.map { .bucket($0) } ?? .folder(settings.directory)
        let own = ownURL.hasSuffix("/") ? String(ownURL.dropLast()) : ownURL
        publicBase = settings.publicBase ?? own
        perHour = settings.perHour
        storing = WorkLanes(
            name: "image-store", lanes: UploadDesk.storingLanes,
            queueMax: UploadDesk.storingQueueMax)
    }

    /// Why uploads will be answered 503, as sentences for the log at start.
    package var complaints: [String] {
        let missing =
            images.path == nil
            ? "no program makes images: set IMAGE_PROGRAM, or put Thumbnailer beside this one" : nil
        return [missing, store.complaint()].compactMap(\.self)
    }

    /// Lets one body in at a time and account, up to a bound.
    func admitted<Value: Sendable>(
        _ account: Identifier, _ body: () async throws -> Value
    ) async throws -> Value {
        try slots.enter(account)
        defer { slots.leave(account) }
        return try await body()
    }

    /// Reads a form to its end.
    func receive(_ request: Request) async throws -> UploadForm.Received {
        let deadline = ContinuousClock.now + .seconds(UploadDesk.bodySeconds)
        do {
            var form = try UploadForm(contentType: request.headers[.contentType] ?? "")
            for try await piece in request.body {
                guard ContinuousClock.now < deadline else { throw UploadRefusal.tooSlow }
                try piece.withUnsafeReadableBytes { try form.consume($0) }
            }
            return try form.finish()
        } catch is MultipartFault {
            throw UploadRefusal.formMalformed
        }
    }

    /// Makes picture and thumbnail.
    func make(_ received: UploadForm.Received, logger: Logger) async throws -> MadeImages {
        do {
            return try await images.make(of: received.file)
        } catch let failure as ImageProgramFailure {
            logger.error("upload", metadata: ["reason": .string("\(failure)")])
            throw failure.outage
        }
    }

    /// Stores both; the picture last, so that where it is its thumbnail is, too.
    func put(
        _ made: MadeImages, id: Identifier, at time: Timestamp, logger: Logger
    ) async throws {
        let store = store
        let names = [true, false].map { ImageName(id: id, at: time, isThumbnail: $0) }
        do {
            try await storing.run {
                do {
                    try store.put(made.thumbnail, as: names[0])
                    try store.put(made.picture, as: names[1])
                } catch {
                    for name in names { store.remove(name) }
                    throw error
                }
            }
        } catch is WorkLanes.Full {
            throw UploadOutage.queueFull
        } catch let error where error is SystemError || error is ObjectStoreError {
            logger.error("upload", metadata: ["reason": .string("not stored: \(error)")])
            throw UploadOutage.storeAway
        }
    }

    /// Deletes both; the picture first, so that nobody is shown one without its thumbnail for long.
    /// - Throws: `SystemError`, `ObjectStoreError` or ``WorkLanes/Full``; then try again.
    func discard(_ id: Identifier, at time: Timestamp) async throws {
        let store = store
        let names = [false, true].map { ImageName(id: id, at: time, isThumbnail: $0) }
        try await storing.run { for name in names { try store.delete(name) } }
    }

    /// Where clients find it.
    func address(of name: ImageName) -> String { "\(publicBase)/\(name.path)" }
}

/// Bodies that are coming in or worked on: each holds up to ten megabytes. Thread-safe.
///
/// Invariant: every account's number is that of its bodies, none is kept at zero.
final class UploadSlots: Sendable {
    static let bodiesMax = 64
    /// A page of a shop sends its pictures side by side.
    static let bodiesOfAccountMax = 6

    private let counts = Mutex([Identifier: Int]())

    func enter(_ account: Identifier) throws {
        try counts.withLock { counts in
            guard counts[account, default: 0] < UploadSlots.bodiesOfAccountMax else {
                throw UploadRefusal.tooMany(retryAfterSeconds: 5)
            }
            guard counts.values.reduce(0, +) < UploadSlots.bodiesMax else {
                throw UploadOutage.queueFull
            }
            counts[account, default: 0] += 1
        }
    }

    func leave(_ account: Identifier) {
        counts.withLock { counts in
            guard let count = counts[account] else {
                preconditionFailure("whoever leaves has entered")
            }
            counts[account] = count == 1 ? nil : count - 1
        }
    }
}
