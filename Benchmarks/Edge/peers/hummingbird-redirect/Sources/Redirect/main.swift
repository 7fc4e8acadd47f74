// The peer in our own language: Hummingbird as its guide shows it, one route, the edge's answer, no
// look-up, no judgement, no record. NIO_SINGLETON_GROUP_LOOP_COUNT says how many loops it has.

import Hummingbird

guard CommandLine.arguments.count == 3, let port = Int(CommandLine.arguments[1]) else {
    fatalError("Usage: Redirect PORT LOCATION")
}
let location = CommandLine.arguments[2]

let router = Router()
router.get("/go/:id") { _, _ in
    Response(
        status: .found,
        headers: [
            .location: location, .cacheControl: "no-store", .init("X-Robots-Tag")!: "noindex",
            .contentLength: "0",
        ])
}
let application = Application(
    router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)))
try await application.runService()
