import Linux

/// Why a spool folder or a segment cannot be used. None is about a single damaged frame: those are
/// ordinary answers of ``SegmentReader``.
package enum SpoolError: Error, CustomStringConvertible {
    /// Another process holds the lock file.
    case held(lock: String, by: StaticString)
    case edgeID(String)
    /// The folder has segments, or a note in its lock, from a time that leaves no later name.
    case startExhausted(folder: String)
    /// The header is right and names a version that this build does not know.
    case version(UInt16, segment: String)
    /// The header is right and names another segment than its file does.
    case foreign(segment: String)
    /// No more is set aside: what cannot be taken up stays in its segment, and that waits.
    case quarantineFull(folder: String, bytesMax: Int)
    /// Another process requeues.
    case requeueing(lock: String)
    case system(SystemError)

    package var description: String {
        switch self {
        case .held(let lock, let holder):
            "another \(holder) holds \(lock): stop it, or give this one an edge id of its own"
        case .edgeID(let text):
            "edge id \"\(text)\" is not 1 to 64 of A-Za-z0-9._- beginning without a dot"
        case .startExhausted(let folder):
            "\(folder) was used at a time beyond the year 2286: set the clock, use a new folder"
        case .version(let version, let segment):
            "\(segment) has spool format version \(version), this build reads versions "
                + "\(SpoolFormat.firstVersion) to \(SpoolFormat.version): ingest it with the build "
                + "that wrote it"
        case .foreign(let segment):
            "\(segment) was written under another name: rename it back"
        case .quarantineFull(let folder, let bytesMax):
            "\(folder) holds as much as it may (\(bytesMax) bytes, INGEST_QUARANTINE_BYTES_MAX, or "
                + "\(Quarantine.filesMax) files): requeue what is repaired, or move files away"
        case .requeueing(let lock):
            "another Ingest requeue holds \(lock)"
        case .system(let error):
            error.description
        }
    }
}
