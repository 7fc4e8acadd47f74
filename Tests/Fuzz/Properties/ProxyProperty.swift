import Clicks
import Wire

/// A PROXY header is read as the obvious reader reads it, and each beginning of it asks for more or
/// is refused for the same reason.
package struct ProxyProperty: FuzzProperty {
    package static let name = "proxy"

    package init(folder: String) {}

    package func check(_ bytes: UnsafeRawBufferPointer) throws(FuzzFinding) -> Bool {
        let whole = ProxyProperty.parse(Array(bytes))
        let expected = ProxyProperty.expected(Array(bytes))
        try hold(whole.outcome == expected.outcome, "\(whole.outcome), not \(expected.outcome)")
        if case .complete(let count) = whole.outcome {
            try hold(count <= bytes.count, "\(count) of \(bytes.count) bytes were consumed")
            try hold(whole.header.client == expected.client, "another client was named")
            try hold(whole.header.clientPort == expected.port, "another port was named")
        }
        var last = ProxyOutcome.partial
        for count in ProxyProperty.cuts(bytes.count) {
            let part = ProxyProperty.parse(Array(bytes.prefix(count)))
            try hold(
                last == .partial || part.outcome == last,
                "\(count) bytes undo what fewer had decided")
            try hold(
                part.outcome == .partial || part.outcome == whole.outcome,
                "\(count) bytes are \(part.outcome), all of them \(whole.outcome)")
            try hold(
                part.outcome != whole.outcome || part.header == whole.header,
                "\(count) bytes name another client than all")
            last = part.outcome
        }
        if case .complete = whole.outcome { return true }
        return false
    }

    /// Every place in the fixed parts, and some behind them.
    private static func cuts(_ count: Int) -> [Int] {
        Array(0...min(count, 64)) + stride(from: 65, to: max(65, count), by: 37) + [count]
    }

    private static func parse(_ bytes: [UInt8]) -> (outcome: ProxyOutcome, header: ProxyHeader) {
        let exact = ExactBytes(bytes)
        var header = ProxyHeader()
        let outcome = ProxyHeader.parse(exact.bytes, into: &header)
        return (outcome, header)
    }

    // MARK: The obvious reader

    private struct Reading {
        var outcome: ProxyOutcome
        var client: NetworkAddress?
        var port: UInt16 = 0
    }

    private static func expected(_ bytes: [UInt8]) -> Reading {
        let signature = Array("\r\n\r\n\0\r\nQUIT\n".utf8)
        guard signature.starts(with: bytes.prefix(12)) else {
            return Reading(outcome: .malformed(.signature))
        }
        let partial = Reading(outcome: .partial)
        guard bytes.count > 12 else { return partial }
        guard bytes[12] >> 4 == 2, bytes[12] & 15 <= 1 else {
            return Reading(outcome: .malformed(.command))
        }
        guard bytes.count > 13 else { return partial }
        let isStream = bytes[13] & 15 <= 1 && bytes[13] != 0x01
        guard isStream || bytes[13] == 0x01, bytes[13] >> 4 <= 3 else {
            return Reading(outcome: .malformed(.family))
        }
        let sizes: [UInt8: Int] = [0x11: 12, 0x21: 36, 0x31: 216]
        let addresses = sizes[bytes[13]] ?? 0
        guard bytes.count >= 16 else { return partial }
        let length = Int(bytes[14]) << 8 | Int(bytes[15])
        let isLocal = bytes[12] == 0x20
        guard 16 + length <= 2048, isLocal || length >= addresses else {
            return Reading(outcome: .malformed(.length))
        }
        guard bytes.count >= 16 + length else { return partial }
        var reading = Reading(outcome: .complete(bytes: 16 + length))
        if isLocal { return reading }
        var rest = bytes[(16 + addresses)..<(16 + length)]
        while !rest.isEmpty {
            let head = Array(rest.prefix(3))
            guard head.count == 3, rest.count - 3 >= Int(head[1]) << 8 | Int(head[2]) else {
                return Reading(outcome: .malformed(.field))
            }
            rest = rest.dropFirst(3 + (Int(head[1]) << 8 | Int(head[2])))
        }
        if addresses == 12 {
            let text = bytes[16..<20].map { "\($0)" }.joined(separator: ".")
            reading.client = NetworkAddress(text)
            reading.port = UInt16(bytes[24]) << 8 | UInt16(bytes[25])
        } else if addresses == 36 {
            let groups = stride(from: 16, to: 32, by: 2).map {
                String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
            }
            reading.client = NetworkAddress(groups.joined(separator: ":"))
            reading.port = UInt16(bytes[48]) << 8 | UInt16(bytes[49])
        }
        return reading
    }
}
