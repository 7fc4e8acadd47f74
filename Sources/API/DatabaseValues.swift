import Clicks
import Glibc
import Postgres

// The vocabulary that the processes share, as PostgreSQL's columns hold it.

extension Identifier: PostgresEncodable, PostgresDecodable, PostgresElement {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        PostgresUUID(high: high, low: low).encode(as: type, into: &bytes)
    }

    package static func decode(_ column: ColumnValue) -> Identifier? {
        PostgresUUID.decode(column).map { Identifier(high: $0.high, low: $0.low) }
    }

    /// A new one that sorts by the time it was made; 74 of its bits are random.
    package static func new() -> Identifier {
        var generator = SystemRandomNumberGenerator()
        let milliseconds = Timestamp.now.microseconds / 1000
        return Identifier(
            unixMilliseconds: UInt64(milliseconds), random: (generator.next(), generator.next()))
    }
}

extension Timestamp: PostgresEncodable, PostgresDecodable, PostgresElement {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        PostgresTimestamp(microseconds: microseconds).encode(as: type, into: &bytes)
    }

    package static func decode(_ column: ColumnValue) -> Timestamp? {
        PostgresTimestamp.decode(column).map { Timestamp(microseconds: $0.microseconds) }
    }

    /// This host's clock, for what is decided without the database: the age of an access token.
    package static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(
            microseconds: Int64(time.tv_sec) * microsecondsPerSecond + Int64(time.tv_nsec) / 1000)
    }
}
