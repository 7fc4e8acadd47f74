import Testing

/// The house rules on the whole repository. `RuleTests` shows that each of them can fail.
struct TidyTests {
    @Test func `every file keeps the house rules`() throws {
        let paths = try Repository.paths()
        // A walk that finds nothing would pass everything.
        try #require(paths.contains("Package.swift"))
        try #require(paths.contains("Sources/Core/Settings/SettingsReader.swift"))
        for path in paths {
            guard let text = try Repository.text(path) else { continue }
            for finding in findings(path, text) {
                Issue.record("\(finding)")
            }
        }
    }

    @Test func `every import row and wrapper is about something that exists or is announced`()
        throws
    {
        let folders = Set(ImportTable.rooms.map(\.folder))
        #expect(folders.count == ImportTable.rooms.count)
        for (module, wrapper) in ImportTable.wrappers {
            let room = ImportTable.rooms.first { wrapper.hasPrefix($0.folder + "/") }
            #expect(room?.modules.contains(module) == true, "\(module) is allowed to nobody")
        }
    }
}

/// Everything that is wrong with one file.
func findings(_ path: String, _ text: String) -> [Finding] {
    let file = SwiftText(path: path, text: text)
    var findings = TextRules.machinePath(path, file.lines) + TextRules.looseInCore(path)
    if Repository.isCode(path) {
        findings += TextRules.lineLength(path, file.lines)
        findings += TextRules.leftovers(path, file.lines)
        findings += TextRules.fileLength(path, file.lines)
    }
    if path.hasSuffix(".swift") {
        findings += ImportTable.findings(in: file)
        findings += FunctionLength.findings(in: file)
        findings += SwiftRules.findings(in: file)
    }
    return findings
}
