import ArgumentParser
import Clicks
import Glibc
import Logging
import Postgres
import Schema
import Settings

/// `API serve | migrate | adjudicate | settlement | seed-demo | verify-influencer …`.
@main
struct APIMain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "API",
        abstract: "The companion API of Gonggumoa: accounts, gonggus, statistics.",
        discussion: APISettings.help, version: "API \(Version.current)",
        subcommands: [
            Serve.self, Migrate.self, SeedDemo.self, VerifyInfluencer.self, SetRole.self,
            Adjudicate.self, AddRuleSet.self, SettlementCommand.self, EraseAccounts.self,
        ])
}

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves until SIGTERM.", discussion: APISettings.help)

    func run() async throws {
        let settings = try settings { APISettings(reading: &$0) }
        try orExit {
            let connection = try Connection(
                url: settings.database.url, applicationName: "gonggumoa-api")
            try Migrator.requireCurrent(connection)
        }
        var logger = Logger(label: "api") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = settings.logLevel.level
        let server: APIServer
        do {
            server = try await APIServer(settings: settings, logger: logger)
        } catch {
            writeError("\(error)")
            throw ExitCode(SettingsFaults.exitCode)
        }
        do {
            try await server.run()
        } catch {
            writeError("cannot serve on \(settings.host):\(settings.port): \(error)")
            throw ExitCode.failure
        }
    }
}

struct Migrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Brings the database of DATABASE_URL to this build's schema.")

    func run() throws {
        let database = try settings { DatabaseSettings(reading: &$0) }
        try orExit {
            let connection = try Connection(
                url: database.url, applicationName: "gonggumoa-migrate")
            let applied = try Migrator.migrate(connection)
            let versions = applied.map(String.init).joined(separator: ", ")
            writeOut(applied.isEmpty ? "the schema is current" : "applied \(versions)")
        }
    }
}

struct SeedDemo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seed-demo",
        abstract: "Loads demo accounts (of demo.example), categories and gonggus.",
        discussion: """
            A second run finds what the first made, moves the times along with the clock and gives \
            the accounts the password it prints. Lines of name=value on standard output are for \
            scripts.
            """)

    @Flag(help: "Also where the database has other accounts.")
    var force = false

    @Option(help: "The password of the demo accounts; a random one if left out.")
    var password: String?

    func run() async throws {
        let (database, passwords) = try settings {
            (DatabaseSettings(reading: &$0), PasswordSettings(reading: &$0))
        }
        let hasher = PasswordHasher(cost: passwords.cost, lanes: 1, queueMax: 1)
        let text = password ?? RefreshToken().text
        let accepted: Password
        do throws(Password.Fault) {
            accepted = try Password(text)
        } catch {
            throw ValidationError("--password is 8 to 72 bytes")
        }
        let hash = try await hasher.hash(accepted)
        try orExit {
            let connection = try Connection(url: database.url, applicationName: "gonggumoa-demo")
            try Migrator.requireCurrent(connection)
            let outcome = try DemoSeed.run(
                password: text, passwordHash: hash, isForced: force, in: connection)
            for line in outcome.lines { writeOut(line) }
        }
    }
}

struct VerifyInfluencer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify-influencer",
        abstract: "Marks an influencer as verified, who may then make gonggus.")

    @Option(help: "The account's e-mail.")
    var email: String

    func run() throws {
        let database = try settings { DatabaseSettings(reading: &$0) }
        try orExit {
            let connection = try Connection(
                url: database.url, applicationName: "gonggumoa-verify")
            try Migrator.requireCurrent(connection)
            guard let id = try AccountQueries.verify(email: email, in: connection) else {
                throw CommandFailure("no influencer has the e-mail \(email)")
            }
            writeOut("verified \(id)")
        }
    }
}

struct SetRole: ParsableCommand {
    /// The roles that nobody signs up for, and the way back.
    enum Granted: String, CaseIterable, ExpressibleByArgument {
        case buyer, finance, admin

        var role: Role {
            switch self {
            case .buyer: .buyer
            case .finance: .finance
            case .admin: .admin
            }
        }
    }

    static let configuration = CommandConfiguration(
        commandName: "set-role",
        abstract: "Makes an account finance or admin, or a buyer again; it counts at once.")

    @Option(help: "The account's e-mail.")
    var email: String

    @Option(help: "buyer, finance or admin; influencers sign up as such.")
    var role: Granted

    func run() throws {
        let database = try settings { DatabaseSettings(reading: &$0) }
        try orExit {
            let connection = try Connection(
                url: database.url, applicationName: "gonggumoa-set-role")
            try Migrator.requireCurrent(connection)
            let id = try connection.transaction { connection -> Identifier? in
                let changed = try AccountQueries.setRole(role.role, of: email, in: connection)
                guard let changed else { return nil }
                try AuditLog.write(
                    .userRoleSet, on: changed.id, before: ["role": .text(changed.before.rawValue)],
                    after: ["role": .text(role.rawValue)], reason: "API set-role", by: nil,
                    in: connection)
                return changed.id
            }
            guard let id else { throw CommandFailure("no account has the e-mail \(email)") }
            writeOut("\(role.rawValue) \(id)")
        }
    }
}

// MARK: How commands begin and fail

/// A failure that is a sentence.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Reads settings; where any is at fault, says all that is wrong and exits with 78.
func settings<Value>(_ read: (inout SettingsReader) -> Value) throws -> Value {
    var reader = SettingsReader(environment: ProcessEnvironment.current())
    let value = read(&reader)
    do throws(SettingsFaults) {
        try reader.finish()
    } catch {
        writeError("\(error)")
        throw ExitCode(SettingsFaults.exitCode)
    }
    return value
}

/// Runs what may meet a database that is away or unfit; says so in a sentence and exits with 1.
func orExit(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch {
        writeError("\(error)")
        throw ExitCode.failure
    }
}

func writeOut(_ line: String) {
    write(line + "\n", to: STDOUT_FILENO)
}

func writeError(_ text: String) {
    for line in text.split(separator: "\n") { write("API: \(line)\n", to: STDERR_FILENO) }
}

/// Unbuffered, so that what a script reads is there when the process ends, however it ends.
private func write(_ text: String, to descriptor: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        // A closed pipe or terminal: there is nobody left to tell.
        if count < 0, errno != EINTR { return }
        rest = rest.dropFirst(max(count, 0))
    }
}

extension LogLevel {
    fileprivate var level: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }
}
