import Foundation
import Judging

/// The agents in Agents/, of which it is known what sent them. Version 1 of the table was mended by
/// the first parts only and measured by the second ones; the third and fourth came later and were
/// measured before version 2 was made.
enum LabelledAgents {
    static let machinesFirst = read("machines-first")
    static let machinesSecond = read("machines-second")
    static let humansFirst = read("humans-first")
    static let humansSecond = read("humans-second")
    static let machinesThird = read("machines-third")
    static let machinesFourth = read("machines-fourth")
    static let humansThird = read("humans-third")
    static let humansFourth = read("humans-fourth")
    static let machines = machinesFirst + machinesSecond + machinesThird + machinesFourth
    static let humans = humansFirst + humansSecond + humansThird + humansFourth
    static let all = machines + humans

    static func read(_ name: String) -> [String] {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Agents/\(name).txt")
        guard let text = try? String(contentsOf: path, encoding: .utf8) else {
            preconditionFailure("\(path.path()) cannot be read")
        }
        return text.split(separator: "\n").map(String.init)
    }
}

extension BotTable {
    func match(_ agent: [UInt8]) -> UInt16 {
        agent.withUnsafeBytes { match($0) }
    }

    /// What a click's judge makes of both: 0 for a person's agent.
    func refuses(_ agent: String) -> Bool {
        let bytes = Array(agent.utf8)
        return bytes.withUnsafeBytes { UserAgentShape.isAbsurd($0) || match($0) != 0 }
    }
}
