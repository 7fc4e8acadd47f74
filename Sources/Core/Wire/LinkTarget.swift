// HOT
// Which of the edge's few routes a target names. Nothing is percent-decoded: every identifier and
// every channel the platform hands out is made of unreserved characters, so a link has one spelling
// and an escaped one is simply unknown.

import Clicks

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
    @inlinable
    public static var idBytesMax: Int { 64 }
    public static var channelBytesMax: Int { 32 }

    public let route: EdgeRoute
    /// Of ``EdgeRoute/follow``: a UUID or a short code, 1 to 64 letters, digits, `-` and `_`. Other
    /// bytes, other lengths and further slashes make the route ``EdgeRoute/none``.
    public let id: ByteRange
    /// The value of the first `ch`; absent where there is none or it is no label (1 to 32 letters,
    /// digits, `-` and `_`), because a bad label must not cost a click.
    public let channel: ByteRange

    @inlinable
    init(_ route: EdgeRoute, id: ByteRange = .absent, channel: ByteRange = .absent) {
        self.route = route
        self.id = id
        self.channel = channel
    }

    /// The UUID that ``id`` is, nil if it is a short code.
    ///
    /// - Parameters: those it was made of.
    @inlinable
    @inline(always)
    public func linkID(
        _ head: borrowing RequestHead, in bytes: UnsafeRawBufferPointer
    ) -> Identifier? {
        head.linkID ?? Identifier(text: id.bytes(ofParsed: bytes))
    }

    /// What no target is.
    @inlinable
    public static var none: LinkTarget { LinkTarget(.none) }

    /// - Parameters:
    ///   - head: of ``ParseOutcome/complete(headBytes:)``.
    ///   - bytes: the buffer it was parsed from.
    /// - Complexity: linear in the target; the query is read for ``EdgeRoute/follow`` only.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    @inlinable
    @inline(always)
    public init(_ head: borrowing RequestHead, in bytes: UnsafeRawBufferPointer) {
        let (path, query) = (head.path, head.query)
        if head.isLink {
            self.init(linkFrom: Int(path.start) &+ 4, path, query, in: bytes)
        } else {
            self = LinkTarget.other(path, query, in: bytes)
        }
    }

    /// Of a path whose rest from `start` on is made of what labels are made of.
    @inlinable
    @inline(always)
    init(
        linkFrom start: Int, _ path: ByteRange, _ query: ByteRange,
        in bytes: UnsafeRawBufferPointer
    ) {
        let end = Int(path.start) &+ Int(path.count)
        guard start < end, end &- start <= LinkTarget.idBytesMax else {
            self.init(.none)
            return
        }
        self.init(
            .follow, id: ByteRange(start: start, end: end),
            channel: query.isPresent ? LinkTarget.channel(of: query, in: bytes) : .absent)
    }

    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    @inline(never)
    @usableFromInline
    static func other(
        _ path: ByteRange, _ query: ByteRange, in bytes: UnsafeRawBufferPointer
    ) -> LinkTarget {
        guard let base = bytes.baseAddress else { return .none }
        let window = ByteWindow(base, end: bytes.count)
        let start = Int(path.start)
        let end = start &+ Int(path.count)
        let idStart = window.end(of: "/api/v1/go/", from: start, to: end)
        if idStart != 0, window.endOfLabel(from: idStart) >= end {
            return LinkTarget(linkFrom: idStart, path, query, in: bytes)
        }
        if window.holds("/api/v1/tracking/click", from: start, to: end) {
            return LinkTarget(.report)
        }
        return LinkTarget(window.holds("/robots.txt", from: start, to: end) ? .robots : .none)
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

    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    @inline(never)
    @usableFromInline
    static func channel(of query: ByteRange, in bytes: UnsafeRawBufferPointer) -> ByteRange {
        guard let base = bytes.baseAddress else { return .absent }
        let window = ByteWindow(base, end: bytes.count)
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
    @inline(always)
    func end(of literal: StaticString, from start: Int, to end: Int) -> Int {
        let after = start &+ literal.utf8CodeUnitCount
        return after <= end && holds(literal, from: start, to: after) ? after : 0
    }

    /// Whether 1 to `bytesMax` letters, digits, `-` and `_` stand from `start` to `end`.
    @inline(always)
    func isLabel(from start: Int, to end: Int, bytesMax: Int) -> Bool {
        guard start < end, end &- start <= bytesMax else { return false }
        return upTo(end).endOfLabel(from: start) == end
    }
}
