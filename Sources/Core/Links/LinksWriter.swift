// Writes a links file beside the one it will replace. Records go out as they are given; in memory
// there are 20 bytes a link until the index is built, then its 32 to 64.
import Checksum
import Clicks
import Glibc
import Linux

/// A link as the publisher has it.
package struct LinkSource: Sendable {
    package var id: Identifier
    package var influencerID: Identifier
    /// 1 to 16 of `[0-9A-Za-z_-]`.
    package var shortCode: String
    package var opensAt: Timestamp
    package var closesAt: Timestamp
    package var isSuspended: Bool
    /// The value of the `Location` header, as ``TrackedURL`` makes it.
    package var location: [UInt8]

    package init(
        id: Identifier, influencerID: Identifier, shortCode: String, opensAt: Timestamp,
        closesAt: Timestamp, isSuspended: Bool, location: [UInt8]
    ) {
        self.id = id
        self.influencerID = influencerID
        self.shortCode = shortCode
        self.opensAt = opensAt
        self.closesAt = closesAt
        self.isSuspended = isSuspended
        self.location = location
    }
}

/// Writes one file. Until ``finish()`` has returned the old one stands; a writer that is dropped
/// before leaves nothing. One thread.
package final class LinksWriter {
    private let path: String
    private let temporaryPath: String
    private let file: Descriptor
    private let hash: LinkHash
    private var header = LinksHeader()
    private var isFinished = false

    /// Bytes not yet written, and the checksum of all behind the header that are.
    private let buffer: UnsafeMutableRawBufferPointer
    private var buffered = 0
    private var flushed = LinksFormat.headerBytes

    private var idHashes: [UInt64] = []
    private var codeHashes: [UInt64] = []
    /// Where each record is, divided by 8.
    private var places: [UInt32] = []

    /// - Parameters:
    ///   - path: the links file to make or replace.
    ///   - seed: random by default; given by tests, since the same links in the same order with the
    ///     same seed and time make the same bytes.
    package init(
        path: String, generatedAt: Timestamp, seed: (UInt64, UInt64)? = nil
    ) throws(LinksError) {
        let random = Randomness.words(2)
        hash = LinkHash(seed: seed ?? (random[0], random[1]))
        self.path = path
        temporaryPath = "\(path).tmp-\(getpid())"
        header.generatedAtMicros = generatedAt.microseconds
        (header.seedFirst, header.seedSecond) = hash.seed
        LinksWriter.removeLeftovers(of: path)
        do throws(SystemError) {
            file = try File.open(temporaryPath, .createOrTruncate, mode: 0o644)
        } catch {
            throw .system(error)
        }
        buffer = .allocate(byteCount: 1 << 20, alignment: 64)
        let zeros = [UInt8](repeating: 0, count: LinksFormat.headerBytes)
        var failure: SystemError?
        zeros.withUnsafeBytes { failure = LinksWriter.write($0, to: file, temporaryPath) }
        if let failure { throw .system(failure) }
    }

    deinit {
        buffer.deallocate()
        if !isFinished { unlink(temporaryPath) }
    }

    /// Of the links given so far: the same for the same links in any order, so a publisher who
    /// finds the current file's here may drop this one.
    package var contentChecksum: UInt64 { header.contentChecksum }

    /// Adds a link. Duplicates are found by ``finish()``.
    package func add(_ link: LinkSource) throws(LinksError) {
        let code = Array(link.shortCode.utf8)
        guard 1...LinksFormat.shortCodeBytesMax ~= code.count,
            code.allSatisfy(LinksFormat.isShortCodeByte)
        else { throw .shortCode(link.shortCode, of: link.id) }
        guard 1...LinksFormat.locationBytesMax ~= link.location.count else {
            throw .locationBytes(link.location.count, of: link.id)
        }
        let bytes = (LinksFormat.recordFixedBytes + link.location.count + 7) & ~7
        if buffered + bytes > buffer.count { try flush() }
        let place = flushed + buffered
        guard header.links < LinksFormat.linksMax, let word = UInt32(exactly: place / 8) else {
            throw .full(path: path)
        }
        let record = UnsafeMutableRawBufferPointer(
            rebasing: buffer[buffered..<buffered + bytes])
        LinksWriter.encode(link, code: code, to: record)
        let view = UnsafeRawBufferPointer(record)
        header.contentChecksum &+= LinkHash.content(of: view)
        idHashes.append(hash.of(LinkKey(.id, of: view, at: 0)))
        codeHashes.append(hash.of(LinkKey(.code, of: view, at: 0)))
        places.append(word)
        header.links += 1
        header.recordsBytes += bytes
        buffered += bytes
    }

    /// Completes the file, puts it on the device and gives it its name.
    ///
    /// - Throws: an id or code that was given twice; the old file stands.
    package func finish() throws(LinksError) -> (links: Int, bytes: Int) {
        precondition(!isFinished, "a file is finished once")
        let padding = (64 - (flushed + buffered) % 64) % 64
        if buffered + padding > buffer.count { try flush() }
        for _ in 0..<padding {
            buffer[buffered] = 0
            buffered += 1
        }
        try flush()
        header.indexAt = flushed
        try writeIndex()
        header.fileBytes = flushed
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
            try File.syncDirectory(LinksWriter.folder(of: path))
        } catch {
            throw .system(error)
        }
        return (header.links, header.fileBytes)
    }

    // MARK: Parts

    private static func encode(
        _ link: LinkSource, code: [UInt8], to record: UnsafeMutableRawBufferPointer
    ) {
        record.initializeMemory(as: UInt8.self, repeating: 0)
        let start = record.baseAddress!
        start.store(link.id.high, at: 0)
        start.store(link.id.low, at: 8)
        start.store(link.influencerID.high, at: 16)
        start.store(link.influencerID.low, at: 24)
        start.store(link.opensAt.microseconds, at: 32)
        start.store(link.closesAt.microseconds, at: 40)
        (start + 48).copyMemory(from: code, byteCount: code.count)
        start.store(link.isSuspended ? LinksFormat.suspendedFlag : 0, at: 64)
        start.store(UInt16(link.location.count), at: 66)
        (start + LinksFormat.recordFixedBytes).copyMemory(
            from: link.location, byteCount: link.location.count)
    }

    private func writeIndex() throws(LinksError) {
        header.slots = LinksFormat.slots(forLinks: header.links)
        let bytes = header.slots * LinksFormat.slotBytes
        let index = UnsafeMutablePointer<UInt64>.allocate(capacity: header.slots)
        defer { index.deallocate() }
        index.initialize(repeating: 0, count: header.slots)
        for link in places.indices {
            try enter(idHashes[link], places[link], .id, in: index)
            try enter(codeHashes[link], places[link], .code, in: index)
        }
        let view = UnsafeRawBufferPointer(start: index, count: bytes)
        header.bodyChecksum = CRC32C.of(view, continuing: header.bodyChecksum)
        if let failure = LinksWriter.write(view, to: file, temporaryPath) {
            throw .system(failure)
        }
        flushed += bytes
    }

    /// Takes the first free slot for an entry, and finds out a key that is there already.
    private func enter(
        _ hash: UInt64, _ place: UInt32, _ kind: LinkKey.Kind,
        in index: UnsafeMutablePointer<UInt64>
    ) throws(LinksError) {
        let mask = header.slots - 1
        let first = Int(truncatingIfNeeded: hash)
        for distance in 0..<LinksFormat.probeSlotsMax {
            let slot = (first &+ distance) & mask
            let entry = UInt64(littleEndian: index[slot])
            if entry == 0 {
                index[slot] = ((hash & ~0xFFFF_FFFF) | UInt64(place)).littleEndian
                return
            }
            // Equal tags of different keys come once in four thousand million slots looked at.
            if entry >> 32 == hash >> 32 {
                try compare(Int(entry & 0xFFFF_FFFF) * 8, Int(place) * 8, kind)
            }
        }
        throw .crowded(path: path)
    }

    /// - Throws: the duplicate, if the two records have the same key of that kind.
    private func compare(
        _ one: Int, _ other: Int, _ kind: LinkKey.Kind
    ) throws(LinksError) {
        let left = try written(at: one)
        let right = try written(at: other)
        let isSame = left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in
                LinkKey(kind, of: left, at: 0) == LinkKey(kind, of: right, at: 0)
            }
        }
        guard isSame else { return }
        switch kind {
        case .id:
            throw .duplicateID(
                right.withUnsafeBytes { Identifier(high: $0.number(at: 0), low: $0.number(at: 8)) })
        case .code:
            throw .duplicateCode(String(decoding: right[48..<64].prefix { $0 != 0 }, as: UTF8.self))
        }
    }

    /// The fixed part of a record that has been flushed, read back.
    private func written(at place: Int) throws(LinksError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: LinksFormat.recordFixedBytes)
        var failure: SystemError?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(SystemError) {
                let source = try File.open(temporaryPath, .read)
                _ = try File.read(source, into: buffer, at: place, path: temporaryPath)
            } catch {
                failure = error
            }
        }
        if let failure { throw .system(failure) }
        return bytes
    }

    private func flush() throws(LinksError) {
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<buffered])
        header.bodyChecksum = CRC32C.of(bytes, continuing: header.bodyChecksum)
        if let failure = LinksWriter.write(bytes, to: file, temporaryPath) {
            throw .system(failure)
        }
        flushed += buffered
        buffered = 0
    }

    private static func write(
        _ bytes: UnsafeRawBufferPointer, to file: borrowing Descriptor, _ path: String
    ) -> SystemError? {
        do throws(SystemError) {
            try File.writeWhole(bytes, to: file, path: path)
            return nil
        } catch {
            return error
        }
    }

    /// Removes what writers that were killed have left; there is one publisher a file.
    private static func removeLeftovers(of path: String) {
        let prefix = path.split(separator: "/").last.map { $0 + ".tmp-" } ?? ".tmp-"
        let folder = folder(of: path)
        // A folder that cannot be listed is reported by the open that follows.
        for name in (try? File.list(folder)) ?? [] where name.hasPrefix(prefix) {
            unlink("\(folder)/\(name)")
        }
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
