import Hummingbird

// Two questions with two audiences: a supervisor asks whether the process lives (/health), a
// balancer whether it should get requests (/ready).

/// Something the service leans on, and how to find out whether it is there.
package struct Dependency: Sendable {
    package let name: String
    /// Without it the service is of no use; without the others it does less.
    package let isRequired: Bool
    /// Throws, for whatever reason, if it is not there; bounded in time.
    package let check: @Sendable () async throws -> Void

    package init(
        name: String, isRequired: Bool, check: @escaping @Sendable () async throws -> Void
    ) {
        self.name = name
        self.isRequired = isRequired
        self.check = check
    }
}

/// What became of one check.
package struct DependencyState: Equatable, Sendable {
    package let name: String
    package let isRequired: Bool
    package let isUp: Bool

    static let schema = Schema<DependencyState>(
        "Dependency",
        [
            Field("name", .text(1...40), \.name, example: "postgres"),
            Field("is_required", .boolean, \.isRequired),
            Field("is_up", .boolean, \.isUp),
        ])
}

/// The sum of the checks.
package enum ReadyStatus: String, CaseIterable, Sendable {
    case ready
    /// Something is away that the service can do without.
    case degraded
    case unavailable
}

/// Every dependency's state at one moment.
package struct Readiness: Equatable, Sendable {
    package let dependencies: [DependencyState]

    /// Unavailable only where something required is away.
    package var status: ReadyStatus {
        let away = dependencies.filter { !$0.isUp }
        if away.isEmpty { return .ready }
        return away.contains(where: \.isRequired) ? .unavailable : .degraded
    }

    static let schema = Schema<Readiness>(
        "Readiness",
        [
            Field("status", .oneOf(ReadyStatus.self), \.status),
            Field("dependencies", DependencyState.schema.list(0...20), \.dependencies),
        ])
}

/// That the process lives and answers, nothing more.
package struct Health: Sendable {
    static let schema = Schema<Health>(
        "Health", [Field("status", .text(2...2), \.status, example: "ok")])

    var status: String { "ok" }
}

/// The routes /health and /ready.
package struct HealthRoutes: Sendable {
    let dependencies: [Dependency]

    /// - Parameter dependencies: asked all at once by each /ready, answered in this order.
    package init(dependencies: [Dependency]) {
        self.dependencies = dependencies
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let tag = Tag("health", Wording("상태", "Whether it lives and works"))
        table.add(
            .get, "/health", id: "health", tag: tag, Wording("프로세스 상태", "Whether it lives"),
            access: .everyone, answer: .ok(Health.schema), handler: { _ in Health() })
        table.add(
            .get, "/ready", id: "ready", tag: tag,
            Wording("의존하는 서비스의 상태", "Whether it can serve, dependency by dependency"),
            access: .everyone,
            answer: .raw(
                .json(Readiness.schema), .json(Readiness.schema, status: .serviceUnavailable)),
            handler: { call in try await ready(call) })
    }

    /// 200 when ready or degraded, 503 when something required is away. What exactly is wrong goes
    /// into the log, not to whoever asks.
    func ready(_ call: Call) async throws -> Response {
        let logger = call.logger
        let states = await withTaskGroup(of: (Int, DependencyState).self) { group in
            for (index, dependency) in dependencies.enumerated() {
                group.addTask {
                    var isUp = true
                    do {
                        try await dependency.check()
                    } catch {
                        isUp = false
                        logger.warning(
                            "a dependency is away",
                            metadata: [
                                "dependency": .string(dependency.name),
                                "error": .string("\(error)"),
                            ])
                    }
                    let state = DependencyState(
                        name: dependency.name, isRequired: dependency.isRequired, isUp: isUp)
                    return (index, state)
                }
            }
            var states: [(Int, DependencyState)] = []
            for await state in group { states.append(state) }
            return states.sorted { $0.0 < $1.0 }.map(\.1)
        }
        let readiness = Readiness(dependencies: states)
        return Response(
            status: readiness.status == .unavailable ? .serviceUnavailable : .ok,
            json: Readiness.schema.write(readiness))
    }
}
