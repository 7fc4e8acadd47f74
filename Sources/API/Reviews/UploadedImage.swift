import Clicks

// Which URLs are images of our own. What a review shows is loaded by every reader's browser: an
// image on a stranger's host would tell that stranger who reads, and could become another image
// after an admin has looked at it. So a review names what our upload has answered, and nothing
// else. Whether the image is (still) there is not asked.

/// The URL of an uploaded image: `…/images/2026/11/<uuid>.webp` below a base of ours.
package enum UploadedImage {
    /// The column's bound.
    package static let bytesMax = 500

    /// Its form, wherever it is.
    package static let schema = Schema<String>.formed(
        8...bytesMax,
        pattern: "^https?://[^\\s?#]+/images/[0-9]{4}/(0[1-9]|1[0-2])/[0-9a-f-]{36}\\.webp$",
        example: "https://cdn.example.com/images/2026/11/0193a5c0-7c1e-7a51-8f00-5d2f4c3b2a10.webp",
        accepts: hasForm)

    /// Whether it is an absolute URL that ends as our upload's names do.
    package static func hasForm(_ url: String) -> Bool {
        guard let scheme = ["https://", "http://"].first(where: url.hasPrefix) else { return false }
        let parts = url.dropFirst(scheme.count)
            .split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 5, parts.allSatisfy(isPlain) else { return false }
        let (year, month, name) = (parts[parts.count - 3], parts[parts.count - 2], parts.last!)
        return parts[parts.count - 4] == "images" && year.utf8.count == 4
            && year.utf8.allSatisfy(isASCIIDigit) && isMonth(month) && isName(name)
    }

    /// Whether it has the form and lies below one of these, which may end with a slash or not.
    ///
    /// - Parameter bases: where uploads are served, such as a CDN's address.
    package static func isOurs(_ url: String, below bases: [String]) -> Bool {
        hasForm(url)
            && bases.contains { base in
                url.hasPrefix(base.hasSuffix("/") ? base : base + "/")
            }
    }

    /// A host or a step of a path in which nothing means anything else: no escapes, no user, no
    /// "..", no query.
    private static func isPlain(_ part: Substring) -> Bool {
        !part.isEmpty && part != "." && part != ".."
            && part.utf8.allSatisfy { byte in
                isASCIIDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    || "-._~:".utf8.contains(byte)
            }
    }

    private static func isMonth(_ text: Substring) -> Bool {
        text.utf8.count == 2 && (1...12).contains(Int(text) ?? 0)
    }

    private static func isName(_ text: Substring) -> Bool {
        guard text.hasSuffix(".webp"), let id = Identifier(String(text.dropLast(5))) else {
            return false
        }
        // In its one spelling, so that one image has one name.
        return id.description == text.dropLast(5)
    }
}
