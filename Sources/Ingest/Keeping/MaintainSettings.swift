import ObjectStore
import Settings

/// What an operator decides about how long clicks are kept, and where.
struct MaintainSettings {
    let databaseURL: Secret
    let archiveDirectory: String
    let archiveBucket: S3Bucket?
    let archivePrefix: String
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
            "Where detached days are kept as files, or made, if a bucket keeps them; back it up as "
                + "you do the database")
        (archiveBucket, archivePrefix) = MaintainSettings.bucket(&reader)
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

    private static func bucket(_ reader: inout SettingsReader) -> (S3Bucket?, prefix: String) {
        let name = reader.label(
            "ARCHIVE_S3_BUCKET", default: "",
            "The bucket that keeps them instead; of any server "
                + "that speaks S3's protocol")
        let prefix = reader.label(
            "ARCHIVE_S3_PREFIX", default: "clicks", "Before a slash and the files' names there")
        let region = reader.label("AWS_REGION", default: "ap-northeast-2", "The bucket's region")
        let endpoint = reader.url(
            "ARCHIVE_S3_ENDPOINT", default: "https://s3.\(region).amazonaws.com",
            schemes: ["https", "http"], "The server that has the bucket")
        let id = reader.optionalText("AWS_ACCESS_KEY_ID", "Who asks for the bucket")
        let key = reader.optionalSecret(
            "AWS_SECRET_ACCESS_KEY", "What their requests are signed by")
        guard !name.isEmpty else { return (nil, prefix) }
        guard let id, let key else {
            reader.reject(
                "ARCHIVE_S3_BUCKET",
                "must be set together with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
            return (nil, prefix)
        }
        let bucket = S3Bucket(
            endpoint: endpoint, region: region, name: name, accessKeyID: id,
            secretAccessKey: key.text)
        return (bucket, prefix)
    }

    var store: ArchiveStore {
        ArchiveStore(folder: archiveDirectory, bucket: archiveBucket, prefix: archivePrefix)
    }

    init(
        databaseURL: Secret, archiveDirectory: String, archiveBucket: S3Bucket? = nil,
        daysOnline: Int = 400, retentionDays: Int = 90
    ) {
        self.archiveBucket = archiveBucket
        archivePrefix = "clicks"
        self.databaseURL = databaseURL
        self.archiveDirectory = archiveDirectory
        self.daysOnline = daysOnline
        self.retentionDays = retentionDays
    }
}
