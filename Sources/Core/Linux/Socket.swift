// The calls of the edge's loop, thin enough to vanish. Results are the call's own: a count, or
// -errno, so that nothing is thrown on the path of a click.

import CLinux
import Glibc

public enum Socket {
    /// What a call that would block answers.
    @inlinable
    public static var wouldBlock: Int { -Int(EAGAIN) }

    /// Whether a failed accept means that the process or the machine is full, not that the peer
    /// left.
    package static func isOutOfDescriptors(_ result: Int) -> Bool {
        [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(Int32(-result))
    }

    /// recv(2). - Returns: bytes, 0 at the peer's end, or -errno.
    @inlinable
    @inline(always)
    public static func receive(
        _ raw: Int32, into target: UnsafeMutableRawPointer, bytesMax: Int
    ) -> Int {
        clinux_receive(raw, target, bytesMax)
    }

    /// send(2) without SIGPIPE. - Returns: bytes taken, or -errno.
    @inlinable
    @inline(always)
    public static func send(_ raw: Int32, _ source: UnsafeRawPointer, bytes: Int) -> Int {
        clinux_send(raw, source, bytes)
    }

    package static func close(_ raw: Int32) {
        _ = Glibc.close(raw)
    }

    /// Ends our half of the conversation; what the peer still sends is read and dropped.
    package static func shutdownWrite(_ raw: Int32) {
        _ = shutdown(raw, Int32(SHUT_WR))
    }

    /// accept4(2). - Returns: a non-blocking descriptor, or -errno.
    package static func accept(_ listener: Int32, peer: inout PeerAddress) -> Int {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let raw = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                clinux_accept4(listener, $0, &length)
            }
        }
        guard raw >= 0 else { return -Int(errno) }
        peer = PeerAddress(storage)
        return Int(raw)
    }
}

/// A peer's IP address as two words in host order; IPv4 in its mapped form.
package struct PeerAddress: Hashable, Sendable, BitwiseCopyable {
    package var high: UInt64 = 0
    package var low: UInt64 = 0

    package init() {}

    init(_ storage: sockaddr_storage) {
        withUnsafeBytes(of: storage) { bytes in
            if Int32(storage.ss_family) == AF_INET {
                // sin_addr is at offset 4, in network order.
                let ipv4 = UInt32(
                    bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
                low = 0xFFFF_0000_0000 | UInt64(ipv4)
            } else {
                // sin6_addr is at offset 8.
                high = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
            }
        }
    }
}
