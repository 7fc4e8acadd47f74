/// Which room may import what. Two processes share what is in Core; Edge and Ingest have to build
/// in seconds, without one third-party package and without Foundation.
enum ImportTable {
    struct Room {
        /// The folder whose files the row is about; the longest that fits counts.
        let folder: String
        let modules: Set<String>
    }

    /// What comes with the language and brings no dependency.
    private static let language: Set<String> = ["Synchronization"]
    private static let system: Set<String> = language.union(["Glibc"])
    private static let vocabulary: Set<String> = language.union(["Clicks"])

    static let rooms: [Room] = [
        Room(folder: "Sources/Core/Clicks", modules: language.union(["CPrefetch", "CTexts"])),
        Room(folder: "Sources/Core/Wire", modules: vocabulary.union(["CScan"])),
        Room(folder: "Sources/Core/Judging", modules: vocabulary),
        Room(folder: "Sources/Core/Guards", modules: vocabulary),
        Room(folder: "Sources/Core/Checksum", modules: language.union(["CChecksum"])),
        Room(folder: "Sources/Core/Linux", modules: system.union(["CLinux"])),
        Room(folder: "Sources/Core/Settings", modules: system),
        Room(folder: "Sources/Core/Spool", modules: system.union(["Clicks", "Linux", "Checksum"])),
        Room(folder: "Sources/Core/Links", modules: system.union(["Clicks", "Linux", "Checksum"])),
        Room(folder: "Sources/Core/Admin", modules: system.union(["Clicks", "Linux", "Wire"])),
        Room(folder: "Sources/Core/Postgres", modules: system.union(["CPostgres", "Linux"])),
        Room(folder: "Sources/Core/Redis", modules: system.union(["CHiredis", "Linux"])),
        Room(folder: "Sources/Core/GeoIP", modules: system.union(["CMaxMindDB"])),
        Room(folder: "Sources/Core/Workbook", modules: system.union(["CXLSXWriter"])),
        Room(folder: "Sources/Core/QRCode", modules: system.union(["CQRencode", "CPNG"])),
        Room(folder: "Sources/Core/Gzip", modules: system.union(["CZlib", "Linux"])),
        Room(folder: "Sources/Core/ObjectStore", modules: system.union(["CCurl", "Linux", "TLS"])),
        Room(folder: "Sources/Core/TLS", modules: system.union(["COpenSSL"])),
        Room(folder: "Sources/Core/Schema", modules: language.union(["Postgres"])),
        Room(
            folder: "Sources/Edge",
            modules: system.union([
                "Clicks", "Wire", "Judging", "Guards", "Spool", "Links", "Linux", "TLS", "Admin",
                "Settings",
            ])),
        Room(
            folder: "Sources/Ingest",
            modules: system.union([
                "Clicks", "Spool", "Links", "Linux", "Postgres", "Schema", "GeoIP", "Judging",
                "Redis", "Admin", "Settings",
            ])),
        // What was detached is compressed and hashed.
        Room(
            folder: "Sources/Ingest/Keeping",
            modules: system.union([
                "Clicks", "Linux", "Postgres", "Schema", "Admin", "Settings", "Gzip",
                "ObjectStore", "TLS",
            ])),
        Room(
            folder: "Sources/API",
            modules: system.union([
                "Clicks", "Guards", "Judging", "Postgres", "Schema", "Redis", "GeoIP", "Settings",
                "Workbook", "QRCode",
                "CCrypt", "Foundation", "ArgumentParser", "AsyncHTTPClient", "Crypto", "HTTPTypes",
                "Hummingbird", "HummingbirdCore", "JWTKit", "Logging", "Metrics", "Mustache",
                "NIOCore", "NIOPosix", "ServiceLifecycle",
            ])),
        // Files in memory, threads that may block, a program of ours, a bucket.
        Room(
            folder: "Sources/API/Uploads",
            modules: system.union([
                "Clicks", "Postgres", "Settings", "Linux", "ObjectStore", "Crypto", "Foundation",
                "HTTPTypes", "Hummingbird", "Logging", "ServiceLifecycle",
            ])),
        Room(folder: "Sources/Thumbnailer", modules: system.union(["CVips", "Linux"])),
    ]

    /// The one folder, or file, that wraps each C library. Tests go through the wrapper as well.
    static let wrappers: [String: String] = [
        "CLinux": "Sources/Core/Linux/",
        "CScan": "Sources/Core/Wire/",
        "CTexts": "Sources/Core/Clicks/",
        "CPrefetch": "Sources/Core/Clicks/CacheLine.swift",
        "CChecksum": "Sources/Core/Checksum/",
        "CPostgres": "Sources/Core/Postgres/",
        "CHiredis": "Sources/Core/Redis/",
        "CMaxMindDB": "Sources/Core/GeoIP/",
        "CXLSXWriter": "Sources/Core/Workbook/",
        "CQRencode": "Sources/Core/QRCode/",
        "CPNG": "Sources/Core/QRCode/",
        "CZlib": "Sources/Core/Gzip/",
        "CCurl": "Sources/Core/ObjectStore/",
        "COpenSSL": "Sources/Core/TLS/",
        "CVips": "Sources/Thumbnailer/",
        "CCrypt": "Sources/API/Accounts/PasswordHash.swift",
    ]

    static func findings(in file: SwiftText) -> [Finding] {
        let imports = imports(of: file)
        let room = rooms.filter { file.path.hasPrefix($0.folder + "/") }
            .max { $0.folder.utf8.count < $1.folder.utf8.count }
        var findings: [Finding] = []
        if file.path.hasPrefix("Sources/") && room == nil {
            let advice = "this folder has no row in ImportTable.swift; add one, or move the file"
            findings.append(Finding(path: file.path, line: 0, advice: advice))
        }
        for (module, line) in imports {
            if let wrapper = wrappers[module], !file.path.hasPrefix(wrapper) {
                let advice = "\(module) is imported by \(wrapper) alone; use what that offers"
                findings.append(Finding(path: file.path, line: line, advice: advice))
            } else if let room, !room.modules.contains(module) {
                let advice =
                    "\(room.folder) may not import \(module); move the code to the room that may, "
                    + "or argue for a new entry in ImportTable.swift"
                findings.append(Finding(path: file.path, line: line, advice: advice))
            }
        }
        return findings
    }

    private static let kinds: Set<String> = [
        "struct", "class", "enum", "protocol", "func", "var", "let", "typealias", "actor",
    ]

    /// The modules a file imports: `import A`, `@testable import A`, `import struct A.B`.
    static func imports(of file: SwiftText) -> [(module: String, line: Int)] {
        let words = file.words
        return words.indices.compactMap { index in
            guard words[index].text == "import", index + 1 < words.count else { return nil }
            let next = words[index + 1]
            guard next.line == words[index].line else { return nil }
            let isKind = kinds.contains(next.text) && index + 2 < words.count
            return (isKind ? words[index + 2].text : next.text, next.line)
        }
    }
}
