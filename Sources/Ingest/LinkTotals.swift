import Admin

/// What the way down has done so far, for `/metrics`.
struct LinkTotals: Equatable, Sendable {
    /// Links in the image.
    var links = 0
    /// Gonggus and banners whose URL cannot be sent to anybody.
    var refused = 0
    /// Readings of all links, and what they took together.
    var readings = 0
    var readingMicros: Int64 = 0
    /// Links that were read since a notification named them.
    var named = 0
    /// Files written, and what that took together, the device's part included.
    var files = 0
    var writingMicros: Int64 = 0
    var fileBytes = 0
    var imageBytes = 0

    /// Adds what operators see.
    func write(to text: inout MetricsText) {
        text.single("ingest_links", .gauge, "Links in the published file.", links)
        text.single(
            "ingest_links_refused", .gauge,
            "Gonggus and banners left out for a URL that cannot be sent.", refused)
        text.single("ingest_links_publications_total", .counter, "Links files written.", files)
        text.single(
            "ingest_links_write_microseconds_total", .counter,
            "Writing links files, until they have their name.", writingMicros)
        text.single(
            "ingest_links_readings_total", .counter,
            "Readings of all links: at each start and connection, and now and then.", readings)
        text.single(
            "ingest_links_reading_microseconds_total", .counter, "Readings of all links.",
            readingMicros)
        text.single(
            "ingest_links_named_total", .counter,
            "Links read by their id after a change of theirs was told.", named)
        text.single(
            "ingest_links_file_bytes", .gauge, "Bytes of the last file written.", fileBytes)
        text.single(
            "ingest_links_image_bytes", .gauge, "Memory that holds the links.", imageBytes)
    }
}
