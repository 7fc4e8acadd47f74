// HOT
import CScan

/// Finds the access token that a request brings.
public enum BearerToken {
    /// The token of `Authorization: Bearer …` (RFC 6750, 2.1), else the value of the first cookie
    /// `access_token`, as it was sent: not decoded, and in quotes if it was. Empty if there is
    /// neither. A token in the header counts, be it valid or not; another scheme does not hide the
    /// cookie.
    ///
    /// - Parameters:
    ///   - authorization: the head's, and its cookie.
    ///   - bytes: the buffer that the head was parsed in; the token lies in it.
    /// - Complexity: linear in the two fields, without allocation or lock.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    @inlinable
    @inline(always)
    public static func find(
        authorization: ByteRange, cookie: ByteRange, in bytes: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        // Most visitors have neither. Cookies, be they as many as they may, are looked through for
        // the token's name all at once.
        guard
            authorization.isPresent
                || cookie.isPresent && mayBe(in: cookie.bytes(ofParsed: bytes))
        else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return findWhereItMayBe(authorization, cookie, bytes)
    }

    @inlinable
    @inline(always)
    static func mayBe(in cookies: UnsafeRawBufferPointer) -> Bool {
        cookies.withMemoryRebound(to: UInt8.self) {
            cscan_may_hold_token($0.baseAddress, $0.count) != 0
        }
    }

    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    @inline(never)
    @usableFromInline
    static func findWhereItMayBe(
        _ authorization: ByteRange, _ cookie: ByteRange, _ bytes: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        guard let base = bytes.baseAddress else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        let window = ByteWindow(base, end: bytes.count)
        let token = window.token(authorization, cookie)
        return token.isEmpty ? UnsafeRawBufferPointer(start: nil, count: 0) : token.bytes(in: bytes)
    }
}

extension ByteWindow {
    @inline(always)
    fileprivate func token(_ authorization: ByteRange, _ cookies: ByteRange) -> ByteRange {
        if authorization.isPresent {
            let token = bearer(authorization)
            if !token.isEmpty { return token }
        }
        return cookies.isPresent ? tokenCookie(in: cookies) : .absent
    }

    /// The credentials behind the scheme, which is case-insensitive (RFC 9110, 11.1) and followed
    /// by spaces.
    @inline(never)
    private func bearer(_ value: ByteRange) -> ByteRange {
        let start = Int(value.start)
        guard value.count > 7, folds(ByteRange(start: start, end: start &+ 6), "bearer"),
            byte(start &+ 6) == Ascii.space
        else { return .absent }
        return trimmed(from: start &+ 7, to: start &+ Int(value.count))
    }

    /// The value of the first cookie `access_token`. Pairs are parted by semicolons only, so a name
    /// inside of another cookie's value is none (RFC 6265, 4.2.1); blanks around a pair are
    /// dropped.
    @inline(always)
    private func tokenCookie(in value: ByteRange) -> ByteRange {
        let end = Int(value.start) &+ Int(value.count)
        var index = Int(value.start)
        while true {
            while index < end, Ascii.isBlank(byte(index)) { index &+= 1 }
            if index < end, byte(index) == UInt8(ascii: "a") {
                let token = tokenPair(from: index, to: end)
                if token.isPresent { return token }
            }
            index = nearest(UInt8(ascii: ";"), from: index, to: end) &+ 1
            guard index < end else { return .absent }
        }
    }

    /// The value of the pair at `start`, if that is the token's.
    @inline(never)
    private func tokenPair(from start: Int, to end: Int) -> ByteRange {
        let valueStart = self.end(of: "access_token=", from: start, to: end)
        guard valueStart != 0 else { return .absent }
        let pairEnd = nearest(UInt8(ascii: ";"), from: start, to: end)
        let pair = trimmed(from: start, to: pairEnd)
        let last = Int(pair.start) &+ Int(pair.count)
        return valueStart <= last ? ByteRange(start: valueStart, end: last) : .absent
    }
}
