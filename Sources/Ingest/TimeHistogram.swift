import Admin

/// How long something took, in buckets from 5 ms to 10 s.
struct TimeHistogram {
    static let bucketMillis: [Int64] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

    private var counts = [Int](repeating: 0, count: bucketMillis.count + 1)
    private var sumMicros: Int64 = 0

    mutating func note(micros: Int64) {
        let bucket = TimeHistogram.bucketMillis.firstIndex { micros <= $0 * 1000 }
        counts[bucket ?? TimeHistogram.bucketMillis.count] += 1
        sumMicros += micros
    }

    /// As Prometheus has it: each bucket counts what is in the smaller ones too.
    func write(_ name: String, _ help: String, to text: inout MetricsText) {
        var sum = 0
        var buckets: [(upTo: String, count: Int)] = []
        for (index, count) in counts.enumerated() {
            sum += count
            let isLast = index == TimeHistogram.bucketMillis.count
            let upTo = isLast ? "+Inf" : "\(Double(TimeHistogram.bucketMillis[index]) / 1000)"
            buckets.append((upTo, sum))
        }
        text.histogram(name, help, buckets, sum: Double(sumMicros) / 1e6)
    }
}
