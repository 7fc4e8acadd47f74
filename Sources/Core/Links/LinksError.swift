import Clicks
import Linux

/// Why a links file was not taken, or not written.
package enum LinksError: Error, CustomStringConvertible {
    case system(SystemError)
    /// Too short for a header, or without its magic.
    case foreign(path: String)
    case headerChecksum(path: String)
    case version(UInt16, path: String)
    /// The header says another length than the file has.
    case length(says: UInt64, has: Int, path: String)
    /// Header and checksum are right, and the numbers in it are impossible: a writer's bug.
    case layout(path: String)
    case bodyChecksum(path: String)

    case duplicateID(Identifier)
    case duplicateCode(String)
    /// Not 1 to 16 of the allowed characters.
    case shortCode(String, of: Identifier)
    /// Not 1 to 2,000 bytes.
    case locationBytes(Int, of: Identifier)
    /// More links or bytes than the format holds.
    case full(path: String)
    /// No place in the index within the bound, with seed after seed.
    case crowded(path: String)

    /// Whether one link is at fault, and the file could be written without it.
    package var isOfOneLink: Bool {
        switch self {
        case .duplicateID, .duplicateCode, .shortCode, .locationBytes: true
        case .system, .foreign, .headerChecksum, .version, .length, .layout, .bodyChecksum, .full,
            .crowded:
            false
        }
    }

    package var description: String {
        switch self {
        case .system(let error): error.description
        case .foreign(let path): "\(path) is no links file"
        case .headerChecksum(let path): "\(path) has a damaged header"
        case .version(let version, let path):
            "\(path) has links format version \(version), this build reads versions "
                + "\(LinksFormat.versionsRead.lowerBound) to \(LinksFormat.version)"
        case .length(let says, let has, let path):
            "\(path) has \(has) bytes and says it has \(says)"
        case .layout(let path): "\(path) has an impossible layout"
        case .bodyChecksum(let path): "\(path) is damaged behind its header"
        case .duplicateID(let id): "link \(id) was given twice"
        case .duplicateCode(let code): "short code \(code) was given to two links"
        case .shortCode(let code, let id):
            "short code \"\(code)\" of link \(id) is not 1 to 16 of 0-9 A-Z a-z _ -"
        case .locationBytes(let bytes, let id):
            "the location of link \(id) has \(bytes) bytes, not 1 to "
                + "\(LinksFormat.locationBytesMax)"
        case .full(let path): "\(path) would be larger than the format allows"
        case .crowded(let path): "\(path) could not be indexed"
        }
    }
}
