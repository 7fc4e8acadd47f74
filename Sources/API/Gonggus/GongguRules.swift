import Clicks

// What a gonggu may be, and who may change it.

/// Why a gonggu's request is refused.
package enum GongguRefusal: Error, Equatable, Sendable {
    case notFound
    /// The caller is neither its influencer nor an admin.
    case notOwner
    /// The caller has no influencer's profile that an admin has verified.
    case notVerified
    case fieldsInvalid([GongguFault])
}

/// A faulty field of a draft, beyond its shape.
package enum GongguFault: Error, Equatable, Sendable {
    case titleBlank
    case priceAboveOriginal
    case closesBeforeOpening
    case tooLong
    case externalURL(ExternalURL.Fault)
    case thumbnail(ExternalURL.Fault)
    case categoryRepeated
    /// One of the categories does not exist; the database's foreign key says so.
    case categoryUnknown
}

/// A draft that may be written.
package struct GongguContent: Equatable, Sendable {
    package let title: String
    package let description: String
    package let originalPrice: Int
    package let gongguPrice: Int
    package let openAt: Timestamp
    package let closeAt: Timestamp
    package let externalURL: ExternalURL
    package let thumbnail: String?
    package let categoryIDs: [Identifier]
}

/// What is decided of gonggus without the database.
package enum GongguRules {
    /// Categories that a gonggu may be found under.
    package static let categoriesMax = 2
    /// The column's bound.
    package static let thumbnailBytesMax = 500
    /// A gonggu is a sale with an end; what runs for longer is a shop.
    package static let openDaysMax = 366

    /// Checks a draft; all faults at once.
    ///
    /// - Parameter ownHost: where the platform's own links are served.
    package static func accept(
        _ draft: GongguDraft, ownHost: String?
    ) throws(GongguRefusal) -> GongguContent {
        var faults: [GongguFault] = []
        if draft.title.allSatisfy(\.isWhitespace) { faults.append(.titleBlank) }
        if draft.gongguPrice > draft.originalPrice { faults.append(.priceAboveOriginal) }
        if draft.closeAt <= draft.openAt { faults.append(.closesBeforeOpening) }
        if draft.closeAt > draft.openAt.advanced(bySeconds: Int64(openDaysMax) * 86_400) {
            faults.append(.tooLong)
        }
        let shop = url(draft.externalURL, ownHost, &faults, GongguFault.externalURL)
        // A picture may lie on our own hosts.
        let thumbnail = draft.thumbnail.flatMap { url($0, nil, &faults, GongguFault.thumbnail) }
        if (thumbnail?.text.utf8.count ?? 0) > thumbnailBytesMax {
            faults.append(.thumbnail(.tooLong))
        }
        if Set(draft.categoryIDs).count < draft.categoryIDs.count {
            faults.append(.categoryRepeated)
        }
        guard faults.isEmpty, let shop else { throw .fieldsInvalid(faults) }
        return GongguContent(
            title: draft.title.trimmed, description: draft.description,
            originalPrice: draft.originalPrice, gongguPrice: draft.gongguPrice,
            openAt: draft.openAt, closeAt: draft.closeAt, externalURL: shop,
            thumbnail: thumbnail?.text, categoryIDs: draft.categoryIDs)
    }

    private static func url(
        _ text: String, _ ownHost: String?, _ faults: inout [GongguFault],
        _ name: (ExternalURL.Fault) -> GongguFault
    ) -> ExternalURL? {
        do throws(ExternalURL.Fault) {
            return try ExternalURL(text, ownHost: ownHost)
        } catch {
            faults.append(name(error))
            return nil
        }
    }

    /// Whether the caller may change or see the inside of what this influencer owns.
    package static func requireOwner(
        _ owner: Identifier, _ caller: Account
    ) throws(GongguRefusal) {
        guard caller.id == owner || caller.role == .admin else { throw .notOwner }
    }
}
