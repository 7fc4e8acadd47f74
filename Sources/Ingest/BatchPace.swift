// How many clicks a transaction takes where many are waiting. More make each cheaper, but whoever
// comes meanwhile waits for it to end, and for the next one: at a second each, a click of now shows
// within two or three.

/// Keeps a batch's time near a second. A slow ledger gets smaller batches, a quick one larger.
struct BatchPace {
    private let most: Int
    private(set) var records: Int

    private static let microsWanted: Int64 = 1_000_000
    /// Below it a transaction's own cost begins to count.
    private static let least = 5000
    /// Before anything is known of the ledger's speed.
    private static let first = 10_000

    /// - Parameter most: in a batch, in any case.
    init(most: Int) {
        self.most = most
        records = min(most, BatchPace.first)
    }

    /// Notes a batch that was committed.
    mutating func note(clicks: Int, micros: Int64) {
        if micros > BatchPace.microsWanted {
            let share = Double(BatchPace.microsWanted) / Double(micros)
            let fitting = Int(Double(clicks) * max(share, 0.5))
            records = min(records, max(min(most, BatchPace.least), fitting))
        } else if clicks >= records, micros < BatchPace.microsWanted * 3 / 4 {
            records = min(most, micros < BatchPace.microsWanted / 3 ? 2 * records : records * 5 / 4)
        }
    }
}
