import Clicks
import HTTPTypes
import Hummingbird
import Logging

// What is known of a request before its handler runs, and what the handler is given.

/// Hummingbird's context of one request, with what every part of this room needs.
package struct APIContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// The client's, where it sent a well-formed `X-Request-ID`, else ours; in the answer and in
    /// every log line.
    package var requestID = ""
    package var language = Language.korean
    /// The socket's peer at first, then the client behind trusted proxies.
    package var clientAddress: NetworkAddress

    package init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
        let peer = source.channel.remoteAddress?.ipAddress
        clientAddress = peer.flatMap { NetworkAddress(text: $0) } ?? .unknown
    }
}

/// One request as its handler sees it: everything declared has been checked.
package struct Call: Sendable {
    package let request: Request
    package let context: APIContext
    let values: ParameterValues
    let identity: Identity

    /// How a public route learns who is asking after all.
    struct Identity: Sendable {
        let account: Account?
        let isPublic: Bool
        let tokens: AccessTokens
        let origins: Origins
    }

    package var language: Language { context.language }
    package var logger: Logger { context.logger }
    /// Where the request comes from, for limits by address; never for logs.
    package var clientAddress: NetworkAddress { context.clientAddress }

    /// The account asking. Traps in a route open to everyone, whose declaration says that there
    /// may be none: it asks ``caller()``.
    package var account: Account {
        guard let account = identity.account else {
            preconditionFailure("a route open to everyone has no account; use caller()")
        }
        return account
    }

    /// The account asking, nil if nobody is signed in. In a route open to everyone a token that
    /// is not valid counts as none, since an old cookie must not hide a public page.
    package func caller() async throws -> Account? {
        if !identity.isPublic { return identity.account }
        do {
            return try await identity.tokens.account(of: request, origins: identity.origins)
        } catch is Problem {
            return nil
        }
    }

    /// A parameter's value. Traps if the route does not list the parameter.
    package subscript<Value>(_ parameter: Parameter<Value>) -> Value {
        guard let value = values.values[parameter.declaration.name] as? Value else {
            preconditionFailure("the route does not list \(parameter.declaration.name)")
        }
        return value
    }

    /// The page asked for. Traps if the route does not list the pages.
    package subscript<Sort>(_ pages: Pages<Sort>) -> PageRequest<Sort> {
        PageRequest(
            page: self[pages.page], size: self[pages.size], sort: self[pages.sort],
            order: self[pages.order])
    }
}
