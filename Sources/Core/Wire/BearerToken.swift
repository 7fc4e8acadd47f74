// HOT

/// Finds the access token that a request brings.
public enum BearerToken {
    /// The token of `Authorization: Bearer …` (RFC 6750, 2.1), else the value of the first cookie
    /// `access_token`, as it was sent: not decoded, and in quotes if it was. Empty if there is
    /// neither. A token in the header counts, be it valid or not; another scheme does not hide the
    /// cookie.
    ///
    /// - Parameter bytes: the buffer that the head was parsed in; the token lies in it.
    /// - Complexity: linear in the two fields, without allocation or lock.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func find(
        _ head: RequestHead, in bytes: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        guard let base = bytes.baseAddress else { return bytes }
        let window = ByteWindow(base, end: bytes.count)
        var token = window.bearer(head.authorization)
        if token.isEmpty { token = window.cookie("access_token", in: head.cookie) }
        return token.isEmpty ? UnsafeRawBufferPointer(start: nil, count: 0) : token.bytes(in: bytes)
    }
}

extension ByteWindow {
    /// The credentials behind the scheme, which is case-insensitive (RFC 9110, 11.1) and followed
    /// by spaces.
    fileprivate func bearer(_ value: ByteRange) -> ByteRange {
        let start = Int(value.start)
        guard value.count > 7, folds(ByteRange(start: start, end: start &+ 6), "bearer"),
            byte(start &+ 6) == Ascii.space
        else { return .absent }
        return trimmed(from: start &+ 7, to: start &+ Int(value.count))
    }

    /// The value of the first cookie of that name. Pairs are parted by semicolons only, so a name
    /// inside of another cookie's value is none (RFC 6265, 4.2.1); blanks around a pair are
    /// dropped.
    fileprivate func cookie(_ name: StaticString, in value: ByteRange) -> ByteRange {
        let end = Int(value.start) &+ Int(value.count)
        var index = Int(value.start)
        while index < end {
            let start = index
            index = upTo(end).firstIndex(of: UInt8(ascii: ";"), from: index)
            let pair = trimmed(from: start, to: index)
            let first = Int(pair.start)
            let nameEnd = first &+ name.utf8CodeUnitCount
            let last = first &+ Int(pair.count)
            if nameEnd < last, byte(nameEnd) == UInt8(ascii: "="),
                holds(name, from: first, to: nameEnd)
            {
                return ByteRange(start: nameEnd &+ 1, end: last)
            }
            index &+= 1
        }
        return .absent
    }
}
