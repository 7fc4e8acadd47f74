import Clicks

/// What a link leads to, and what a click on it is stored under.
package enum LinkKind: Sendable {
    /// A group-buy: its clicks are its influencer's, and may be paid.
    case gonggu
    /// The platform's own: its clicks are nobody's, and are never paid.
    case banner
}

/// A link as the publisher has it.
package struct LinkSource: Sendable {
    package var kind: LinkKind
    package var id: Identifier
    /// ``Clicks/Identifier/anonymous`` for a banner.
    package var influencerID: Identifier
    /// 1 to 16 of `[0-9A-Za-z_-]`; empty for a banner that has none.
    package var shortCode: String
    package var opensAt: Timestamp
    package var closesAt: Timestamp
    package var isSuspended: Bool
    /// The value of the `Location` header, as ``TrackedURL`` makes it.
    package var location: [UInt8]

    package init(
        kind: LinkKind = .gonggu, id: Identifier, influencerID: Identifier, shortCode: String,
        opensAt: Timestamp, closesAt: Timestamp, isSuspended: Bool, location: [UInt8]
    ) {
        self.kind = kind
        self.id = id
        self.influencerID = influencerID
        self.shortCode = shortCode
        self.opensAt = opensAt
        self.closesAt = closesAt
        self.isSuspended = isSuspended
        self.location = location
    }

    /// The longest record: the longest location, padded.
    static let recordBytesMax = LinksFormat.recordBytes(location: LinksFormat.locationBytesMax)

    /// Writes the link's record; the same link always has the same bytes.
    ///
    /// - Parameter room: at least ``recordBytesMax``.
    /// - Returns: the record, within the room.
    /// - Throws: what cannot be in a file: a code or a location that is not of the format.
    func encode(
        into room: UnsafeMutableRawBufferPointer
    ) throws(LinksError) -> UnsafeRawBufferPointer {
        guard 1...LinksFormat.locationBytesMax ~= location.count else {
            throw .locationBytes(location.count, of: id)
        }
        var code = shortCode
        let isCode = code.withUTF8 { code in
            code.count <= LinksFormat.shortCodeBytesMax && (kind == .banner || !code.isEmpty)
                && code.allSatisfy(LinksFormat.isShortCodeByte)
        }
        guard isCode else { throw .shortCode(shortCode, of: id) }
        let ownBytes = TrackedURL.bytesBeforeParameters(of: location, id: id)
        let locationBytes = ownBytes ?? location.count
        let bytes = LinksFormat.recordBytes(location: locationBytes)
        let start = room.baseAddress!
        // The padding is in the last line.
        (start + (bytes - LinksFormat.recordUnit)).initializeMemory(
            as: UInt8.self, repeating: 0, count: LinksFormat.recordUnit)
        start.store(id.high, at: 0)
        start.store(id.low, at: 8)
        start.store(influencerID.high, at: 16)
        start.store(influencerID.low, at: 24)
        start.store(opensAt.microseconds, at: 32)
        start.store(closesAt.microseconds, at: 40)
        start.store(UInt64(0), at: 48)
        start.store(UInt64(0), at: 56)
        code.withUTF8 { code in
            guard let from = code.baseAddress else { return }
            (start + 48).copyMemory(from: from, byteCount: code.count)
        }
        var flags: UInt16 = 0
        if isSuspended { flags |= LinksFormat.suspendedFlag }
        if kind == .banner { flags |= LinksFormat.bannerFlag }
        if let ownBytes {
            let isFirst = location[ownBytes] == UInt8(ascii: "?")
            flags |= isFirst ? LinksFormat.queryFlag : LinksFormat.moreQueryFlag
        }
        start.store(flags, at: 64)
        start.store(UInt16(locationBytes), at: 66)
        (start + LinksFormat.recordFixedBytes).copyMemory(
            from: location, byteCount: locationBytes)
        return UnsafeRawBufferPointer(start: start, count: bytes)
    }
}
