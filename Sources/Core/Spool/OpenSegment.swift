import Glibc
import Linux
import Synchronization

/// A segment that a worker writes, shared with the thread that syncs it; its descriptor is closed
/// when the last of the two lets go, so never under a running fdatasync.
///
/// Memory order: the writer publishes `written` with release after write(2) has returned, and
/// `isRetired` with release after its last `written`; the syncing thread reads them in the opposite
/// order with acquire, so that a retired segment's `written` is final.
final class OpenSegment: Sendable {
    let name: SegmentName
    let path: String
    private let folder: String
    private let descriptor: Descriptor
    /// Bytes of the header and of whole frames.
    let written = Atomic<Int>(0)
    /// Bytes known to be on the device. Written by whoever syncs, one thread at a time.
    private let synced = Atomic<Int>(0)
    /// The writer will append no more.
    let isRetired = Atomic<Bool>(false)
    /// An fdatasync failed. The kernel may have dropped the pages and would call the next one a
    /// success (fsync(2), NOTES), so this is final and the writer begins another segment.
    let hasSyncFailed = Atomic<Bool>(false)

    /// - Throws: EEXIST if the name was used before.
    init(_ name: SegmentName, folder: String) throws(SystemError) {
        self.name = name
        self.folder = folder
        path = "\(folder)/\(name)"
        descriptor = try File.open(path, .createNew)
    }

    /// - Returns: what went wrong; then any prefix of the bytes may be in the file.
    func append(_ bytes: UnsafeRawBufferPointer) -> SystemError? {
        do throws(SystemError) {
            try File.writeWhole(bytes, to: descriptor, path: path)
        } catch {
            return error
        }
        written.store(written.load(ordering: .relaxed) + bytes.count, ordering: .releasing)
        return nil
    }

    var isDirty: Bool {
        written.load(ordering: .acquiring) > synced.load(ordering: .relaxed)
    }

    /// Puts what is written on the device, the first time also the segment's name.
    /// - Returns: what went wrong; then the segment is of no more use if ``hasSyncFailed``.
    func sync() -> SystemError? {
        let bytes = written.load(ordering: .acquiring)
        do throws(SystemError) {
            try File.syncData(descriptor, path: path)
            if synced.load(ordering: .relaxed) == 0 { try File.syncDirectory(folder) }
        } catch {
            // To sync the folder it has to be opened, for which descriptors may have run out: that
            // says nothing of the pages, and the next round tries again.
            let isShortOfDescriptors = error.code == EMFILE || error.code == ENFILE
            hasSyncFailed.store(!isShortOfDescriptors, ordering: .relaxed)
            return error
        }
        synced.store(bytes, ordering: .relaxed)
        return nil
    }

    /// Whether somebody removed the file: writing goes on without an error, into nothing.
    var isUnlinked: Bool {
        var status = stat()
        return fstat(descriptor.raw, &status) == 0 && status.st_nlink == 0
    }

    /// Removes the file, for a segment without a whole frame only. That it fails does not matter:
    /// Ingest removes it later.
    func takeBack() {
        _ = unlink(path)
    }
}
