import Foundation

/// The files of the checkout this was built in.
enum Repository {
    /// Three folders up from this file.
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// What tools make; the rest is tracked.
    private static func isMade(_ name: String) -> Bool {
        [".git", ".local", ".swiftpm", "Package.resolved"].contains(name)
            || name.hasPrefix(".build")
    }

    /// Paths of all files from the root, sorted. Walked and not asked of git, so that an unpacked
    /// archive is checked as well.
    static func paths() throws -> [String] {
        var folders = [""]
        var files: [String] = []
        while let folder = folders.popLast() {
            let entries = try FileManager.default.contentsOfDirectory(
                at: root.appending(path: folder), includingPropertiesForKeys: [.isDirectoryKey])
            for entry in entries where !isMade(entry.lastPathComponent) {
                let path = folder + entry.lastPathComponent
                let isFolder = try entry.resourceValues(forKeys: [.isDirectoryKey]).isDirectory
                if isFolder == true { folders.append(path + "/") } else { files.append(path) }
            }
        }
        return files.sorted()
    }

    /// A file's text; nil if it is not UTF-8, as golden files are.
    static func text(_ path: String) throws -> String? {
        String(bytes: try Data(contentsOf: root.appending(path: path)), encoding: .utf8)
    }

    /// Whether people write the file in lines of code.
    static func isCode(_ path: String) -> Bool {
        [".swift", ".c", ".h", ".sql", ".sh"].contains { path.hasSuffix($0) }
            || path.hasPrefix("scripts/") || path.hasPrefix(".ci/")
    }
}
