/// What can keep a batch from the ledger besides PostgreSQL.
enum PumpError: Error, CustomStringConvertible {
    /// A committed offset is not where this pump left it.
    case offsetMoved
    /// Texts are neither there nor can they be stored, attempt for attempt.
    case textsContended
    /// A batch that had to be committed before this one was not.
    case overtaken

    var description: String {
        switch self {
        case .offsetMoved:
            "spool_offsets moved without us: a commit we took for lost, or, if this comes again, "
                + "another Ingest with the same EDGE_ID"
        case .textsContended:
            "others store and delete the same texts in user_agents, referers or "
                + "click_stats_dimensions again and again"
        case .overtaken: "the batch before this one failed"
        }
    }
}
