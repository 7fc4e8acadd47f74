import HTTPTypes
import Hummingbird

// What a route answers when all goes well: the status, the body's schema and the headers, in one
// value that both writes the answer and describes it.

/// A success of a route, from the value its handler returns.
package struct Answer<Value: Sendable>: Sendable {
    let outcomes: [Outcome]
    let response: @Sendable (Value) -> Response
    /// Nil where the schema cannot write, which ``RouteTable`` refuses at start.
    let isWritable: Bool

    private init(
        _ status: HTTPResponse.Status, _ schema: Schema<Value>, _ headers: [AnswerHeader<Value>]
    ) {
        outcomes = [
            Outcome(
                status: status, mediaType: "application/json", shape: schema.shape,
                headers: headers.map { .init(name: $0.name.rawName, about: $0.about) })
        ]
        isWritable = schema.isWritable
        response = { value in
            let json = schema.write(value)
            assert(schema.shape.faults(in: json).isEmpty, "\(schema.shape.faults(in: json))")
            var response = Response(status: status, json: json)
            for header in headers {
                for value in header.values(value) {
                    response.headers.append(HTTPField(name: header.name, value: value))
                }
            }
            return response
        }
    }

    /// 200 with the value, and with headers made from it.
    package static func ok(_ schema: Schema<Value>, headers: [AnswerHeader<Value>] = [])
        -> Answer
    {
        Answer(.ok, schema, headers)
    }

    /// 201, with `Location` where the thing made has an address.
    package static func created(
        _ schema: Schema<Value>, location: (@Sendable (Value) -> String)? = nil,
        headers: [AnswerHeader<Value>] = []
    ) -> Answer {
        let own = location.map { location in
            AnswerHeader<Value>(.location, Wording("만들어진 것의 주소", "Where it is")) { [location($0)] }
        }
        return Answer(.created, schema, [own].compactMap(\.self) + headers)
    }

    /// 202: taken on, not done yet.
    package static func accepted(_ schema: Schema<Value>) -> Answer {
        Answer(.accepted, schema, [])
    }
}

extension Answer where Value == Void {
    /// 204, for what has nothing to say.
    package static var noContent: Answer { noContent(headers: []) }

    /// 204 with headers, such as a cookie that is taken back.
    package static func noContent(headers: [AnswerHeader<Void>]) -> Answer {
        Answer(
            outcomes: [
                Outcome(
                    status: .noContent, mediaType: nil, shape: nil,
                    headers: headers.map { .init(name: $0.name.rawName, about: $0.about) })
            ],
            response: {
                var response = Response(status: .noContent)
                response.headers[.contentLength] = nil
                for header in headers {
                    for value in header.values(()) {
                        response.headers.append(HTTPField(name: header.name, value: value))
                    }
                }
                return response
            })
    }
}

extension Answer where Value == Response {
    /// The handler makes the response itself: files, streams, pages, or statuses that vary. What
    /// is listed here is only described, so the handler keeps to it.
    package static func raw(_ outcomes: Outcome...) -> Answer { raw(outcomes) }

    package static func raw(_ outcomes: [Outcome]) -> Answer {
        Answer(outcomes: outcomes, response: { $0 })
    }
}

extension Answer {
    fileprivate init(
        outcomes: [Outcome], response: @escaping @Sendable (Value) -> Response
    ) {
        self.outcomes = outcomes
        self.response = response
        isWritable = true
    }
}

/// One way a route can succeed, as the document tells it.
package struct Outcome: Sendable {
    /// A header that the document names.
    package struct Header: Sendable {
        let name: String
        let about: Wording
    }

    let status: HTTPResponse.Status
    /// Nil for an answer without a body.
    let mediaType: String?
    let shape: Shape?
    let headers: [Header]

    init(
        status: HTTPResponse.Status, mediaType: String?, shape: Shape?, headers: [Header] = []
    ) {
        self.status = status
        self.mediaType = mediaType
        self.shape = shape
        self.headers = headers
    }

    /// Bytes of that type, not described further.
    package static func bytes(_ mediaType: String, status: HTTPResponse.Status = .ok) -> Outcome {
        Outcome(status: status, mediaType: mediaType, shape: nil)
    }

    /// JSON made by hand for a status that varies; see ``Hummingbird/Response/init(status:json:)``.
    package static func json<Value>(_ schema: Schema<Value>, status: HTTPResponse.Status = .ok)
        -> Outcome
    {
        Outcome(status: status, mediaType: "application/json", shape: schema.shape)
    }
}

/// A header of an answer, computed from the same value as the body, so that it is described too.
package struct AnswerHeader<Value: Sendable>: Sendable {
    let name: HTTPField.Name
    let about: Wording
    /// One field a value; none leaves the header out.
    let values: @Sendable (Value) -> [String]

    package init(
        _ name: HTTPField.Name, _ about: Wording,
        _ values: @escaping @Sendable (Value) -> [String]
    ) {
        self.name = name
        self.about = about
        self.values = values
    }
}

extension Response {
    /// A JSON answer.
    package init(status: HTTPResponse.Status, json: JSON, headers: HTTPFields = [:]) {
        var headers = headers
        headers[.contentType] = "application/json; charset=utf-8"
        self.init(
            status: status, headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes)))
    }
}

extension Shape {
    /// Every fault of a value, none if it fits.
    package func faults(in json: JSON) -> [Fault] {
        var faults: [Fault] = []
        _ = checked(json, at: "", faults: &faults)
        return faults
    }
}
