import Clicks
import Hummingbird
import Postgres

/// The routes under /influencers.
package struct InfluencerRoutes: Sendable {
    let pool: ConnectionPool

    static let tag = Tag("influencers", Wording("인플루언서", "Influencers"))
    private static let id = Parameter.path("id", Schema.identifier)
    private static let verified = Parameter.query(
        "verified", Schema.boolean, default: true,
        about: Wording("심사를 통과한(false면 통과하지 않은) 인플루언서", "Those who are verified, or are not"))
    private static let pages = Pages(InfluencerSort.self, default: .subscriberCount)

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/influencers", id: "listInfluencers", tag: Self.tag,
            Wording("인플루언서 목록", "List influencers"), access: .everyone,
            inputs: [Self.verified, Self.pages], answer: .ok(Schema.page(of: Influencer.schema)),
            handler: { try await list($0[Self.verified], $0[Self.pages]) })
        table.add(
            .get, "/api/v1/influencers/{id}", id: "getInfluencer", tag: Self.tag,
            Wording("인플루언서 프로필과 공구 수", "An influencer's page"), access: .everyone,
            inputs: [Self.id], answer: .ok(InfluencerProfile.schema),
            errors: [.influencerNotFound], handler: { try await show($0[Self.id]) })
        table.add(
            .get, "/api/v1/influencers/me", id: "myInfluencer", tag: Self.tag,
            Wording("내 프로필과 심사 상태", "One's own page, with the verification"),
            access: .role(.influencer), answer: .ok(OwnInfluencerProfile.schema),
            errors: [.influencerNotFound], handler: { try await showOwn($0.account.id) })
        table.add(
            .put, "/api/v1/influencers/me", id: "replaceMyInfluencer", tag: Self.tag,
            Wording("내 프로필 수정", "Replace one's own page"), access: .role(.influencer),
            body: InfluencerDraft.schema, answer: .ok(OwnInfluencerProfile.schema),
            errors: [.influencerNotFound],
            handler: { try await replace($0.account.id, $1) })
        table.add(
            .post, "/api/v1/influencers/me/verification", id: "askVerification", tag: Self.tag,
            Wording("심사 신청", "Ask to be verified"), access: .role(.influencer),
            body: VerificationDraft.schema, answer: .created(Verification.schema),
            errors: [
                .influencerProfileMissing, .alreadyVerified, .verificationPending,
                .verificationTooOften,
            ],
            handler: { try await ask($0.account.id, $1) })
    }

    func list(
        _ verified: Bool, _ request: PageRequest<InfluencerSort>
    ) async throws -> Page<Influencer> {
        let (items, total) = try await pool.run {
            try InfluencerQueries.page(verified: verified, request, in: $0)
        }
        return request.page(items, total: total)
    }

    func show(_ id: Identifier) async throws -> InfluencerProfile {
        let profile = try await pool.run { try InfluencerQueries.profile(of: id, in: $0) }
        guard let profile else { throw InfluencerRefusal.notFound }
        return profile
    }

    func showOwn(_ id: Identifier) async throws -> OwnInfluencerProfile {
        try await pool.run { try Self.own(id, in: $0) }
    }

    func replace(_ id: Identifier, _ draft: InfluencerDraft) async throws -> OwnInfluencerProfile {
        let content = try InfluencerRules.accept(draft)
        return try await pool.transaction { connection in
            guard try InfluencerQueries.update(id, content, in: connection) else {
                throw InfluencerRefusal.notFound
            }
            return try Self.own(id, in: connection)
        }
    }

    /// 201; 409 where one is open or none is needed any more.
    func ask(_ id: Identifier, _ draft: VerificationDraft) async throws -> Verification {
        let request = try VerificationRules.accept(draft)
        return try await pool.transaction {
            try VerificationQueries.insert(request, of: id, in: $0)
        }
    }

    private static func own(
        _ id: Identifier, in connection: Connection
    ) throws -> OwnInfluencerProfile {
        guard let profile = try InfluencerQueries.profile(of: id, in: connection) else {
            throw InfluencerRefusal.notFound
        }
        return OwnInfluencerProfile(
            profile: profile, verification: try VerificationQueries.latest(of: id, in: connection))
    }
}
