import Crypto
import Glibc
import Linux
import ObjectStore

// Images are kept in a folder or in a bucket. In both an image is there whole or not at all: a file
// is written beside its place under another name, brought to the disk, and then renamed; a bucket
// takes an object by one signed request that names its bytes' hash.

/// Where images go. Every call blocks; see ``WorkLanes``.
enum ImageStore: Sendable {
    case folder(String)
    case bucket(S3Bucket)

    static let mediaType = "image/webp"
    static let cacheControl = "public, max-age=31536000, immutable"
    /// Of one that the image program has made; it has a bound of its own.
    private static let bytesMax = 128 << 20

    /// Stores it under its name.
    /// - Throws: `SystemError` or `ObjectStoreError`; then there is nothing under the name.
    func put(_ file: MemoryFile, as name: ImageName) throws {
        let bytes = try file.contents(bytesMax: ImageStore.bytesMax)
        switch self {
        case .folder(let root): try ImageStore.write(bytes, to: name, in: root)
        case .bucket(let bucket):
            let digest = Array(SHA256.hash(data: bytes)).hexadecimal
            try bucket.put(
                name.path, file: file.path, bytes: bytes.count, sha256: digest,
                contentType: ImageStore.mediaType, cacheControl: ImageStore.cacheControl)
        }
    }

    /// Takes back what was stored for an upload that then failed. In a bucket, which is likely to
    /// be away, it stays until it is discarded: whole, under a name nobody was told.
    func remove(_ name: ImageName) {
        guard case .folder(let root) = self else { return }
        // It fails only where there is nothing to remove, or no disk, which was said before.
        try? File.remove("\(root)/\(name.path)")
    }

    /// Deletes what is under a name; that there is nothing is no fault.
    /// - Throws: `SystemError` or `ObjectStoreError`.
    func delete(_ name: ImageName) throws {
        switch self {
        case .folder(let root):
            do {
                try File.remove("\(root)/\(name.path)")
            } catch {
                guard error.code == ENOENT else { throw error }
            }
        case .bucket(let bucket): try bucket.delete(name.path)
        }
    }

    private static func write(_ bytes: [UInt8], to name: ImageName, in root: String) throws {
        let path = "\(root)/\(name.path)"
        let folder = File.folder(of: path)
        let isNew = !File.exists(folder)
        try File.makeDirectories(folder)
        // A dot first: no address can name it.
        let temporary = "\(folder)/.\(name.id)\(name.isThumbnail ? "t" : "")"
        do {
            let file = try File.open(temporary, .createOrTruncate)
            try bytes.withUnsafeBytes { try File.writeWhole($0, to: file, path: temporary) }
            try File.sync(file, path: temporary)
            try File.rename(temporary, to: path)
        } catch {
            // The reason is the one above, whatever comes of this.
            try? File.remove(temporary)
            throw error
        }
        try File.syncDirectory(folder)
        guard isNew else { return }
        // The month's folder, the year's and "images" have to be there after a power loss, too.
        var parent = folder
        while parent.count > root.count {
            parent = File.folder(of: parent)
            try File.syncDirectory(parent)
        }
    }

    /// Why nothing could be stored here, as a sentence for the log; nil if nothing speaks against
    /// it. A bucket is not asked.
    func complaint() -> String? {
        guard case .folder(let root) = self else { return nil }
        do throws(SystemError) {
            try File.makeDirectories(root)
        } catch {
            return "UPLOAD_DIRECTORY \(root) cannot be made: \(error)"
        }
        guard access(root, W_OK | X_OK) == 0 else {
            return "UPLOAD_DIRECTORY \(root) cannot be written to"
        }
        return nil
    }
}
