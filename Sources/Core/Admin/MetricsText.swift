// The text that Prometheus scrapes (exposition format 0.0.4), written by hand because the processes
// that need it here take no package. Metric names and label names come from code, label values are
// escaped.

/// Builds one scrape's answer, family by family.
package struct MetricsText {
    package private(set) var text = ""

    package enum Kind: String {
        case counter
        case gauge
    }

    package init() {}

    /// One family: its help, its type and its samples.
    package mutating func family(
        _ name: String, _ kind: Kind, _ help: String,
        _ samples: [(labels: [(name: String, value: String)], value: Double)]
    ) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples {
            text += name
            if !sample.labels.isEmpty {
                let labels = sample.labels.map { "\($0.name)=\"\(escaped($0.value))\"" }
                text += "{" + labels.joined(separator: ",") + "}"
            }
            text += " \(formatted(sample.value))\n"
        }
    }

    /// A family of type histogram, without further labels.
    /// - Parameters:
    ///   - buckets: upper bounds, ascending, the last `+Inf`, and what is at or below each.
    ///   - sum: of all that was observed.
    package mutating func histogram(
        _ name: String, _ help: String, _ buckets: [(upTo: String, count: Int)], sum: Double
    ) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
        for bucket in buckets {
            text += "\(name)_bucket{le=\"\(bucket.upTo)\"} \(bucket.count)\n"
        }
        text += "\(name)_sum \(formatted(sum))\n\(name)_count \(buckets.last?.count ?? 0)\n"
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
