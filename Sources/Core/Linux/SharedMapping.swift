// Memory that outlives the process: a file of fixed size, mapped for all who open it. The page
// cache keeps every store that was made, so `kill -9` loses none; what the stores mean together is
// the affair of whoever lays out the payload.
//
// The file: one page of header, then the payload, which begins on a page. Header words,
// little-endian:
//
//     0  magic "GGSHMAP1"      3  form.version          6…   form.parameters, then zeros
//     1  form.magic            4  boot id, high word         to the end of the page
//     2  payload bytes         5  boot id, low word
//
// Every word of it has one value that fits, so a header is damaged exactly if some word differs.
//
// Invariant: a file under the final name is complete. It is made under another name, gets all its
// blocks and its header, and is then renamed; a file that does not fit is replaced, never changed,
// so that whoever still has the old one mapped goes on undisturbed.
//
// The blocks are there before the first access: a store into a hole of a full disk would be a
// SIGBUS long after start. After a reboot the kernel may have written some pages and not others, so
// a payload from before it is no state that ever was; the boot id tells, and the file is emptied.

import Glibc

/// A file mapped for reading and writing, unmapped with its last reference.
package final class SharedMapping: Sendable {
    /// What the payload is. Two forms that differ in anything cannot read each other's bytes.
    package struct Form: Equatable, Sendable {
        package static let parametersMax = 16

        /// Eight letters, the first in the lowest byte.
        let magic: UInt64
        let version: UInt64
        let payloadBytes: Int
        let parameters: [UInt64]

        /// - Parameters:
        ///   - name: what the payload is, in exactly eight ASCII letters.
        ///   - version: of the payload's layout.
        ///   - parameters: what else must agree: entries, window, a fingerprint of the key. No
        ///     secret: they are in the file as they are.
        package init(
            name: StaticString, version: UInt64, payloadBytes: Int, parameters: [UInt64] = []
        ) {
            precondition(name.utf8CodeUnitCount == 8, "a form's name has eight letters")
            precondition(payloadBytes > 0, "a mapping has a payload")
            precondition(parameters.count <= Form.parametersMax, "a form has few parameters")
            magic = name.withUTF8Buffer { $0.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
            self.version = version
            self.payloadBytes = payloadBytes
            self.parameters = parameters
        }
    }

    /// What was found under the path.
    package enum Opening: Equatable, Sendable {
        /// A payload that fits, as the last process left it.
        case kept
        /// Nothing: the payload is new, all zero.
        case created
        /// A file that does not fit: the payload is new, all zero.
        case replaced(Misfit)
    }

    package enum Misfit: Equatable, Sendable {
        /// Longer or shorter than it should be.
        case size
        /// Not such a file, or a damaged one.
        case header
        /// Made for another layout version, size of table, window or key.
        case form
        /// From before the machine was started: rebuild it from what is on disk.
        case rebooted
    }

    /// Identifies one run of the kernel (`/proc/sys/kernel/random/boot_id`).
    package struct Boot: Equatable, Sendable {
        let high: UInt64
        let low: UInt64

        package init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }

        package static func current() throws(SystemError) -> Boot {
            let path = "/proc/sys/kernel/random/boot_id"
            let descriptor = try File.open(path, .read)
            var text: [UInt8] = .init(repeating: 0, count: 64)
            // Files of proc have no size, so it is read until it ends.
            let count = Glibc.read(descriptor.raw, &text, text.count)
            var words: (UInt64, UInt64) = (0, 0)
            var digits = 0
            for byte in text.prefix(max(count, 0)) {
                guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else { continue }
                if digits < 16 {
                    words.0 = words.0 << 4 | UInt64(digit)
                } else {
                    words.1 = words.1 << 4 | UInt64(digit)
                }
                digits += 1
            }
            guard digits == 32 else { throw SystemError("read", path, code: EINVAL) }
            return Boot(high: words.0, low: words.1)
        }
    }

    private static let headerBytes = 4096
    private static let magic: UInt64 = 0x3150_414D_4853_4747

    /// Starts on a page. Valid while this object lives.
    package nonisolated(unsafe) let payload: UnsafeMutableRawBufferPointer
    package let opening: Opening

    /// Opens the file, or puts an empty one in its place. All pages are touched now, so that no
    /// later access waits for one.
    ///
    /// Two processes may have it open at once, but not make it at once: the caller holds a lock on
    /// the folder.
    ///
    /// - Throws: ENOSPC or EFBIG where the disk has no room for all of it; the path is then as it
    ///   was. The caller may go on with memory of its own.
    package init(path: String, form: Form, boot: Boot) throws(SystemError) {
        let header = SharedMapping.header(form, boot)
        let bytes = SharedMapping.headerBytes + form.payloadBytes
        switch try SharedMapping.misfit(of: path, header: header, bytes: bytes) {
        case .some(let found):
            let descriptor = try SharedMapping.create(path, header: header, bytes: bytes)
            opening = found
            payload = try SharedMapping.map(descriptor, path: path, bytes: bytes)
        case .none:
            let descriptor = try File.open(path, .createOrUpdate)
            try SharedMapping.fillHoles(of: descriptor, path: path, bytes: bytes)
            opening = .kept
            payload = try SharedMapping.map(descriptor, path: path, bytes: bytes)
        }
    }

    deinit {
        munmap(
            payload.baseAddress! - SharedMapping.headerBytes,
            payload.count + SharedMapping.headerBytes)
    }

    // MARK: Looking

    private static func header(_ form: Form, _ boot: Boot) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: headerBytes / 8)
        words[0] = magic
        words[1] = form.magic
        words[2] = UInt64(form.payloadBytes)
        words[3] = form.version
        words[4] = boot.high
        words[5] = boot.low
        words.replaceSubrange(6..<6 + form.parameters.count, with: form.parameters)
        return words.map(\.littleEndian)
    }

    /// Why the file cannot be kept; nil if it can.
    private static func misfit(
        of path: String, header: [UInt64], bytes: Int
    ) throws(SystemError) -> Opening? {
        guard File.exists(path) else { return .created }
        let descriptor = try File.open(path, .read)
        var found = [UInt64](repeating: 0, count: headerBytes / 8)
        var count = 0
        var failure: SystemError?
        found.withUnsafeMutableBytes { room in
            do throws(SystemError) {
                count = try File.read(descriptor, into: room, at: 0, path: path)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        guard count == headerBytes, found[0...1] == header[0...1] else {
            return .replaced(.header)
        }
        guard found[2...3] == header[2...3], found[6...] == header[6...] else {
            return .replaced(.form)
        }
        guard try File.size(of: descriptor, path: path) == bytes else { return .replaced(.size) }
        guard found[4...5] == header[4...5] else { return .replaced(.rebooted) }
        return nil
    }

    // MARK: Making

    private static func create(
        _ path: String, header: [UInt64], bytes: Int
    ) throws(SystemError) -> Descriptor {
        let unfinished = path + ".new"
        if File.exists(unfinished) { try File.remove(unfinished) }
        do throws(SystemError) {
            let descriptor = try File.open(unfinished, .createOrUpdate, mode: 0o600)
            try allocate(descriptor, path: unfinished, bytes: bytes)
            try writeZeros(to: descriptor, path: unfinished, bytes: bytes)
            try writeHeader(header, to: descriptor, path: unfinished)
            try File.rename(unfinished, to: path)
            return descriptor
        } catch {
            // Gives the blocks back; the error that matters is the one that is thrown.
            _ = try? File.remove(unfinished)
            throw error
        }
    }

    private static func writeHeader(
        _ header: [UInt64], to descriptor: borrowing Descriptor, path: String
    ) throws(SystemError) {
        let written = header.withUnsafeBytes { pwrite(descriptor.raw, $0.baseAddress, $0.count, 0) }
        guard written == headerBytes else { throw SystemError("pwrite", path) }
    }

    /// In large pieces, so that the page cache keeps it so; see ``MappedPages``.
    private static func writeZeros(
        to descriptor: borrowing Descriptor, path: String, bytes: Int
    ) throws(SystemError) {
        let zeros = UnsafeMutableRawBufferPointer.allocate(
            byteCount: MappedPages.largeBytes, alignment: headerBytes)
        defer { zeros.deallocate() }
        zeros.initializeMemory(as: UInt8.self, repeating: 0)
        for offset in stride(from: 0, to: bytes, by: zeros.count) {
            let piece = UnsafeRawBufferPointer(rebasing: zeros[..<min(zeros.count, bytes - offset)])
            try File.writeWhole(piece, to: descriptor, path: path)
        }
    }

    /// A copy made by a backup tool may be sparse. Where no block is missing nothing is done, since
    /// the fallback of posix_fallocate(3) writes, and another process may have the file mapped.
    private static func fillHoles(
        of descriptor: borrowing Descriptor, path: String, bytes: Int
    ) throws(SystemError) {
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0 else { throw SystemError("fstat", path) }
        // st_blocks counts 512 bytes whatever the file system's block is, stat(2).
        if status.st_blocks * 512 < bytes {
            try allocate(descriptor, path: path, bytes: bytes)
        }
    }

    private static func allocate(
        _ descriptor: borrowing Descriptor, path: String, bytes: Int
    ) throws(SystemError) {
        while true {
            let code = posix_fallocate(descriptor.raw, 0, bytes)
            if code == 0 { return }
            if code != EINTR { throw SystemError("posix_fallocate", path, code: code) }
        }
    }

    private static func map(
        _ descriptor: borrowing Descriptor, path: String, bytes: Int
    ) throws(SystemError) -> UnsafeMutableRawBufferPointer {
        let address = mmap(
            nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.raw, 0)
        guard address != MAP_FAILED, let address else { throw SystemError("mmap", path) }
        MappedPages.populate(address, bytes: bytes, .write)
        return UnsafeMutableRawBufferPointer(
            start: address + headerBytes, count: bytes - headerBytes)
    }
}
