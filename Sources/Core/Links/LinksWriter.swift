// Writes a links file beside the one it will replace, gives it the name when it is on the device.
import Checksum
import Clicks
import Glibc
import Linux

extension LinkImage {
    /// Writes all links into a file that is complete before it has its name; until then the old one
    /// stands, and a write that fails leaves nothing.
    ///
    /// Cost: a copy and a checksum of the image, and what the device takes to sync it.
    /// - Returns: the file's bytes.
    @discardableResult
    package func write(to path: String, generatedAt: Timestamp) throws(LinksError) -> Int {
        try write(to: LinksOutput(path: path), generatedAt: generatedAt)
    }

    fileprivate func write(
        to output: LinksOutput, generatedAt: Timestamp
    ) throws(LinksError) -> Int {
        try sweepIfWorthwhile()
        let records = records
        var header = LinksHeader()
        header.links = count
        header.slots = index.slots
        header.recordsBytes = records.count - LinksFormat.headerBytes
        header.generatedAtMicros = generatedAt.microseconds
        (header.seedFirst, header.seedSecond) = index.hash.seed
        header.contentChecksum = contentChecksum
        try output.append(records, headerBytes: LinksFormat.headerBytes)
        try output.pad(toMultipleOf: 64)
        header.indexAt = output.bytes
        try output.append(index.bytes)
        header.fileBytes = output.bytes
        header.bodyChecksum = output.checksum
        try output.finish(header)
        return header.fileBytes
    }
}

/// A file in the making. Dropped before ``finish(_:)`` has returned it is removed. One thread.
private final class LinksOutput {
    private let path: String
    private let temporaryPath: String
    private let file: Descriptor
    private var isFinished = false
    private(set) var bytes = 0
    private(set) var checksum: UInt32 = 0

    /// Written at once, from one multiple of it to the next, for the sake of who maps the file.
    private static let chunkBytes = MappedPages.largeBytes

    init(path: String) throws(LinksError) {
        self.path = path
        temporaryPath = "\(path).tmp-\(getpid())"
        LinksOutput.removeLeftovers(of: path)
        do throws(SystemError) {
            file = try File.open(temporaryPath, .createOrTruncate, mode: 0o644)
        } catch {
            throw .system(error)
        }
    }

    deinit {
        if !isFinished { unlink(temporaryPath) }
    }

    /// - Parameter headerBytes: so many at the beginning are no part of what is checksummed.
    func append(_ all: UnsafeRawBufferPointer, headerBytes: Int = 0) throws(LinksError) {
        var rest = all
        while !rest.isEmpty {
            let room = LinksOutput.chunkBytes - bytes % LinksOutput.chunkBytes
            let chunk = UnsafeRawBufferPointer(rebasing: rest.prefix(room))
            let body = rest.count == all.count ? chunk.dropFirst(headerBytes) : chunk[...]
            checksum = CRC32C.of(UnsafeRawBufferPointer(rebasing: body), continuing: checksum)
            do throws(SystemError) {
                try File.writeWhole(chunk, to: file, path: temporaryPath)
            } catch {
                throw .system(error)
            }
            bytes += chunk.count
            rest = UnsafeRawBufferPointer(rebasing: rest[chunk.count...])
        }
    }

    func pad(toMultipleOf unit: Int) throws(LinksError) {
        let zeros = UnsafeMutableRawBufferPointer.allocate(
            byteCount: (unit - bytes % unit) % unit, alignment: 8)
        defer { zeros.deallocate() }
        zeros.initializeMemory(as: UInt8.self, repeating: 0)
        try append(UnsafeRawBufferPointer(zeros))
    }

    /// Puts the header before the rest, the file on the device, and the name on the file.
    func finish(_ header: LinksHeader) throws(LinksError) {
        let failure = withUnsafeTemporaryAllocation(
            byteCount: LinksFormat.headerBytes, alignment: 8
        ) { bytes -> SystemError? in
            header.write(to: bytes)
            let count = pwrite(file.raw, bytes.baseAddress, bytes.count, 0)
            return count == bytes.count ? nil : SystemError("pwrite", temporaryPath)
        }
        if let failure { throw .system(failure) }
        do throws(SystemError) {
            try File.sync(file, path: temporaryPath)
            try File.rename(temporaryPath, to: path)
            isFinished = true
            try File.syncDirectory(File.folder(of: path))
        } catch {
            throw .system(error)
        }
    }

    /// Removes what writers that were killed have left; there is one publisher a file.
    private static func removeLeftovers(of path: String) {
        let prefix = path.split(separator: "/").last.map { $0 + ".tmp-" } ?? ".tmp-"
        let folder = File.folder(of: path)
        // A folder that cannot be listed is reported by the open that follows.
        for name in (try? File.list(folder)) ?? [] where name.hasPrefix(prefix) {
            unlink("\(folder)/\(name)")
        }
    }
}

/// Writes a file of links given one after the other, of which none may come twice. One thread.
package final class LinksWriter {
    private let output: LinksOutput
    private let generatedAt: Timestamp
    private let image: LinkImage

    /// - Parameters:
    ///   - path: the links file to make or replace.
    ///   - seed: random by default; given by tests, since the same links in the same order with the
    ///     same seed and time make the same bytes.
    package init(
        path: String, generatedAt: Timestamp, seed: (UInt64, UInt64)? = nil
    ) throws(LinksError) {
        output = try LinksOutput(path: path)
        self.generatedAt = generatedAt
        image = LinkImage(seed: seed)
    }

    /// Of the links given so far.
    package var contentChecksum: UInt64 { image.contentChecksum }

    /// - Throws: an id or code that was given before, or what no file can hold.
    package func add(_ link: LinkSource) throws(LinksError) {
        let known = image.has(link)
        if known.id { throw .duplicateID(link.id) }
        if known.code { throw .duplicateCode(link.shortCode) }
        try image.put(link)
    }

    /// Writes the file and gives it its name.
    package func finish() throws(LinksError) -> (links: Int, bytes: Int) {
        (image.count, try image.write(to: output, generatedAt: generatedAt))
    }
}
