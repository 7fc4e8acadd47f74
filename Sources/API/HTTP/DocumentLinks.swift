// Where one answer leads to the next request, as OpenAPI's links: read off the paths, so that no
// route declares them. Programs that walk through the service follow them, scripts/conform for one.

extension Route {
    /// From an answer to what can be done with the thing it shows: a thing that was made, one that
    /// was looked at, and the first one of a list.
    func links(from outcomes: [Outcome], to routes: [Route]) -> [JSON.Member] {
        guard let shape = outcomes.lazy.compactMap(\.shape).first else { return [] }
        let own = pathParameters
        if own.isEmpty, method == .post, shape.hasIdentifier {
            return links(to: routes, value: "$response.body#/id")
        }
        if own.isEmpty, method == .get, shape.member("items")?.elements?.hasIdentifier == true {
            return links(to: routes, value: "$response.body#/items/0/id")
        }
        if own.count == 1, method == .get, path.hasSuffix("{\(own[0])}") {
            return links(
                to: routes.filter { $0.id != id }, below: path, value: "$request.path.\(own[0])")
        }
        return []
    }

    /// To every route below the path that takes the thing's name and no other.
    private func links(
        to routes: [Route], below item: String? = nil, value: String
    ) -> [JSON.Member] {
        routes.compactMap { route in
            guard route.pathParameters.count == 1, let name = route.pathParameters.first,
                route.path.hasPrefix(item ?? "\(path)/{\(name)}"),
                route.parameters.allSatisfy({ $0.location == .path || !$0.isRequired })
            else { return nil }
            return JSON.Member(
                route.id,
                [
                    "operationId": .text(route.id),
                    "parameters": .object([.init(name, .text(value))]),
                ])
        }
    }

    private var pathParameters: [String] {
        parameters.filter { $0.location == .path }.map(\.name)
    }
}

extension Shape {
    fileprivate func member(_ name: String) -> Shape? {
        guard case .object(let object) = kind else { return nil }
        return object.members.first { $0.name == name }?.shape
    }

    fileprivate var elements: Shape? {
        if case .list(let element, _) = kind { element } else { nil }
    }

    fileprivate var hasIdentifier: Bool {
        guard case .text(let text) = member("id")?.kind else { return false }
        return text.format == "uuid"
    }
}
