import Clicks
import Spool

/// A click as its record says, all texts in words of their own.
struct PlainClick: Equatable {
    let click: Click
    let texts: [[UInt8]]

    init(_ click: Click, _ texts: ClickTexts) {
        self.click = click
        self.texts = [texts.userAgent, texts.referer, texts.channel].map { Array($0) }
    }

    fileprivate init(_ click: Click, _ texts: [[UInt8]]) {
        self.click = click
        self.texts = texts
    }
}

/// A segment read by the letter of the format's specification, with arrays and a dictionary.
struct PlainSegment {
    let numbers: FileNumbers
    /// Of the frame that was read last.
    private(set) var textsLost = 0
    private var known: [UInt32: [UInt8]] = [:]
    private var firstText: UInt32?
    /// The smallest number that may be given, and whether all were as they may be.
    private var nextText: UInt32 = 0
    private var isPossible = true

    init(numbers: FileNumbers) {
        self.numbers = numbers
    }

    /// Those of the frame in a range; nil where its lengths do not come out.
    ///
    /// Frames are asked for in the order of the file.
    mutating func clicks(_ range: Range<Int>) -> [PlainClick]? {
        guard range.count == 32 + Int(numbers.quad(range.lowerBound + 4)) else { return nil }
        let isFirstVersion = numbers.quad(range.lowerBound) == 0x3146_4747
        let first = numbers.quad(range.lowerBound + 16)
        if !isFirstVersion, first != firstText {
            known = [:]
            firstText = first
            nextText = first
        }
        textsLost = 0
        var clicks: [PlainClick] = []
        var at = range.lowerBound + 32
        for _ in 0..<numbers.quad(range.lowerBound + 8) {
            clicks.append(
                isFirstVersion ? firstClick(&at) : click(&at))
            guard at <= range.upperBound else { return nil }
        }
        return at == range.upperBound && isPossible ? clicks : nil
    }

    private mutating func click(_ at: inout Int) -> PlainClick {
        let follows = numbers.bytes[at + 62]
        let channelBytes = Int(numbers.bytes[at + 63])
        let start = at
        at += 64
        var address = NetworkAddress(ipv4: numbers.quad(at))
        if follows & 1 != 0 {
            address = NetworkAddress(high: numbers.word(at), low: numbers.word(at + 8))
        }
        at += follows & 1 != 0 ? 16 : 4
        var user = Identifier.anonymous
        if follows & 2 != 0 {
            user = identifier(at)
            at += 16
        }
        var count: UInt32 = 1
        if follows & 4 != 0 {
            count = numbers.quad(at)
            at += 4
        }
        let agent = text(numbers.quad(start + 48), &at)
        let referer = text(numbers.quad(start + 52), &at)
        let channel = bytes(channelBytes, &at)
        let click = Click(
            id: identifier(start), gongguID: identifier(start + 16),
            time: Timestamp(microseconds: Int64(bitPattern: numbers.word(start + 32))),
            visitorKey: numbers.word(start + 40), userID: user, address: address, count: count,
            ruleSet: RuleSet(version: numbers.half(start + 56)),
            reason: numbers.half(start + 58),
            verdict: Verdict(rawValue: numbers.bytes[start + 60])!,
            path: ClickPath(rawValue: numbers.bytes[start + 61])!)
        return PlainClick(click, [agent, referer, channel])
    }

    private func firstClick(_ at: inout Int) -> PlainClick {
        let click = Click(
            id: identifier(at), gongguID: identifier(at + 16),
            time: Timestamp(microseconds: Int64(bitPattern: numbers.word(at + 32))),
            visitorKey: numbers.word(at + 40), userID: identifier(at + 48),
            address: NetworkAddress(high: numbers.word(at + 64), low: numbers.word(at + 72)),
            count: numbers.quad(at + 80), ruleSet: RuleSet(version: numbers.half(at + 84)),
            reason: numbers.half(at + 86), verdict: Verdict(rawValue: numbers.bytes[at + 88])!,
            path: ClickPath(rawValue: numbers.bytes[at + 89])!)
        let lengths = [90, 92, 94].map { Int(numbers.half(at + $0)) }
        at += 96
        return PlainClick(click, lengths.map { bytes($0, &at) })
    }

    private mutating func text(_ mark: UInt32, _ at: inout Int) -> [UInt8] {
        guard mark != 0 else { return [] }
        let number = mark & (1 << 31 - 1)
        if number > 0 {
            let isGiven = mark >= 1 << 31
            isPossible =
                isPossible && number >= firstText! && number - firstText! < 65_536
                && (!isGiven || number >= nextText)
            nextText = max(nextText, number + 1)
        }
        guard mark >= 1 << 31 else {
            if known[mark] == nil { textsLost += 1 }
            return known[mark] ?? []
        }
        let count = Int(numbers.half(at))
        at += 2
        let text = bytes(count, &at)
        if number > 0 { known[number] = text }
        return text
    }

    private func bytes(_ count: Int, _ at: inout Int) -> [UInt8] {
        defer { at += count }
        return at + count <= numbers.bytes.count ? Array(numbers.bytes[at..<at + count]) : []
    }

    private func identifier(_ at: Int) -> Identifier {
        Identifier(high: numbers.word(at), low: numbers.word(at + 8))
    }
}
