/// A scrape, read strictly (exposition format 0.0.4): HELP, TYPE, then all samples of a family
/// together, names and labels well-formed, no series twice; of a histogram rising buckets up to
/// `+Inf`, a sum and a count that agrees. Names as Prometheus would have them: a counter ends in
/// `_total`, nothing else does, and units are base units.
package struct PrometheusText {
    /// By series as sent, labels included.
    package private(set) var values: [String: Double] = [:]
    package private(set) var families: [String: String] = [:]

    package struct Malformed: Error, CustomStringConvertible {
        package let description: String
    }

    package init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Malformed(description: "no line end at the end") }
        var family = ""
        var helped = ""
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            if line.hasPrefix("# HELP ") {
                guard words.count == 4 else { throw Malformed(description: "\(line)") }
                helped = words[2]
            } else if line.hasPrefix("# TYPE ") {
                guard words.count == 4, words[2] == helped, families[words[2]] == nil,
                    ["counter", "gauge", "histogram"].contains(words[3])
                else { throw Malformed(description: "\(line)") }
                family = words[2]
                families[family] = words[3]
            } else {
                try read(sample: line, of: family)
            }
        }
        for (family, kind) in families {
            guard (kind == "counter") == family.hasSuffix("_total"),
                !["milliseconds", "micros", "kilobytes", "_ms", "_count", "_sum", "_bucket"]
                    .contains(where: family.contains)
            else { throw Malformed(description: "named against the conventions: \(family)") }
            if kind == "histogram" { try checkHistogram(family) }
        }
    }

    /// Each label set's buckets rise in bound and count, the last is `+Inf` and equals the count.
    private func checkHistogram(_ family: String) throws {
        var buckets: [String: [(bound: Double, count: Double)]] = [:]
        for (series, value) in values where series.hasPrefix(family + "_bucket{") {
            let labels = series.dropFirst(family.count + 8).dropLast().split(separator: ",")
            guard let le = labels.last, le.hasPrefix("le=\""),
                let bound = Double(le.dropFirst(4).dropLast())
            else { throw Malformed(description: "no bound: \(series)") }
            let others = labels.dropLast().joined(separator: ",")
            buckets[others, default: []].append((bound, value))
        }
        for (labels, unsorted) in buckets {
            let sorted = unsorted.sorted { $0.bound < $1.bound }
            let suffix = labels.isEmpty ? "" : "{\(labels)}"
            guard sorted.last?.bound == .infinity,
                zip(sorted, sorted.dropFirst()).allSatisfy({ $0.count <= $1.count }),
                values[family + "_count" + suffix] == sorted.last?.count,
                values[family + "_sum" + suffix] != nil
            else { throw Malformed(description: "no histogram: \(family)\(suffix)") }
        }
    }

    private mutating func read(sample line: Substring, of family: String) throws {
        guard let space = line.lastIndex(of: " "), let value = Double(line[space...].dropFirst())
        else { throw Malformed(description: "no value: \(line)") }
        let series = line[..<space]
        let name = series.prefix { $0 != "{" }
        let isPart =
            families[family] == "histogram"
            && ["_bucket", "_sum", "_count"].contains { name == family + $0 }
        guard isPart || name == family, PrometheusText.isName(name) else {
            throw Malformed(description: "outside of its family: \(line)")
        }
        let labels = series.dropFirst(name.count)
        if !labels.isEmpty { try PrometheusText.check(labels: labels) }
        guard values.updateValue(value, forKey: String(series)) == nil else {
            throw Malformed(description: "twice: \(series)")
        }
    }

    /// `{name="value",…}`, in a value `\\`, `\"` and `\n` alone.
    private static func check(labels: Substring) throws {
        let fault = Malformed(description: "labels: \(labels)")
        guard labels.hasPrefix("{"), labels.hasSuffix("}") else { throw fault }
        var rest = labels.dropFirst().dropLast()
        var seen: Set<Substring> = []
        while !rest.isEmpty {
            let name = rest.prefix { $0 != "=" }
            guard isName(name), !name.contains(":"), seen.insert(name).inserted else { throw fault }
            rest = rest.dropFirst(name.count)
            guard rest.hasPrefix("=\"") else { throw fault }
            rest = rest.dropFirst(2)
            while let character = rest.popFirst(), character != "\"" {
                if character == "\\" {
                    guard let escaped = rest.popFirst(), "\\\"n".contains(escaped) else {
                        throw fault
                    }
                }
            }
            guard rest.isEmpty || rest.popFirst() == "," else { throw fault }
        }
    }

    private static func isName(_ name: Substring) -> Bool {
        guard let first = name.first, !first.isNumber else { return false }
        return name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_:".contains($0)) }
    }

    /// The sum over all workers of what has the label, or of all.
    package func sum(_ family: String, _ label: String? = nil) -> Double {
        values.reduce(0) { sum, sample in
            let isOf = sample.key == family || sample.key.hasPrefix(family + "{")
            return isOf && label.map(sample.key.contains) ?? true ? sum + sample.value : sum
        }
    }
}
