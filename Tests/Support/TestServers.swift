import Glibc

/// Where the servers and binaries of this test run are; `scripts/test` starts and names them.
///
/// What is missing makes the test fail, not vanish: a run without a database has tested nothing.
package enum TestServers {
    package struct Missing: Error, CustomStringConvertible {
        let variable: String
        package var description: String {
            "\(variable) is not set: run the tests by scripts/test, which starts the servers"
        }
    }

    /// A superuser's URL of a private PostgreSQL.
    package static func databaseURL() throws -> String { try require("TEST_DATABASE_URL") }

    /// The URL of a private Redis.
    package static func redisURL() throws -> String { try require("TEST_REDIS_URL") }

    /// The path of a built `Edge`, `Ingest` or `API`.
    package static func binary(_ name: String) throws -> String {
        try require("TEST_BINARIES") + "/" + name
    }

    /// The program `oidc-provider-mock`, an OpenID provider for tests.
    package static func oidcProvider() throws -> String { try require("TEST_OIDC_PROVIDER") }

    private static func require(_ variable: String) throws -> String {
        guard let value = getenv(variable), value.pointee != 0 else {
            throw Missing(variable: variable)
        }
        return String(cString: value)
    }
}
