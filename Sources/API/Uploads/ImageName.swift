import Clicks

/// Where an image is, in the folder or the bucket and in its address:
/// `images/2026/11/<uuid>.webp`, the month that of its upload in Korea, and
/// `…_thumb.webp` beside it.
struct ImageName: Equatable, Sendable {
    let id: Identifier
    let year: Int
    let month: Int
    let isThumbnail: Bool

    static let thumbnailMark = "_thumb"
    static let ending = ".webp"

    init(id: Identifier, at time: Timestamp, isThumbnail: Bool) {
        (year, month, _) = KoreanDay(containing: time).civil
        self.id = id
        self.isThumbnail = isThumbnail
    }

    /// From the three last segments of an address. Nil for anything that is not exactly a name as
    /// it is made here, so that no name from outside is ever part of a path: dots, slashes, another
    /// case and temporary files among them.
    init?(year: String, month: String, file: String) {
        guard let yearNumber = Int(year), let monthNumber = Int(month),
            file.hasSuffix(ImageName.ending)
        else { return nil }
        let stem = file.dropLast(ImageName.ending.count)
        isThumbnail = stem.hasSuffix(ImageName.thumbnailMark)
        let id = isThumbnail ? stem.dropLast(ImageName.thumbnailMark.count) : stem
        guard let id = Identifier(String(id)) else { return nil }
        self.id = id
        (self.year, self.month) = (yearNumber, monthNumber)
        guard segments == ["images", year, month, file] else { return nil }
    }

    private var segments: [String] {
        let mark = isThumbnail ? ImageName.thumbnailMark : ""
        return [
            "images", "\(year)", "\(month < 10 ? "0" : "")\(month)",
            "\(id)\(mark)\(ImageName.ending)",
        ]
    }

    /// Without a slash at its beginning.
    var path: String { segments.joined(separator: "/") }

    /// What is under a name never changes, so the name says it all.
    var entityTag: String { "\"\(id)\(isThumbnail ? ImageName.thumbnailMark : "")\"" }
}
