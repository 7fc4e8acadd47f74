import FuzzProperties
import Testing
import Wire

struct ClickReportTests {
    /// What a body is read as: its two texts, or a fault.
    private enum Reading: Equatable {
        case good(String, String)
        case faulty(ReportFault)
    }

    private func read(_ body: some Collection<UInt8>) -> Reading {
        let memory = GuardedBytes()
        let scratch = GuardedBytes()
        var report = ClickReport()
        let fault = ClickReport.read(
            memory.place(body), scratch: scratch.room(ClickReport.scratchBytes), into: &report)
        if let fault { return .faulty(fault) }
        return .good(
            String(decoding: report.gongguID, as: UTF8.self),
            String(decoding: report.channel, as: UTF8.self))
    }

    static let good: [(String, id: String, channel: String)] = [
        (#"{"gonggu_id":"3Jd9xKq2"}"#, "3Jd9xKq2", ""),
        (#"{"gonggu_id":"a-B_9","channel":"story"}"#, "a-B_9", "story"),
        (#"{"channel":"story","gonggu_id":"a"}"#, "a", "story"),
        (" \t\r\n{ \"gonggu_id\" : \"a\" , \"channel\" : \"b\" } \n", "a", "b"),
        (#"{"gonggu_id":"\u0061\u0042"}"#, "aB", ""),
        (#"{"gonggu\u005Fid":"a","\u0063hannel":"b"}"#, "a", "b"),
        (#"{"gonggu_id":"a","channel":null}"#, "a", ""),
        (#"{"gonggu_id":"a","channel":""}"#, "a", ""),
        (#"{"x":{"y":[1,-0.5e+10,{"z":[]}],"w":{}},"gonggu_id":"a","t":true}"#, "a", ""),
        (#"{"gonggu_id":"a","x":"\"\\\/\b\f\n\r\t\uD83D\uDE00 한글 😀"}"#, "a", ""),
        (#"{"x":1,"x":2,"":0,"gonggu_idd":3,"gonggu_i":4,"gonggu_id":"a"}"#, "a", ""),
        (#"{"gonggu_id":"a","x":[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]}"#, "a", ""),
        (#"{"gonggu_id":"a","x":[{"a":[{"b":1},[2]]},false,null,1e5,0,-0]}"#, "a", ""),
    ]

    @Test(arguments: good)
    func `a good body says which gonggu and channel`(body: String, id: String, channel: String) {
        #expect(read(body.utf8) == .good(id, channel))
        // No prefix of an object is an object.
        let ending = body.lastIndex(of: "}") ?? body.startIndex
        for count in 0...body.utf8.distance(from: body.startIndex, to: ending) {
            #expect(read(body.utf8.prefix(count)) == .faulty(.notAnObject), "\(count) bytes")
        }
    }

    @Test func `texts of the greatest length are taken, longer ones are not`() {
        let id = String(repeating: "a", count: 64)
        let channel = String(repeating: "b", count: 32)
        #expect(read(#"{"gonggu_id":"\#(id)","channel":"\#(channel)"}"#.utf8) == .good(id, channel))
        #expect(read(#"{"gonggu_id":"\#(id)a"}"#.utf8) == .faulty(.gongguIDInvalid))
        #expect(
            read(#"{"gonggu_id":"a","channel":"\#(channel)b"}"#.utf8) == .faulty(.channelInvalid))
    }

    @Test func `a body of 4 KiB is read, one byte more is not`() {
        let start = #"{"gonggu_id":"a"}"#
        let body = start + String(repeating: " ", count: 4096 - start.utf8.count)
        #expect(read(body.utf8) == .good("a", ""))
        #expect(read((body + " ").utf8) == .faulty(.bodyTooLarge))
    }

    static let faulty: [(String, ReportFault)] = [
        ("", .notAnObject), (" ", .notAnObject), ("null", .notAnObject), ("[]", .notAnObject),
        (#""gonggu_id""#, .notAnObject), ("{", .notAnObject), ("}", .notAnObject),
        ("{}", .gongguIDMissing), (#"{"channel":"a"}"#, .gongguIDMissing),
        (#"{"gonggu_id":"a"}}"#, .notAnObject), (#"{"gonggu_id":"a"} x"#, .notAnObject),
        (#"{"gonggu_id":"a",}"#, .notAnObject), (#"{,"gonggu_id":"a"}"#, .notAnObject),
        (#"{"gonggu_id" "a"}"#, .notAnObject), (#"{"gonggu_id":}"#, .notAnObject),
        (#"{gonggu_id:"a"}"#, .notAnObject), (#"{'gonggu_id':'a'}"#, .notAnObject),
        (#"{"gonggu_id":"a" "channel":"b"}"#, .notAnObject),
        ("\u{FEFF}{\"gonggu_id\":\"a\"}", .notAnObject),
        (#"{"gonggu_id":"a"/**/}"#, .notAnObject), (#"{"gonggu_id":"a","x":nul}"#, .notAnObject),
        (#"{"gonggu_id":"a","x":01}"#, .notAnObject), (#"{"gonggu_id":"a","x":1.}"#, .notAnObject),
        (#"{"gonggu_id":"a","x":.5}"#, .notAnObject), (#"{"gonggu_id":"a","x":+1}"#, .notAnObject),
        (#"{"gonggu_id":"a","x":1e}"#, .notAnObject), (#"{"gonggu_id":"a","x":-}"#, .notAnObject),
        (#"{"gonggu_id":"a","x":NaN}"#, .notAnObject),
        (#"{"gonggu_id":"a","x":[1,]}"#, .notAnObject),
        (#"{"gonggu_id":"a","x":[}]}"#, .notAnObject),
        (#"{"gonggu_id":"a","x":{1:2}}"#, .notAnObject),
        (#"{"gonggu_id":"a","x":{"y"}}"#, .notAnObject),
        (#"{"gonggu_id":"a","x":[1 2]}"#, .notAnObject),
        (#"{"gonggu_id":"a","x":[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]}"#, .notAnObject),
        (#"{"gonggu_id":"a\"}"#, .notAnObject), (#"{"gonggu_id":"\a"}"#, .notAnObject),
        (#"{"gonggu_id":"\u00g0"}"#, .notAnObject), (#"{"gonggu_id":"\u006"}"#, .notAnObject),
        (#"{"gonggu_id":"a","x":"\uD83D"}"#, .notAnObject),
        (#"{"gonggu_id":"a","x":"\uDE00"}"#, .notAnObject),
        (#"{"gonggu_id":"a","x":"\uD83D\u0041"}"#, .notAnObject),
        ("{\"gonggu_id\":\"a\nb\"}", .notAnObject), ("{\"gonggu_id\":\"a\0b\"}", .notAnObject),
        (#"{"gonggu_id":"a","gonggu_id":"a"}"#, .repeatedMember),
        (#"{"gonggu_id":"a","gonggu\u005fid":"b"}"#, .repeatedMember),
        (#"{"gonggu_id":"a","channel":"b","channel":null}"#, .repeatedMember),
        (#"{"gonggu_id":null}"#, .gongguIDInvalid), (#"{"gonggu_id":""}"#, .gongguIDInvalid),
        (#"{"gonggu_id":7}"#, .gongguIDInvalid), (#"{"gonggu_id":["a"]}"#, .gongguIDInvalid),
        (#"{"gonggu_id":"a/b"}"#, .gongguIDInvalid), (#"{"gonggu_id":"공구"}"#, .gongguIDInvalid),
        (#"{"gonggu_id":"a\u0000"}"#, .gongguIDInvalid), (#"{"gonggu_id":" a"}"#, .gongguIDInvalid),
        (#"{"gonggu_id":"a","channel":1}"#, .channelInvalid),
        (#"{"gonggu_id":"a","channel":"b c"}"#, .channelInvalid),
        (#"{"gonggu_id":"a","channel":{"b":1}}"#, .channelInvalid),
        (#"{"gonggu_id":7,"x"}"#, .notAnObject),
    ]

    @Test(arguments: faulty)
    func `a faulty body says which member is at fault`(body: String, fault: ReportFault) {
        #expect(read(body.utf8) == .faulty(fault))
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        let sequences: [[UInt8]] = [
            [0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0xAF],
            [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xE3, 0x81], [0xF0, 0x80, 0x80, 0xAF],
            [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF],
        ]
        for sequence in sequences {
            let body = Array(#"{"gonggu_id":"a","x":""#.utf8) + sequence + Array(#""}"#.utf8)
            #expect(read(body) == .faulty(.notAnObject), "\(sequence)")
        }
    }

    @Test func `damaged bodies neither crash nor name a text that was not sent as a label`() {
        let seed = SplitMix64.seed
        var random = SplitMix64(seed: seed)
        let marks = Array(#"{}[]",:\u0e-+tfn 1"#.utf8)
        for _ in 0..<20_000 {
            var body = Array(ClickReportTests.good.randomElement(using: &random)!.0.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<body.count, using: &random)
                switch random.next() % 3 {
                case 0: body[at] = UInt8.random(in: 0...255, using: &random)
                case 1: body[at] = marks.randomElement(using: &random)!
                default: body.insert(marks.randomElement(using: &random)!, at: at)
                }
            }
            guard case .good(let id, let channel) = read(body) else { continue }
            let isLabel = { (text: String) in
                text.utf8.allSatisfy { RequestOracle.alphanumeric.union([45, 95]).contains($0) }
            }
            #expect((1...64).contains(id.utf8.count) && isLabel(id), "TEST_SEED=\(seed) \(body)")
            #expect(channel.utf8.count <= 32 && isLabel(channel), "TEST_SEED=\(seed) \(body)")
        }
    }

    @Test func `only JSON and plain text are read`() {
        let accepts = { (type: String) in
            Array(type.utf8).withUnsafeBytes { ClickReport.accepts(contentType: $0) }
        }
        for type in [
            "application/json", "Application/JSON; charset=utf-8", "text/plain",
            "text/plain;charset=UTF-8", "text/plain ;x",
        ] { #expect(accepts(type), "\(type)") }
        for type in ["", ";", "application/jso", "application/json5", "text/html", "text/plain,"] {
            #expect(!accepts(type), "\(type)")
        }
    }
}
