import ObjectStore
import Settings

/// Where images are kept, how many are taken, and what makes them.
package struct UploadSettings: Sendable {
    let directory: String
    /// Instead of the folder.
    let bucket: S3Bucket?
    /// What an image's address begins with, without a slash at its end; nil for the API's own.
    let publicBase: String?
    /// Tries of one account, good or bad.
    let perHour: Int
    let program: String?
    let lanes: Int
    let queueMax: Int

    init(reading reader: inout SettingsReader) {
        directory = reader.path(
            "UPLOAD_DIRECTORY", default: "/var/lib/gonggumoa/uploads",
            "The folder that keeps uploaded images, unless a bucket does; the API serves them "
                + "then. Back it up as you do the database.")
        let mediaURL = reader.optionalURL(
            "MEDIA_URL", schemes: ["https", "http"],
            "What addresses of images begin with, before /images/; a CDN's, or a bucket's.")
        let domain = reader.optionalText(
            "AWS_CLOUDFRONT_DOMAIN", bytesMax: 253,
            "The same by its host alone, reached by https; MEDIA_URL comes before it.")
        let bucketURL: String?
        (bucket, bucketURL) = UploadSettings.bucket(&reader)
        publicBase = (mediaURL ?? domain.map { "https://\($0)" } ?? bucketURL).map {
            $0.hasSuffix("/") ? String($0.dropLast()) : $0
        }
        perHour = reader.integer(
            "UPLOADS_PER_HOUR", default: 60, in: 1...10_000, unit: "images",
            "Images that one account may send in an hour, refused ones too; more are answered 429.")
        program = reader.optionalText(
            "IMAGE_PROGRAM",
            "The program that makes images; without it, Thumbnailer beside this program.")
        lanes = reader.integer(
            "IMAGE_LANES", default: 2, in: 1...64, unit: "images",
            "Images made at once; each keeps a core busy and may take a gibibyte.")
        queueMax = reader.integer(
            "IMAGE_QUEUE_MAX", default: 16, in: 0...1000, unit: "images",
            "Images that wait for that; more are answered 503.")
    }

    private static func bucket(_ reader: inout SettingsReader) -> (S3Bucket?, String?) {
        let name = reader.label(
            "AWS_S3_BUCKET", default: "",
            "The bucket that keeps images, of any server that speaks S3's protocol.")
        let region = reader.label("AWS_REGION", default: "ap-northeast-2", "The bucket's region.")
        let endpoint = reader.url(
            "AWS_S3_ENDPOINT", default: "https://s3.\(region).amazonaws.com",
            schemes: ["https", "http"], "The server that has the bucket.")
        let id = reader.optionalText("AWS_ACCESS_KEY_ID", "Who writes to the bucket.")
        let key = reader.optionalSecret(
            "AWS_SECRET_ACCESS_KEY", "What their requests are signed by.")
        guard !name.isEmpty else { return (nil, nil) }
        guard let id, let key else {
            reader.reject(
                "AWS_S3_BUCKET",
                "must be set together with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
            return (nil, nil)
        }
        let bucket = S3Bucket(
            endpoint: endpoint, region: region, name: name, accessKeyID: id,
            secretAccessKey: key.text)
        return (
            bucket, "\(endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint)/\(name)"
        )
    }
}
