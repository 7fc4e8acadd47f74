import Admin

/// How long something took, in buckets from 5 ms to 10 s.
struct TimeHistogram {
    private static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    private var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    private var sumSeconds = 0.0

    mutating func note(micros: Int64) {
        let seconds = Double(micros) / 1e6
        let bucket = TimeHistogram.bounds.firstIndex { seconds <= $0 }
        counts[bucket ?? TimeHistogram.bounds.count] += 1
        sumSeconds += seconds
    }

    func write(_ name: String, _ help: String, to text: inout MetricsText) {
        text.histogram(name, help, bounds: TimeHistogram.bounds, [([], counts, sumSeconds)])
    }
}
