import Wire

/// A report's body is read as the obvious reader reads it, within its scratch, and so is its
/// content type.
package struct ReportProperty: FuzzProperty {
    package static let name = "report"

    /// How deep values may lie in a member's value, by which the readers keep out of recursion.
    static let depthMax = 16

    private enum Reading: Equatable {
        case good(id: [UInt8], channel: [UInt8])
        case faulty(ReportFault)
    }

    package init(folder: String) {}

    package func check(_ bytes: UnsafeRawBufferPointer) throws(FuzzFinding) -> Bool {
        let body = Array(bytes)
        let reading = ReportProperty.read(body)
        let expected = ReportProperty.expected(body)
        try hold(reading == expected, "the body is \(reading), not \(expected)")
        try checkContentType(body)
        if case .good = reading { return true }
        return false
    }

    private static func read(_ body: [UInt8]) -> Reading {
        let exact = ExactBytes(body)
        let scratch = ExactBytes(count: ClickReport.scratchBytes)
        var report = ClickReport()
        if let fault = ClickReport.read(exact.bytes, scratch: scratch.writable, into: &report) {
            return .faulty(fault)
        }
        return .good(id: Array(report.gongguID), channel: Array(report.channel))
    }

    private func checkContentType(_ bytes: [UInt8]) throws(FuzzFinding) {
        let exact = ExactBytes(bytes)
        let type = bytes.prefix { $0 != UInt8(ascii: ";") }.reversed()
            .drop { $0 == 0x20 || $0 == 0x09 }.reversed()
        let lowered = type.map { 0x41...0x5A ~= $0 ? $0 + 0x20 : $0 }
        let expected = ["application/json", "text/plain"].contains { Array($0.utf8) == lowered }
        try hold(
            ClickReport.accepts(contentType: exact.bytes) == expected,
            "as a content type it is \(expected ? "refused" : "taken")")
    }

    // MARK: The obvious reader

    private static func expected(_ body: [UInt8]) -> Reading {
        guard body.count <= 4096 else { return .faulty(.bodyTooLarge) }
        guard case .object(let members)? = PlainJSON(body, depthMax: depthMax + 1) else {
            return .faulty(.notAnObject)
        }
        var fault: ReportFault?
        var id: [UInt8] = []
        var channel: [UInt8] = []
        for (index, member) in members.enumerated() {
            let isID = member.name == Array("gonggu_id".utf8)
            guard isID || member.name == Array("channel".utf8) else { continue }
            if members[..<index].contains(where: { $0.name == member.name }) {
                fault = fault ?? .repeatedMember
            }
            let text = member.value.text
            if isID {
                if let text, isLabel(text, 1...64) {
                    id = text
                } else {
                    fault = fault ?? .gongguIDInvalid
                }
            } else if !member.value.isNull {
                if let text, isLabel(text, 0...32) {
                    channel = text
                } else {
                    fault = fault ?? .channelInvalid
                }
            }
        }
        if let fault { return .faulty(fault) }
        return id.isEmpty ? .faulty(.gongguIDMissing) : .good(id: id, channel: channel)
    }

    private static func isLabel(_ bytes: [UInt8], _ counts: ClosedRange<Int>) -> Bool {
        counts ~= bytes.count && bytes.allSatisfy(isLabelByte)
    }

    static func isLabelByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
