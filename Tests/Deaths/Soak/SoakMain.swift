import Deaths
import Glibc
import Linux
import TestSupport

/// Seeded deaths until so many are done or one makes a difference.
@main
enum SoakMain {
    private struct Orders {
        var deaths = 2000
        var seed = UInt64.random(in: 0...UInt64.max)
        var only = DeathKind.allCases
        var binaries = ""
        var isVerbose = false
    }

    private struct Line {
        var rounds = 0
        var deaths = 0
        var reached = 0
        var clicks = 0
        var seconds = 0.0
    }

    /// Deaths in a row on one database and one folder.
    private static let chainDeaths = 25

    static func main() {
        do {
            exit(try run(read(CommandLine.arguments)))
        } catch {
            say("\(error)")
            exit(EXIT_FAILURE)
        }
    }

    /// At once also where standard output is a file, since this takes an hour.
    private static func say(_ line: String) {
        print(line)
        fflush(nil)
    }

    private static func read(_ arguments: [String]) throws -> Orders {
        var orders = Orders()
        var rest = arguments.dropFirst()
        func value(_ name: String) throws -> String {
            guard let value = rest.popFirst() else {
                throw TimedOut(description: "\(name) needs a value")
            }
            return value
        }
        while let name = rest.popFirst() {
            switch name {
            case "--deaths": orders.deaths = Int(try value(name)) ?? 0
            case "--seed": orders.seed = UInt64(try value(name)) ?? 0
            case "--only":
                let text = try value(name)
                orders.only = text.split(separator: ",").compactMap {
                    DeathKind(rawValue: String($0))
                }
            case "--binaries": orders.binaries = try value(name)
            case "--verbose": orders.isVerbose = true
            default: throw TimedOut(description: "unknown: \(name)")
            }
        }
        guard !orders.only.isEmpty, orders.deaths > 0, !orders.binaries.isEmpty else {
            let kinds = DeathKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw TimedOut(description: "--only takes \(kinds); --deaths a number")
        }
        return orders
    }

    private static func run(_ orders: Orders) throws -> Int32 {
        let stage = try DeathStage(binaries: orders.binaries, ownsServer: true)
        say("seed \(orders.seed), \(orders.deaths) deaths")
        var lines: [DeathKind: Line] = [:]
        var deaths = 0
        // The first chain has the seed itself, so that any chain can be run alone by its own.
        var chainSeed = orders.seed
        let began = Clock.monotonic()
        while deaths < orders.deaths {
            let before = deaths
            do {
                let chain = try DeathChain(stage, seed: chainSeed, only: orders.only)
                defer { chain.end() }
                while deaths - before < chainDeaths, deaths < orders.deaths {
                    let report = try chain.next()
                    if orders.isVerbose {
                        say(
                            "  \(report.kind.rawValue): \(report.story)"
                                + (report.isReached ? "" : " (not reached)")
                                + ", \(Int(report.seconds * 1000)) ms")
                    }
                    deaths += report.deaths
                    note(report, &lines)
                }
            } catch {
                say("DIFFERENCE after \(deaths) deaths: \(error)")
                let only = orders.only.map(\.rawValue).joined(separator: ",")
                let all = orders.only.count == DeathKind.allCases.count
                say(
                    "Again: scripts/soak --seed \(chainSeed) --deaths \(chainDeaths)"
                        + (all ? "" : " --only \(only)"))
                table(lines)
                return EXIT_FAILURE
            }
            let seconds = Double(Clock.monotonic() - began) / 1e6
            say("\(deaths) deaths, \(Int(seconds)) s, chain \(chainSeed) without a difference")
            chainSeed = SplitMix.mixed(chainSeed)
        }
        table(lines)
        return EXIT_SUCCESS
    }

    private static func note(_ report: DeathReport, _ lines: inout [DeathKind: Line]) {
        var line = lines[report.kind] ?? Line()
        line.rounds += 1
        line.deaths += report.deaths
        line.reached += report.isReached ? 1 : 0
        line.clicks += report.clicks
        line.seconds += report.seconds
        lines[report.kind] = line
    }

    private static func table(_ lines: [DeathKind: Line]) {
        func cell(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        func row(_ name: String, _ cells: [String]) {
            let padding = String(repeating: " ", count: max(0, 20 - name.count))
            say(name + padding + cells.map { cell($0, 11) }.joined())
        }
        row("kind", ["rounds", "deaths", "at step", "clicks", "ms a round"])
        var sum = Line()
        for (kind, line) in lines.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            row(kind.rawValue, cells(line))
            sum.rounds += line.rounds
            sum.deaths += line.deaths
            sum.reached += line.reached
            sum.clicks += line.clicks
            sum.seconds += line.seconds
        }
        row("all", cells(sum))
    }

    private static func cells(_ line: Line) -> [String] {
        [
            "\(line.rounds)", "\(line.deaths)", "\(line.reached)", "\(line.clicks)",
            "\(Int(line.seconds * 1000 / Double(max(1, line.rounds))))",
        ]
    }
}
