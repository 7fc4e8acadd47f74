import Settings

/// What an operator decides about how long clicks are kept, and where.
struct MaintainSettings {
    let databaseURL: Secret
    let archiveDirectory: String
    /// Days that stay in the ledger, counted back from today.
    let daysOnline: Int
    /// Days until addresses and agents are erased.
    let retentionDays: Int

    /// Declares and reads them. Faults stay in the reader until its `finish`.
    init(_ reader: inout SettingsReader) {
        databaseURL = reader.secretURL(
            "DATABASE_URL", schemes: ["postgres", "postgresql"], "The ledger's database")
        archiveDirectory = reader.writableDirectory(
            "ARCHIVE_DIRECTORY", default: "/var/lib/gonggumoa/archives",
            "Where detached days are kept as files; back it up as you do the database")
        retentionDays = reader.integer(
            "IP_RETENTION_DAYS", default: 90, in: 1...3650, unit: "days",
            "After so many days addresses and User-Agents of clicks are erased")
        daysOnline = reader.integer(
            "CLICK_DAYS_ONLINE", default: 400, in: 1...36_500, unit: "days",
            "After so many days a day's clicks leave the database for a file. At least what is "
                + "asked about single clicks: settlements of the last year are verified by them")
        if daysOnline < retentionDays {
            reader.reject(
                "CLICK_DAYS_ONLINE",
                "must not be less than IP_RETENTION_DAYS: files hold no addresses and no agents")
        }
    }

    init(
        databaseURL: Secret, archiveDirectory: String, daysOnline: Int = 400,
        retentionDays: Int = 90
    ) {
        self.databaseURL = databaseURL
        self.archiveDirectory = archiveDirectory
        self.daysOnline = daysOnline
        self.retentionDays = retentionDays
    }
}
