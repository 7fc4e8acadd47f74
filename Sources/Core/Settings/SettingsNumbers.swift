// Numbers, times, sizes, flags and choices. Every range is the caller's: a setting without bounds
// is a fault that waits for its day.

extension SettingsReader {
    /// A whole number.
    /// - Parameters:
    ///   - default: nil makes the setting required.
    ///   - unit: what is counted, in the plural, for `--help` and faults: "clicks".
    package mutating func integer(
        _ name: String, default fallback: Int? = nil, in range: ClosedRange<Int>,
        unit: String = "", _ meaning: String
    ) -> Int {
        let setting = Setting(
            name: name, meaning: meaning, form: SettingsReader.form(range, unit),
            presence: SettingsReader.presence(fallback, in: range, name), isSecret: false)
        let value = read(setting) { SettingsReader.integer($0, in: range) }
        return value ?? fallback ?? range.lowerBound
    }

    /// A whole number that may be left out, where that means something a number cannot say.
    package mutating func optionalInteger(
        _ name: String, in range: ClosedRange<Int>, unit: String = "", _ meaning: String
    ) -> Int? {
        let setting = Setting(
            name: name, meaning: meaning, form: SettingsReader.form(range, unit),
            presence: .optional, isSecret: false)
        return read(setting) { SettingsReader.integer($0, in: range) }
    }

    /// A time in whole seconds; the name says so too (`…_SECONDS`).
    package mutating func seconds(
        _ name: String, default fallback: Int? = nil, in range: ClosedRange<Int>,
        _ meaning: String
    ) -> Int {
        integer(name, default: fallback, in: range, unit: "seconds", meaning)
    }

    /// A size in bytes, written plainly or with `KiB`, `MiB` or `GiB`.
    package mutating func bytes(
        _ name: String, default fallback: Int? = nil, in range: ClosedRange<Int>,
        _ meaning: String
    ) -> Int {
        let low = SettingsReader.size(range.lowerBound)
        let high = SettingsReader.size(range.upperBound)
        let form = "a size from \(low) to \(high), in bytes or with KiB, MiB or GiB"
        var presence = SettingsReader.presence(fallback, in: range, name)
        if let fallback { presence = .preset(SettingsReader.size(fallback)) }
        let setting = Setting(
            name: name, meaning: meaning, form: form, presence: presence, isSecret: false)
        let value = read(setting) { text -> Int? in
            SettingsReader.sizeInBytes(text).flatMap { range.contains($0) ? $0 : nil }
        }
        return value ?? fallback ?? range.lowerBound
    }

    /// A TCP port to connect to or be told about; to listen, see `listenAddress`.
    package mutating func port(
        _ name: String, default fallback: UInt16? = nil, _ meaning: String
    ) -> UInt16 {
        let value = integer(
            name, default: fallback.map(Int.init), in: 1...65535, meaning)
        return UInt16(value)
    }

    /// `true` or `false`; also `1`, `0`, `yes`, `no`, `on`, `off`.
    package mutating func flag(
        _ name: String, default fallback: Bool, _ meaning: String
    ) -> Bool {
        let setting = Setting(
            name: name, meaning: meaning, form: "true or false", presence: .preset("\(fallback)"),
            isSecret: false)
        let value = read(setting) { text -> Bool? in
            switch text.lowercased() {
            case "true", "1", "yes", "on": true
            case "false", "0", "no", "off": false
            default: nil
            }
        }
        return value ?? fallback
    }

    /// One of an enum's raw values.
    /// - Parameter default: nil makes the setting required.
    package mutating func choice<Choice: CaseIterable & RawRepresentable>(
        _ name: String, default fallback: Choice? = nil, _ meaning: String
    ) -> Choice where Choice.RawValue == String {
        let names = Choice.allCases.map(\.rawValue)
        let presence = fallback.map { Setting.Presence.preset($0.rawValue) } ?? .required
        let setting = Setting(
            name: name, meaning: meaning, form: "one of \(names.joined(separator: ", "))",
            presence: presence, isSecret: false)
        let value = read(setting) { Choice(rawValue: $0) }
        guard let choice = value ?? fallback ?? Choice.allCases.first else {
            preconditionFailure("\(name) offers a choice of nothing")
        }
        return choice
    }
}

extension SettingsReader {
    /// Digits with an optional minus: no plus, no space, no underscore, and nothing that overflows.
    private static func integer(_ text: String, in range: ClosedRange<Int>) -> Int? {
        guard !text.hasPrefix("+"), let value = Int(text), range.contains(value) else { return nil }
        return value
    }

    private static func form(_ range: ClosedRange<Int>, _ unit: String) -> String {
        let bounds = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        return unit.isEmpty ? bounds : "\(bounds), in \(unit)"
    }

    private static func presence(
        _ fallback: Int?, in range: ClosedRange<Int>, _ name: String
    ) -> Setting.Presence {
        guard let fallback else { return .required }
        precondition(range.contains(fallback), "the default of \(name) is out of its range")
        return .preset("\(fallback)")
    }

    private static let sizeUnits = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]

    /// The shortest exact way to write a size.
    private static func size(_ bytes: Int) -> String {
        for (unit, factor) in sizeUnits where bytes != 0 && bytes % factor == 0 {
            return "\(bytes / factor) \(unit)"
        }
        return "\(bytes)"
    }

    private static func sizeInBytes(_ text: String) -> Int? {
        for (unit, factor) in sizeUnits where text.hasSuffix(unit) {
            var digits = text.dropLast(unit.count)
            if digits.last == " " { digits.removeLast() }
            guard let count = integer(String(digits), in: 0...Int.max) else { return nil }
            let product = count.multipliedReportingOverflow(by: factor)
            return product.overflow ? nil : product.partialValue
        }
        return integer(text, in: 0...Int.max)
    }
}
