import Clicks
import Settings
import TestSupport
import Testing

@testable import Edge

@Suite struct EdgePartsTests {
    @Test func `the connections' lists agree with a plain model under random use`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let countMax = 7
        let grain: Int64 = 5
        var connections = Connections(countMax: countMax, idleGrainMicroseconds: grain)
        var model: [Wait: [(place: ConnectionPlace, since: Int64)]] = [:]
        var generations: [ConnectionPlace: UInt32] = [:]
        for now in Int64(1)...20_000 {
            let inUse = model.values.flatMap { $0.map(\.place) }
            let chosen = inUse.randomElement(using: &random)
            switch UInt8.random(in: 0..<9, using: &random) {
            case 0...2:
                let raw = Int32.random(in: 0...9, using: &random)
                let place = connections.open(
                    raw, address: NetworkAddress(ipv4: UInt32(now)), now: now)
                #expect((place == nil) == (inUse.count == countMax))
                guard let place else { continue }
                #expect(!inUse.contains(place))
                #expect(connections[connections.index(of: place)] == place)
                let connection = place.pointee
                #expect(connection.raw == raw && connection.carry.count == 0)
                #expect(connection.address.ipv4 == UInt32(now))
                #expect(connection.generation == generations[place, default: 0] + 1)
                generations[place] = connection.generation
                model[.idle, default: []].append((place, now))
            case 8:
                guard let chosen else { continue }
                connections.stayIdle(chosen, now: now)
                let stays = model[.idle]?.contains { $0.place == chosen && now - $0.since < grain }
                if stays == true { continue }
                for old in Wait.allCases { model[old]?.removeAll { $0.place == chosen } }
                model[.idle, default: []].append((chosen, now))
            case 3...5:
                guard let chosen else { continue }
                let wait = Wait.allCases.randomElement(using: &random)!
                for old in Wait.allCases { model[old]?.removeAll { $0.place == chosen } }
                model[wait, default: []].append((chosen, now))
                connections.begin(wait, chosen, now: now)
                [1, 2, 3].withUnsafeBytes { chosen.pointee.carry.keep($0) }
            default:
                guard let chosen else { continue }
                for old in Wait.allCases { model[old]?.removeAll { $0.place == chosen } }
                connections.close(chosen)
                #expect(chosen.pointee.raw == -1)
            }
            #expect(connections.count == model.values.reduce(0) { $0 + $1.count })
            for wait in Wait.allCases {
                let first = connections.longestWaiting(for: wait)
                #expect(first?.connection == model[wait]?.first?.place)
                #expect(first?.since == model[wait]?.first?.since)
            }
        }
        for place in model.values.flatMap({ $0.map(\.place) }) { connections.close(place) }
        #expect(Wait.allCases.allSatisfy { connections.longestWaiting(for: $0) == nil })
    }

    @Test func `bytes kept from among the kept ones survive, appended ones follow`() {
        var leftover = Leftover()
        Array("0123456789".utf8).withUnsafeBytes { leftover.keep($0) }
        leftover.keep(UnsafeRawBufferPointer(rebasing: leftover.bytes[4...]))
        #expect(leftover.bytes.elementsEqual("456789".utf8))
        Array("ab".utf8).withUnsafeBytes { leftover.append($0) }
        #expect(leftover.bytes.elementsEqual("456789ab".utf8))
        leftover.keep(UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(leftover.count == 0 && leftover.start == nil)
    }

    @Test func `answers of one connection that follow each other leave together`() {
        let places = Connections(countMax: AnswerBuffer.spansMax, idleGrainMicroseconds: 1)
        var answers = AnswerBuffer()
        var expected: [(index: Int, generation: UInt32, text: String)] = []
        func add(_ text: String, _ index: Int, _ generation: UInt32) {
            answers.room.copyBytes(from: text.utf8)
            let pending = answers.lastBytes(connection: places[index], generation: generation)
            answers.add(
                text.utf8.count, connection: places[index], generation: generation,
                pending: pending)
        }
        for (text, index, generation) in [
            ("a", 1, 1), ("b", 1, 1), ("c", 2, 1), ("d", 1, 1), ("e", 1, 2), ("", 1, 2),
        ] as [(String, Int, UInt32)] {
            add(text, index, generation)
        }
        expected = [(1, 1, "ab"), (2, 1, "c"), (1, 1, "d"), (1, 2, "e")]
        #expect(answers.spanCount == expected.count)
        for (number, (index, generation, text)) in expected.enumerated() {
            let (span, bytes) = answers.span(number)
            #expect(span.connection == places[index] && span.generation == generation)
            #expect(bytes.elementsEqual(text.utf8))
        }
        #expect(answers.lastBytes(connection: places[1], generation: 2) == 1)
        #expect(answers.lastBytes(connection: places[1], generation: 1) == 0)
        answers.clear()
        #expect(answers.count == 0 && answers.lastBytes(connection: places[1], generation: 2) == 0)
        while answers.hasRoom(for: 1) { add("x", answers.spanCount, 1) }
        #expect(answers.spanCount == AnswerBuffer.spansMax)
    }

    @Test func `random words are those of the reference implementation`() {
        // The first outputs of Vigna's splitmix64.c from the state 1234567.
        var words = RandomWords(seed: 1_234_567)
        let expected: [UInt64] = [
            6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
        ]
        #expect(expected.allSatisfy { $0 == words.next() })
    }

    @Test(
        arguments: [
            ("https://a.kr/?page=", nil), ("https://a.kr/#", nil), ("https://\u{ACF5}.kr", nil),
            ("https://a.kr/\"", nil), ("https://a.kr/" + String(repeating: "x", count: 1000), nil),
            (nil, "https://" + String(repeating: "x", count: 250)),
        ] as [(String?, String?)])
    func `settings that no answer has room for are refused at start`(
        frontend: String?, origin: String?
    ) throws {
        let folder = try TestFolder()
        var environment = EdgeBench.environment(folder.path)
        environment["FRONTEND_URL"] = frontend
        environment["CORS_ORIGINS"] = origin
        var reader = SettingsReader(environment: environment)
        _ = EdgeSettings(&reader, cores: 1)
        #expect(throws: SettingsFaults.self) { try reader.finish() }
    }

    @Test(arguments: [
        (["https://a.kr", "https://b.kr:8443"], "https://a.kr", "https://a.kr"),
        (["https://a.kr", "https://b.kr:8443"], "https://b.kr:8443", "https://b.kr:8443"),
        (["https://a.kr"], "https://A.kr", ""), (["https://a.kr"], "http://a.kr", ""),
        (["https://a.kr"], "https://a.kr.evil.example", ""), (["https://a.kr"], "https://a.k", ""),
        (["https://a.kr"], "null", ""), (["https://a.kr"], "", ""), ([], "https://a.kr", ""),
        (["*"], "https://anyone.example", "*"), (["*"], "", ""),
    ])
    func `an origin is allowed if it is on the list, to the byte`(
        list: [String], origin: String, allowed: String
    ) {
        let origins = AllowedOrigins(list)
        Array(origin.utf8).withUnsafeBytes { bytes in
            #expect(origins.allowed(bytes).elementsEqual(allowed.utf8))
        }
    }
}
