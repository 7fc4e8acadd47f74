// The text that Prometheus scrapes (exposition format 0.0.4), written by hand because the processes
// that need it here take no package. Metric names and label names come from code, label values are
// escaped.

/// Builds one scrape's answer, family by family.
package struct MetricsText {
    package private(set) var text = ""

    package enum Kind: String {
        case counter
        case gauge
        case histogram
    }

    package typealias Labels = [(name: String, value: String)]

    package init() {}

    /// One family: its help, its type and its samples.
    package mutating func family(
        _ name: String, _ kind: Kind, _ help: String,
        _ samples: [(labels: [(name: String, value: String)], value: Double)]
    ) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples { line(name, sample.labels, sample.value) }
    }

    /// A family of histograms over the same bounds.
    ///
    /// - Parameters:
    ///   - bounds: the buckets' upper bounds, rising.
    ///   - samples: for each, how many fell into each bucket, one count more than there are bounds
    ///     for what lies beyond them; and the sum of all that was observed.
    package mutating func histogram(
        _ name: String, _ help: String, bounds: [Double],
        _ samples: [(labels: Labels, counts: [UInt64], sum: Double)]
    ) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(Kind.histogram.rawValue)\n"
        for sample in samples {
            precondition(sample.counts.count == bounds.count + 1, "one bucket is beyond all bounds")
            var total: UInt64 = 0
            for (place, count) in sample.counts.enumerated() {
                total += count
                let bound = place < bounds.count ? "\(formatted(bounds[place]))" : "+Inf"
                line(name + "_bucket", sample.labels + [("le", bound)], Double(total))
            }
            line(name + "_sum", sample.labels, sample.sum)
            line(name + "_count", sample.labels, Double(total))
        }
    }

    private mutating func line(_ name: String, _ labels: Labels, _ value: Double) {
        text += name
        if !labels.isEmpty {
            let parts = labels.map { "\($0.name)=\"\(escaped($0.value))\"" }
            text += "{" + parts.joined(separator: ",") + "}"
        }
        text += " \(formatted(value))\n"
    }

    /// A family of one sample without labels.
    package mutating func single(
        _ name: String, _ kind: Kind, _ help: String, _ value: some BinaryInteger
    ) {
        family(name, kind, help, [([], Double(value))])
    }

    private func formatted(_ value: Double) -> String {
        value == value.rounded() && value.magnitude < 1e15 ? String(Int64(value)) : "\(value)"
    }

    private func escaped(_ value: String) -> String {
        var result = ""
        for character in value {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
        return result
    }
}
