// HOT
// The body of `POST /api/v1/tracking/click`: `{"gonggu_id":"…","channel":"…"}`. Members we do not
// know are stepped over, so that a newer script may say more to an older edge.

/// Why a report was refused; an answer to the client, see ``ErrorAnswer/init(_:)``.
public enum ReportFault: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    /// Over ``ClickReport/bodyBytesMax``.
    case bodyTooLarge
    /// Not one JSON object in UTF-8, or nested too deeply.
    case notAnObject
    /// `gonggu_id` or `channel` came twice.
    case repeatedMember
    case gongguIDMissing
    /// Not a string, or not 1 to 64 letters, digits, `-` and `_`.
    case gongguIDInvalid
    /// Neither null nor a string of at most 32 letters, digits, `-` and `_`.
    case channelInvalid
}

/// A reported click. The texts lie in the scratch that was lent to ``read(_:scratch:into:)`` and
/// live as long; the body may go.
public struct ClickReport {
    public static var bodyBytesMax: Int { 4096 }
    /// How much scratch a reading needs: both texts and a member's name.
    public static var scratchBytes: Int { 112 }

    /// A UUID or a short code, as it was sent.
    public private(set) var gongguID = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Empty where none was sent.
    public private(set) var channel = UnsafeRawBufferPointer(start: nil, count: 0)

    public init() {}

    /// Reads a whole body.
    ///
    /// - Parameters:
    ///   - scratch: at least ``scratchBytes``; overwritten.
    ///   - report: overwritten; meaningful where nil is returned.
    /// - Returns: nil where the body is good.
    /// - Complexity: linear in the body, without allocation or lock.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func read(
        _ body: UnsafeRawBufferPointer, scratch: UnsafeMutableRawBufferPointer,
        into report: inout ClickReport
    ) -> ReportFault? {
        precondition(scratch.count >= scratchBytes, "a report needs more scratch")
        report = ClickReport()
        guard body.count <= bodyBytesMax else { return .bodyTooLarge }
        guard let base = body.baseAddress else { return .notAnObject }
        var reading = ReportReading(
            json: JSONReader(ByteWindow(base, end: body.count)), scratch: scratch)
        if let fault = reading.readObject() { return fault }
        guard let id = reading.gongguID else { return .gongguIDMissing }
        report.gongguID = id
        if let channel = reading.channel { report.channel = channel }
        return nil
    }

    /// Whether a body of this type is read: `application/json`, or `text/plain` which is what
    /// `sendBeacon` sends and a browser asks no preflight for. Parameters are of no matter.
    ///
    /// - Parameter contentType: the field's value; an empty one is not accepted.
    public static func accepts(contentType: UnsafeRawBufferPointer) -> Bool {
        guard let base = contentType.baseAddress else { return false }
        let window = ByteWindow(base, end: contentType.count)
        var end = 0
        while end < window.end, window.byte(end) != UInt8(ascii: ";") { end &+= 1 }
        while end > 0, Ascii.isBlank(window.byte(end &- 1)) { end &-= 1 }
        let type = ByteRange(start: 0, end: end)
        return window.folds(type, "application/json") || window.folds(type, "text/plain")
    }
}

/// One reading of one body. The faults of known members wait until the whole body has proved to be
/// JSON, so that the client hears of the larger mistake first.
private struct ReportReading {
    var json: JSONReader
    let scratch: UnsafeMutableRawBufferPointer
    var gongguID: UnsafeRawBufferPointer?
    var channel: UnsafeRawBufferPointer?
    private var sawGongguID = false
    private var sawChannel = false
    private var firstFault: ReportFault?

    private static let nameBytesMax = 16

    init(json: JSONReader, scratch: UnsafeMutableRawBufferPointer) {
        self.json = json
        self.scratch = scratch
    }

    mutating func readObject() -> ReportFault? {
        json.skipBlanks()
        guard json.take(UInt8(ascii: "{")) else { return .notAnObject }
        json.skipBlanks()
        if !json.take(UInt8(ascii: "}")) {
            repeat {
                json.skipBlanks()
                guard readMember() else { return .notAnObject }
                json.skipBlanks()
            } while json.take(UInt8(ascii: ","))
            guard json.take(UInt8(ascii: "}")) else { return .notAnObject }
        }
        json.skipBlanks()
        return json.isAtEnd ? firstFault : .notAnObject
    }

    private mutating func readMember() -> Bool {
        let nameRoom = room(at: 96, count: ReportReading.nameBytesMax)
        guard let nameBytes = json.readText(into: nameRoom) else { return false }
        let isGongguID = isName(nameRoom, nameBytes, "gonggu_id")
        let isChannel = isName(nameRoom, nameBytes, "channel")
        json.skipBlanks()
        guard json.take(UInt8(ascii: ":")) else { return false }
        json.skipBlanks()
        if isGongguID {
            if sawGongguID { note(.repeatedMember) }
            sawGongguID = true
            return readLabel(isChannel: false)
        }
        if isChannel {
            if sawChannel { note(.repeatedMember) }
            sawChannel = true
            if json.take("null") { return true }
            return readLabel(isChannel: true)
        }
        return json.skipValue()
    }

    /// Reads a label into the scratch. What is JSON but no label is noted as a fault, so that it
    /// does not read as absence; only a channel may be empty.
    private mutating func readLabel(isChannel: Bool) -> Bool {
        let bytesMax = isChannel ? LinkTarget.channelBytesMax : LinkTarget.idBytesMax
        let fault = isChannel ? ReportFault.channelInvalid : ReportFault.gongguIDInvalid
        guard json.next == UInt8(ascii: "\"") else {
            note(fault)
            return json.skipValue()
        }
        let room = room(at: isChannel ? 64 : 0, count: bytesMax)
        guard let count = json.readText(into: room), let start = room.baseAddress else {
            return false
        }
        if isChannel && count == 0 { return true }
        let window = ByteWindow(UnsafeRawPointer(start), end: count)
        guard count <= bytesMax, window.isLabel(from: 0, to: count, bytesMax: bytesMax) else {
            note(fault)
            return true
        }
        let text = UnsafeRawBufferPointer(start: start, count: count)
        if isChannel { channel = text } else { gongguID = text }
        return true
    }

    private mutating func note(_ fault: ReportFault) {
        if firstFault == nil { firstFault = fault }
    }

    private func room(at offset: Int, count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: scratch[offset..<offset &+ count])
    }

    private func isName(
        _ room: UnsafeMutableRawBufferPointer, _ count: Int, _ name: StaticString
    ) -> Bool {
        guard count <= room.count, let base = room.baseAddress else { return false }
        return ByteWindow(base, end: count).holds(name, from: 0, to: count)
    }
}
