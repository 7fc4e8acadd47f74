import Clicks

// How far a decision reaches. It is about one address's clicks on one gonggu in a period; what it
// makes valid, or takes that from, moves the windows of those visitors, and so what they clicked
// within a window after it, and so on. Nothing else can come out otherwise than it stands: floods
// are counted by clicks and not by verdicts.

/// Which clicks a decision may change, asked in the order of judgement. Holds those visitors of one
/// window whose clicks it has changed.
struct DecisionRipple: Sendable {
    let gonggu: Identifier
    private let address: NetworkAddress
    private let from: Timestamp
    private let to: Timestamp
    private let windowMicroseconds: Int64
    /// When each visitor's click last became valid or ceased to be.
    private var changedAt: [UInt64: Timestamp]
    private var lastSweep: Timestamp

    /// - Parameters:
    ///   - from: the first and `to` the last moment that the decision is about.
    ///   - changedAt: by visitor, what a part that was done before has changed within a window.
    init(
        gonggu: Identifier, address: NetworkAddress, from: Timestamp, to: Timestamp,
        windowSeconds: Int, changedAt: [UInt64: Timestamp] = [:]
    ) {
        self.gonggu = gonggu
        self.address = address
        self.from = from
        self.to = to
        windowMicroseconds = Int64(windowSeconds) * 1_000_000
        self.changedAt = changedAt
        lastSweep = from
    }

    /// Whether the click has to be judged again.
    func reaches(_ click: StoredClick) -> Bool {
        guard click.gonggu == gonggu else { return false }
        if click.address == address, from <= click.time, click.time <= to { return true }
        guard let changed = changedAt[click.visitor] else { return false }
        return isWithin(changed, click.time)
    }

    /// Takes note of what became of a click that it reaches.
    mutating func note(_ change: VerdictChange) {
        let wasValid = change.click.current.verdict == .valid
        guard wasValid != (change.finding.verdict == .valid) else { return }
        let now = change.click.time
        changedAt[change.click.visitor] = now
        guard !isWithin(lastSweep, now) else { return }
        lastSweep = now
        changedAt = changedAt.filter { isWithin($0.value, now) }
    }

    /// Whether it reaches nothing that was clicked later.
    func isOver(at now: Timestamp) -> Bool {
        now > to && !changedAt.values.contains { isWithin($0, now) }
    }

    private func isWithin(_ changed: Timestamp, _ now: Timestamp) -> Bool {
        now.microseconds - changed.microseconds < windowMicroseconds
    }
}
