import Clicks
import FuzzProperties
import Glibc
import Guards
import Links
import Linux
import Settings
import Spool

@testable import Edge

/// A connection's bytes get the same answers whether they arrive at once or in pieces; each answer
/// is one whole HTTP response of known fields and tells nothing of the verdict; and the spool has a
/// record of each click that was answered.
///
/// Unchecked: one thread calls it.
package final class DeskProperty: FuzzProperty, @unchecked Sendable {
    package static let name = "desk"

    private let folder: String
    private let spool: SpoolWriter
    private var desk: ClickDesk
    /// Used again and again, as the worker's are.
    private let request = UnsafeMutablePointer<ReadRequest>.allocate(capacity: 1)
    private var runs = 0

    static let now: Int64 = 1_795_000_000_000_000
    private static let location =
        "https://shop.example/p/1?a=%22&utm_source=gonggumoa"
        + "&utm_campaign=676f6e67-6775-8000-8000-000000000000"
    private static let pages = "https://gonggumoa.example/gonggus/"
    /// Which keep `spool` small enough for a folder in memory.
    private static let runsPerClearing = 2000

    package init(folder: String) {
        self.folder = folder
        do {
            try DeskProperty.writeLinks(folder + "/links")
            var reader = SettingsReader(environment: [
                "EDGE_ID": "edge-1", "EDGE_SPOOL_DIR": folder, "EDGE_LINKS_FILE": folder + "/links",
                "EDGE_VISITOR_KEY": "a key for fuzzing only", "DEDUPE_ENTRIES": "1024",
                "JWT_SECRET_KEY": "a key for fuzzing of 32 bytes or so", "FLOOD_ENTRIES": "1024",
                "FRONTEND_URL": "https://gonggumoa.example", "CORS_ORIGINS": "https://a.example",
                "TRUSTED_PROXIES": "127.0.0.0/8", "EDGE_STATE_DIRECTORY": folder,
                // A fold has no record of its own, and so many clicks come from here.
                "FLOOD_ROWS_PER_MINUTE": "0",
            ])
            let settings = EdgeSettings(&reader, cores: 1)
            try reader.finish()
            var spoolSettings = SpoolSettings()
            spoolSettings.segmentBytesMax = 1 << 20
            let opened = try SpoolFolder.open(folder, edgeID: "edge-1", nowMicros: DeskProperty.now)
            spool = SpoolWriter(
                folder: opened, worker: 0, settings: spoolSettings,
                sync: try SpoolSync(policy: .never) { _ in })
            let links = try LinkTable(path: folder + "/links")
            let tables = EdgeTables(settings.guards, settings.visitors)
            let guards = EdgeGuards(
                settings.guards, dedupe: .heap(bytes: tables.windowsBytes),
                flood: .heap(bytes: tables.floodsBytes))
            desk = ClickDesk(
                SharedDesk(settings, guards, links: links), spool: spool, folds: nil,
                metrics: WorkerMetrics(), seed: 1)
        } catch {
            fatalError("the desk to be fuzzed cannot be made: \(error)")
        }
        desk.beginTurn(now: DeskProperty.now)
        request.initialize(to: ReadRequest())
    }

    deinit { request.deallocate() }

    /// An open gonggu, `open-1`, and one that is over, `over-1`.
    private static func writeLinks(_ path: String) throws {
        let writer = try LinksWriter(path: path, generatedAt: Timestamp(microseconds: now))
        for (number, code) in ["open-1", "over-1"].enumerated() {
            try writer.add(
                LinkSource(
                    id: Identifier(high: 0x676F_6E67_6775_8000, low: UInt64(number) | 1 << 63),
                    influencerID: Identifier(high: 1, low: 2), shortCode: code,
                    opensAt: Timestamp(microseconds: 0),
                    closesAt: Timestamp(microseconds: number == 0 ? now + 1 : now),
                    isSuspended: false, location: Array(location.utf8)))
        }
        _ = try writer.finish()
    }

    package func check(_ bytes: UnsafeRawBufferPointer) throws(FuzzFinding) -> Bool {
        let all = Array(bytes)
        clearSpool()
        let whole = try answers(to: all, pieces: [all.count])
        var state = all.reduce(1) { ($0 &* 31 &+ Int($1)) & 0xFF_FFFF }
        var pieces: [Int] = []
        while (pieces.last ?? 0) < all.count {
            state = (state &* 1_103_515_245 &+ 12_345) & 0x7FFF_FFFF
            pieces.append(min(all.count, (pieces.last ?? 0) + 1 + state % (1 + all.count / 3)))
        }
        let parts = try answers(to: all, pieces: pieces)
        // A fault may be told later, when the head has ended, and then perhaps as another.
        let last = whole.texts.last.map { DeskProperty.isRefusal($0) } ?? false
        let isSame = parts.texts == whole.texts
        let isLate =
            last && parts.texts.starts(with: whole.texts.dropLast())
            && parts.texts.count >= whole.texts.count - 1
            && parts.texts.dropFirst(whole.texts.count - 1).allSatisfy(DeskProperty.isRefusal)
        try hold(
            isSame || isLate,
            "in pieces up to \(pieces) the answers are \(parts.texts), at once \(whole.texts)")
        return whole.clicks > 0
    }

    // MARK: A connection

    private struct Answers {
        /// Without interim answers, and with the ids of clicks blanked, which are random.
        var texts: [String] = []
        var clicks = 0
    }

    /// As the worker does: answers what is whole, keeps the rest for the next piece.
    private func answers(to all: [UInt8], pieces: [Int]) throws(FuzzFinding) -> Answers {
        var answers = Answers()
        var offset = 0
        var seen = 0
        for arrived in pieces {
            while offset < arrived {
                let rest = ExactBytes(all[offset..<arrived])
                let address = NetworkAddress(ipv4: 0x7F00_0001)
                switch desk.read(
                    rest.bytes, seenBefore: seen, peer: address, isTrusted: true, into: request)
                {
                case .whole(let consumed):
                    try hold(1...rest.bytes.count ~= consumed, "\(consumed) bytes were consumed")
                    try answer(&answers)
                    offset += consumed
                    seen = 0
                    continue
                case .last:
                    try answer(&answers)
                    return answers
                case .more(let seenBytes):
                    try hold(0...rest.bytes.count ~= seenBytes, "\(seenBytes) bytes were seen")
                    seen = seenBytes
                case .moreAfterAnswer:
                    try answer(&answers)
                    seen = 0
                }
                break
            }
        }
        return answers
    }

    private func answer(_ answers: inout Answers) throws(FuzzFinding) {
        let room = ExactBytes(count: ClickDesk.answerBytesMax)
        desk.fetchMore(for: request)
        let count = desk.answer(request, into: room.writable)
        try hold(1...room.bytes.count ~= count, "an answer has \(count) bytes")
        try checkRecords(try take(room.bytes.prefix(count), &answers))
    }

    private func checkRecords(_ isClick: Bool) throws(FuzzFinding) {
        let outcome = spool.commit()
        let expected = isClick ? CommitOutcome.written(records: 1) : .nothing
        try hold(outcome == expected, "the spool has \(outcome), not \(expected)")
    }

    /// - Returns: whether the answer is one that a click gets.
    private func take(
        _ bytes: Slice<UnsafeRawBufferPointer>, _ answers: inout Answers
    ) throws(FuzzFinding) -> Bool {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw FuzzFinding("an answer is no text")
        }
        if text == "HTTP/1.1 100 Continue\r\n\r\n" { return false }
        let answer = try PlainAnswer(text)
        let isClick = try answer.checkContent(
            location: DeskProperty.location, pages: DeskProperty.pages)
        answers.texts.append(answer.textWithoutClick)
        answers.clicks += isClick ? 1 : 0
        return isClick
    }

    /// What ends a connection because its bytes are no request.
    private static func isRefusal(_ text: String) -> Bool {
        ["400", "413", "431", "505"].contains { text.hasPrefix("HTTP/1.1 \($0) ") }
            && text.contains("Connection: close\r\n")
    }

    /// What Ingest does with segments that are closed.
    private func clearSpool() {
        runs += 1
        guard runs % DeskProperty.runsPerClearing == 0 else { return }
        let path = folder + "/edge-1"
        // A folder that cannot be listed fills up, which ends the process by itself.
        let names = ((try? File.list(path)) ?? []).filter { $0.hasSuffix(".clicks") }.sorted()
        for name in names.dropLast() { unlink("\(path)/\(name)") }
    }
}
