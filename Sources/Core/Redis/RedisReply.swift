import CHiredis

/// What Redis answered to one command.
package enum RedisReply: Equatable, Sendable {
    /// A status (`OK`) or a value, as bytes.
    case string([UInt8])
    case integer(Int)
    case array([RedisReply])
    /// There is no such key, or the command had nothing to say.
    case null
    /// Redis refused the command, `WRONGTYPE …`. The connection is fine.
    case error(String)

    /// The value as text; nil unless it is a string of valid UTF-8.
    package var text: String? {
        guard case .string(let bytes) = self else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Copies hiredis's reply. Its depth is bounded by hiredis itself.
    init(_ reply: UnsafePointer<redisReply>) {
        switch reply.pointee.type {
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS:
            self = .string(RedisReply.bytes(reply))
        case REDIS_REPLY_ERROR:
            self = .error(String(decoding: RedisReply.bytes(reply), as: UTF8.self))
        case REDIS_REPLY_INTEGER:
            self = .integer(Int(reply.pointee.integer))
        case REDIS_REPLY_ARRAY:
            self = .array(
                (0..<Int(reply.pointee.elements)).map { RedisReply(reply.pointee.element[$0]!) })
        default:
            self = .null
        }
    }

    private static func bytes(_ reply: UnsafePointer<redisReply>) -> [UInt8] {
        let bytes = UnsafeRawBufferPointer(start: reply.pointee.str, count: Int(reply.pointee.len))
        return [UInt8](bytes)
    }
}

/// Redis could not be asked. What it answered, refusals included, is a ``RedisReply``.
package struct RedisError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// The URL is not one; its text is not repeated, since it may hold a password.
        case url
        /// Refused, lost or timed out. Whether a command in flight took effect is unknown.
        case connection
        /// The client is closed, or too many callers wait.
        case queue
    }

    package var kind: Kind
    package var message: String

    package init(kind: Kind, message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { "Redis: " + message }
}
