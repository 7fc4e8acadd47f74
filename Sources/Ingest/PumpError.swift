/// What can keep a batch from the ledger besides PostgreSQL.
enum PumpError: Error, CustomStringConvertible {
    /// A committed offset is not where this pump left it.
    case offsetMoved
    /// A user agent or referer was deleted while its number was looked up.
    case textVanished
    /// A batch that had to be committed before this one was not.
    case overtaken

    var description: String {
        switch self {
        case .offsetMoved:
            "spool_offsets moved without us: a commit we took for lost, or, if this comes again, "
                + "another Ingest with the same EDGE_ID"
        case .textVanished:
            "a text was deleted from user_agents or referers while its number was looked up"
        case .overtaken: "the batch before this one failed"
        }
    }
}
