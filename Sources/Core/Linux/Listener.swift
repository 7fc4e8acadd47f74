import CLinux
import Glibc

/// A listening TCP socket. With `sharesPort` the kernel spreads connections over all listeners of
/// the same address (SO_REUSEPORT), one for each worker.
package final class Listener: Sendable {
    private let descriptor: Descriptor
    /// The port bound, which the kernel chose if 0 was asked for.
    package let port: UInt16

    package static let backlogMax: Int32 = 4096

    /// - Parameters:
    ///   - host: an IPv4 or IPv6 literal, IPv6 without brackets.
    ///   - port: 0 lets the kernel choose.
    package init(host: String, port: UInt16, sharesPort: Bool) throws(SystemError) {
        let object = "\(host):\(port)"
        var (address, length) = try Listener.socketAddress(host: host, port: port)
        let raw = clinux_tcp_socket(Int32(address.ss_family))
        guard raw >= 0 else { throw SystemError("socket", object) }
        let descriptor = Descriptor(owning: raw)
        var one: Int32 = 1
        setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        // Each answer is one write already; accepted sockets inherit this.
        setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        // And this. An answer is mostly one packet, so there is no rate to be found for it: what
        // BBR does for that, where it is the system's choice, costs 1 % of a redirect. Every kernel
        // has Reno, and lets everybody take it.
        setsockopt(raw, Int32(IPPROTO_TCP), TCP_CONGESTION, "reno", 4)
        if sharesPort { setsockopt(raw, SOL_SOCKET, SO_REUSEPORT, &one, 4) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, length) }
        }
        guard bound == 0 else { throw SystemError("bind", object) }
        guard listen(raw, Listener.backlogMax) == 0 else { throw SystemError("listen", object) }
        let named = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(raw, $0, &length) }
        }
        guard named == 0 else { throw SystemError("getsockname", object) }
        // The port has the same place in sockaddr_in and sockaddr_in6.
        self.port = withUnsafeBytes(of: address) {
            UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self))
        }
        self.descriptor = descriptor
    }

    package var raw: Int32 { descriptor.raw }

    /// Connections that the kernel has accepted and nobody has taken yet, and how many may wait
    /// (tcp(7), TCP_INFO; for a listener `tcpi_unacked` and `tcpi_sacked` hold these, as in
    /// `ss -lt`). Nil when it no longer listens.
    package var queue: (waiting: Int, most: Int)? {
        var info = tcp_info()
        var length = socklen_t(MemoryLayout<tcp_info>.size)
        let result = getsockopt(
            descriptor.raw, Int32(IPPROTO_TCP), TCP_INFO, &info, &length)
        guard result == 0, info.tcpi_state == UInt8(TCP_LISTEN) else { return nil }
        return (Int(info.tcpi_unacked), Int(info.tcpi_sacked))
    }

    /// Takes no more connections, though the descriptor stays open: the other listeners of the port
    /// get them all from now on.
    package func stop() {
        _ = shutdown(descriptor.raw, Int32(SHUT_RD))
    }

    private static func socketAddress(
        host: String, port: UInt16
    ) throws(SystemError) -> (sockaddr_storage, socklen_t) {
        var storage = sockaddr_storage()
        var four = sockaddr_in()
        if inet_pton(AF_INET, host, &four.sin_addr) == 1 {
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = port.bigEndian
            let size = MemoryLayout<sockaddr_in>.size
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: four, as: sockaddr_in.self) }
            return (storage, socklen_t(size))
        }
        var six = sockaddr_in6()
        guard inet_pton(AF_INET6, host, &six.sin6_addr) == 1 else {
            throw SystemError("inet_pton", host, code: EINVAL)
        }
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = port.bigEndian
        let size = MemoryLayout<sockaddr_in6>.size
        withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: six, as: sockaddr_in6.self) }
        return (storage, socklen_t(size))
    }
}
