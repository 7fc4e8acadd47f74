import FuzzProperties

/// A response of the edge, taken apart strictly: what is not as the contract has it is a finding.
struct PlainAnswer {
    let status: Int
    let fields: [String: String]
    let body: String
    private let text: String

    private static let fieldNames: Set<String> = [
        "Cache-Control", "X-Robots-Tag", "Content-Length", "Content-Type", "Date", "Location",
        "Connection", "Accept", "Allow", "Vary", "Retry-After", "Access-Control-Allow-Origin",
        "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods",
        "Access-Control-Allow-Headers", "Access-Control-Max-Age",
    ]

    init(_ text: String) throws(FuzzFinding) {
        self.text = text
        let halves = text.split(
            separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2 else { throw FuzzFinding("the head has no end: \(text)") }
        var lines = halves[0].split(separator: "\r\n", omittingEmptySubsequences: false)
        let first = lines.removeFirst()
        guard first.hasPrefix("HTTP/1.1 "), let status = Int(first.dropFirst(9).prefix(3)),
            200...599 ~= status
        else { throw FuzzFinding("no status: \(first)") }
        self.status = status
        body = String(halves[1])
        var fields: [String: String] = [:]
        for line in lines {
            let parts = line.split(separator: ": ", maxSplits: 1)
            let isPlain = line.utf8.allSatisfy { 0x20..<0x7F ~= $0 }
            guard parts.count == 2, isPlain, Self.fieldNames.contains(String(parts[0])) else {
                throw FuzzFinding("a foreign field: \(line)")
            }
            let earlier = fields.updateValue(String(parts[1]), forKey: String(parts[0]))
            try hold(earlier == nil, "a field comes twice: \(line)")
        }
        self.fields = fields
        if status != 204 {
            // Only the length tells where the next answer begins; after HEAD there is no body.
            let length = fields["Content-Length"].flatMap { Int($0) }
            try hold(
                length == body.utf8.count || length != nil && body.isEmpty,
                "\(body.utf8.count) bytes, \(length as Any) said: \(text)")
        } else {
            try hold(body.isEmpty && fields["Content-Length"] == nil, "a body without content")
        }
    }

    /// - Returns: whether the answer is one that a click gets.
    func checkContent(location: String, pages: String) throws(FuzzFinding) -> Bool {
        switch status {
        case 302:
            let target = fields["Location"] ?? ""
            try hold(target == location || target.hasPrefix(pages), "it leads to \(target)")
            return true
        case 200:
            guard fields["Content-Type"] == "application/json" else { return false }
            try hold(
                body.isEmpty || body.hasPrefix(#"{"click_id":""#) && body.hasSuffix(#""}"#),
                "a report's answer is \(body)")
            return true
        case 503:
            return body.isEmpty || body.contains("PREFETCH")
        default:
            return false
        }
    }

    /// The text with the click's id, which is random, blanked.
    var textWithoutClick: String {
        guard let start = text.firstRange(of: #"{"click_id":""#)?.upperBound else { return text }
        return text[..<start] + "…" + text[start...].dropFirst(36)
    }
}
