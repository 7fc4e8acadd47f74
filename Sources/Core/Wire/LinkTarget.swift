// HOT
// Which of the edge's few routes a target names. Nothing is percent-decoded: every identifier and
// every channel the platform hands out is made of unreserved characters, so a link has one spelling
// and an escaped one is simply unknown.

/// The edge's routes (the method is the worker's affair, since a wrong one is a 405).
public enum EdgeRoute: UInt8, Sendable, BitwiseCopyable {
    /// `/go/<id>` and `/api/v1/go/<id>`.
    case follow
    /// `/api/v1/tracking/click`.
    case report
    /// `/robots.txt`.
    case robots
    /// Anything else: 404.
    case none
}

/// A target, read.
public struct LinkTarget: Sendable, BitwiseCopyable {
    public static var idBytesMax: Int { 64 }
    public static var channelBytesMax: Int { 32 }

    public private(set) var route = EdgeRoute.none
    /// Of ``EdgeRoute/follow``: a UUID or a short code, 1 to 64 letters, digits, `-` and `_`. Other
    /// bytes, other lengths and further slashes make the route ``EdgeRoute/none``.
    public private(set) var id = ByteRange.absent
    /// The value of the first `ch`; absent where there is none or it is no label (1 to 32 letters,
    /// digits, `-` and `_`), because a bad label must not cost a click.
    public private(set) var channel = ByteRange.absent

    /// - Parameters:
    ///   - head: of ``ParseOutcome/complete(headBytes:)``.
    ///   - bytes: the buffer it was parsed from.
    /// - Complexity: linear in the target; the query is read for ``EdgeRoute/follow`` only.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public init(_ head: RequestHead, in bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        let window = ByteWindow(base, end: bytes.count)
        if head.isLink {
            readLink(from: Int(head.path.start) &+ 4, head, in: window)
        } else {
            readOther(head, in: window)
        }
    }

    @inline(__always)
    private mutating func readLink(
        from start: Int, _ head: borrowing RequestHead, in window: ByteWindow
    ) {
        let end = Int(head.path.start) &+ Int(head.path.count)
        guard start < end, end &- start <= LinkTarget.idBytesMax else { return }
        route = .follow
        id = ByteRange(start: start, end: end)
        if head.query.isPresent { channel = LinkTarget.channel(of: head.query, in: window) }
    }

    @inline(never)
    private mutating func readOther(_ head: borrowing RequestHead, in window: ByteWindow) {
        let start = Int(head.path.start)
        let end = start &+ Int(head.path.count)
        let idStart = window.end(of: "/api/v1/go/", from: start, to: end)
        if idStart != 0 {
            if window.endOfLabel(from: idStart) >= end { readLink(from: idStart, head, in: window) }
        } else if window.holds("/api/v1/tracking/click", from: start, to: end) {
            route = .report
        } else if window.holds("/robots.txt", from: start, to: end) {
            route = .robots
        }
    }

    /// Whether the path of no route is no path at all: RFC 3986, 3.3 to the letter, and no escaped
    /// NUL, which some take for an end. Queries are not held to it: browsers send them as typed.
    public static func isPathMalformed(
        _ head: RequestHead, in bytes: UnsafeRawBufferPointer
    ) -> Bool {
        let path = head.path.bytes(in: bytes)
        var index = 0
        while index < path.count {
            let byte = path[index]
            if byte == UInt8(ascii: "%") {
                guard index + 2 < path.count else { return true }
                let high = Ascii.hexadecimalValue(path[index + 1])
                let low = Ascii.hexadecimalValue(path[index + 2])
                guard high < 16, low < 16, high | low != 0 else { return true }
                index += 3
                continue
            }
            let isPathByte =
                byte == UInt8(ascii: "/") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "@")
                || CharacterClass.registeredName.contains(byte)
            guard isPathByte else { return true }
            index += 1
        }
        return false
    }

    @inline(never)
    private static func channel(of query: ByteRange, in window: ByteWindow) -> ByteRange {
        let end = Int(query.start) &+ Int(query.count)
        var index = Int(query.start)
        while index < end {
            let valueStart = window.end(of: "ch=", from: index, to: end)
            index = window.upTo(end).firstIndex(of: UInt8(ascii: "&"), from: index)
            if valueStart != 0 {
                let isLabel = window.isLabel(
                    from: valueStart, to: index, bytesMax: LinkTarget.channelBytesMax)
                return isLabel ? ByteRange(start: valueStart, end: index) : .absent
            }
            index &+= 1
        }
        return .absent
    }
}

extension ByteWindow {
    /// Where `literal`, if it stands at `start`, ends; else 0.
    @inline(__always)
    func end(of literal: StaticString, from start: Int, to end: Int) -> Int {
        let after = start &+ literal.utf8CodeUnitCount
        return after <= end && holds(literal, from: start, to: after) ? after : 0
    }

    /// Whether 1 to `bytesMax` letters, digits, `-` and `_` stand from `start` to `end`.
    @inline(__always)
    func isLabel(from start: Int, to end: Int, bytesMax: Int) -> Bool {
        guard start < end, end &- start <= bytesMax else { return false }
        return upTo(end).endOfLabel(from: start) == end
    }
}
