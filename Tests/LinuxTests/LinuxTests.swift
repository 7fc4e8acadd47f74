import Glibc
import Linux
import Testing

@Suite struct LinuxTests {
    private let folder: String

    init() throws {
        var template = Array("/tmp/linux-tests-XXXXXX".utf8CString)
        folder = String(cString: mkdtemp(&template)!)
    }

    @Test func `a failed call tells the call, the path and the reason`() {
        let error = #expect(throws: SystemError.self) {
            _ = try File.open(folder + "/missing", .read)
        }
        #expect(error?.description == "open \(folder)/missing: No such file or directory")
        #expect(error?.code == ENOENT)
    }

    @Test func `a new file is refused where one stands`() throws {
        _ = try File.open(folder + "/once", .createNew)
        let error = #expect(throws: SystemError.self) {
            _ = try File.open(folder + "/once", .createNew)
        }
        #expect(error?.code == EEXIST)
    }

    @Test func `folders are made with all those above them`() throws {
        try File.makeDirectories(folder + "/a/b/c")
        try File.makeDirectories(folder + "/a/b/c")
        #expect(try File.list(folder + "/a/b") == ["c"])
    }

    @Test func `a lock is held once and comes back when let go`() throws {
        let path = folder + "/lock"
        let held = try File.lock(path)
        let error = #expect(throws: SystemError.self) { _ = try File.lock(path) }
        #expect(error?.code == EWOULDBLOCK)
        _ = consume held
        _ = try File.lock(path)
    }

    @Test func `a mapping outlives the name of its file`() throws {
        let path = folder + "/mapped"
        do {
            let file = try File.open(path, .createNew)
            try Array("clicks".utf8).withUnsafeBytes { bytes in
                try File.writeWhole(bytes, to: file, path: path)
            }
        }
        let map = try MappedFile(path: path, populate: true)
        try File.remove(path)
        #expect(Array(map.bytes) == Array("clicks".utf8))
    }

    @Test func `an empty file maps to no bytes`() throws {
        let path = folder + "/empty"
        _ = try File.open(path, .createNew)
        #expect(try MappedFile(path: path).bytes.isEmpty)
    }

    @Test func `a raised signal wakes the loop until it is cleared`() throws {
        let epoll = try Epoll()
        let signal = try WakeSignal()
        try epoll.add(signal.raw, .read, token: 7)
        withUnsafeTemporaryAllocation(of: Epoll.Event.self, capacity: 4) { events in
            #expect(epoll.wait(into: events, timeoutMilliseconds: 0) == 0)
            signal.raise()
            signal.raise()
            #expect(epoll.wait(into: events, timeoutMilliseconds: 1000) == 1)
            #expect(events[0].data.u64 == 7)
            signal.clear()
            #expect(epoll.wait(into: events, timeoutMilliseconds: 0) == 0)
        }
    }

    @Test(arguments: ["127.0.0.1", "::1"])
    func `a listener accepts and tells the peer's address`(host: String) throws {
        let listener = try Listener(host: host, port: 0, sharesPort: true)
        let second = try Listener(host: host, port: listener.port, sharesPort: true)
        #expect(second.port == listener.port)
        var peer = PeerAddress()
        #expect(Socket.accept(listener.raw, peer: &peer) == Socket.wouldBlock)
    }

    @Test func `what a listener accepts looks for no rate, whatever the system's choice`() throws {
        let listener = try Listener(host: "127.0.0.1", port: 0, sharesPort: false)
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(client) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = listener.port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafeBytes(of: &address) {
            connect(client, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), 16)
        }
        try #require(isConnected == 0)
        var peer = PeerAddress()
        let accepted = Int32(Socket.accept(listener.raw, peer: &peer))
        try #require(accepted >= 0)
        defer { close(accepted) }
        var name = [UInt8](repeating: 0, count: 16)
        var length = socklen_t(name.count)
        #expect(
            getsockopt(accepted, Int32(IPPROTO_TCP), TCP_CONGESTION, &name, &length) == 0
                && name.starts(with: Array("reno".utf8)))
    }

    @Test func `an address that is no literal is refused`() {
        let error = #expect(throws: SystemError.self) {
            _ = try Listener(host: "localhost", port: 0, sharesPort: false)
        }
        #expect(error?.code == EINVAL)
    }

    @Test func `a rename into a watched folder is seen`() throws {
        let watch = try FolderWatch(folder: folder)
        let epoll = try Epoll()
        try epoll.add(watch.raw, .read, token: 1)
        do { _ = try File.open(folder + "/new", .createNew) }
        watch.clear()
        try File.rename(folder + "/new", to: folder + "/links")
        withUnsafeTemporaryAllocation(of: Epoll.Event.self, capacity: 4) { events in
            #expect(epoll.wait(into: events, timeoutMilliseconds: 1000) == 1)
        }
    }

    @Test func `the monotonic clock does not step back`() {
        var last = Clock.monotonic()
        for _ in 0..<1000 {
            let now = Clock.monotonic()
            #expect(now >= last)
            last = now
        }
    }
}
