// What the links' benchmark needs besides shell: the schema, changes in the database, and a shopper
// who asks a running edge until its answer shows them.

import Glibc
import Linux
import Postgres
import Schema

@main
enum LinksBench {
    private static let usage = """
        Usage: LinksBench migrate DATABASE_URL
               LinksBench change DATABASE_URL EDGE_PORT ROUNDS
               LinksBench storm DATABASE_URL EDGE_PORT SECONDS CHANGES_PER_SECOND

        """

    static func main() throws {
        let arguments = CommandLine.arguments
        let numbers = arguments.dropFirst(3).compactMap { Int($0) }
        switch arguments.dropFirst().first {
        case "migrate" where arguments.count == 3:
            _ = try Migrator.migrate(Connection(url: arguments[2], applicationName: "LinksBench"))
        case "change" where arguments.count == 5 && numbers.count == 2:
            try change(arguments[2], port: numbers[0], rounds: numbers[1])
        case "storm" where arguments.count == 6 && numbers.count == 3:
            try Storm(url: arguments[2], port: numbers[0]).run(
                seconds: numbers[1], changesPerSecond: numbers[2])
        default:
            end(usage, EX_USAGE)
        }
    }

    /// Single changes with quiet between them: from the statement's sending to the edge's answer.
    private static func change(_ url: String, port: Int, rounds: Int) throws {
        let db = try Connection(url: url, applicationName: "LinksBench")
        let shopper = Shopper(port: port)
        let ids = try LinkChanges.ids(in: db, atMost: 1000)
        for round in 0..<rounds {
            let id = ids[round * 7 % ids.count]
            // Longer than any pause after the round before.
            Clock.sleep(milliseconds: 4000)
            let number = Int(Clock.now() / 1000)
            let began = Clock.monotonic()
            try LinkChanges.set(id, to: number, in: db)
            let committed = Clock.monotonic()
            while shopper.number(of: id) != number {
                guard Clock.monotonic() - began < 60_000_000 else {
                    end("LinksBench: a change is not at the edge after a minute\n", EXIT_FAILURE)
                }
                Clock.sleep(milliseconds: 1)
            }
            let seen = Clock.monotonic()
            print("\((seen - began) / 1000) \((seen - committed) / 1000)")
        }
    }

    static func end(_ sentence: String, _ code: Int32) -> Never {
        _ = Array(sentence.utf8).withUnsafeBytes {
            Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count)
        }
        exit(code)
    }
}

/// Changes of links, each told from the others by a number in the URL.
enum LinkChanges {
    static let prefix = "https://shop.example/changed/"

    private static let select = Statement(
        "bench_ids", "select id::text from gonggus order by short_code limit $1")

    static func ids(in db: Connection, atMost count: Int) throws -> [String] {
        try db.query(select, [count]).map { try $0.get(0) }
    }

    private static let update = Statement(
        "bench_change", "update gonggus set external_url = $1 where id = ($2::text)::uuid")

    static func set(_ id: String, to number: Int, in db: Connection) throws {
        try db.execute(update, ["\(prefix)\(number)", id])
    }
}

/// Follows links on one connection, kept open.
final class Shopper {
    private let socket: Int32
    private var buffer = [UInt8](repeating: 0, count: 16_384)

    init(port: Int) {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { LinksBench.end("LinksBench: no edge answers\n", EXIT_FAILURE) }
    }

    deinit { close(socket) }

    /// The number that the link's target shows now; nil if it has none.
    func number(of id: String) -> Int? {
        let request = Array(
            "GET /go/\(id) HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\n\r\n".utf8)
        guard write(socket, request, request.count) == request.count else { fail() }
        var count = 0
        // The answer to a followed link has no body.
        while count < 4 || buffer[(count - 4)..<count] != [13, 10, 13, 10] {
            let got = buffer.withUnsafeMutableBytes {
                read(socket, $0.baseAddress! + count, $0.count - count)
            }
            guard got > 0 else { fail() }
            count += got
        }
        let answer = String(decoding: buffer[..<count], as: UTF8.self)
        guard let at = answer.firstRange(of: LinkChanges.prefix) else { return nil }
        return Int(answer[at.upperBound...].prefix { $0.isASCII && $0.isNumber })
    }

    private func fail() -> Never { LinksBench.end("LinksBench: the edge hung up\n", EXIT_FAILURE) }
}
