import Clicks
import Hummingbird
import Logging
import Postgres
import Redis
import Schema

// The table of contents of the service: what it is made of, which routes it has, and how it stops.

/// All that runs in `API serve`.
package struct APIServer: Sendable {
    package let settings: APISettings
    package let pool: ConnectionPool
    package let hasher: PasswordHasher
    package let tokenKey: AccessTokenKey
    /// All that is asked of other people's servers.
    package let outbound: OutboundClient
    private let socialLogins: SocialLogins
    /// Of all processes of the database.
    package let throttle: LoginThrottle
    /// What /ready asks.
    package let dependencies: [Dependency]
    package let logger: Logger
    /// Connections for runs and decisions, which take minutes; made when there is one to make.
    private let runners: ConnectionPool
    /// Who watches clicks as they happen; its poller runs with the server.
    package let live: LiveClicks
    package let uploads: UploadDesk

    private static let secondsPerDay = 86_400

    /// Starts the threads; connects to nothing yet.
    ///
    /// - Parameter loginClock: what failures to sign in are counted by; nil for the database's.
    /// - Throws: what is wrong with the Redis URL.
    package init(
        settings: APISettings, logger: Logger, loginClock: (@Sendable () -> Timestamp)? = nil
    ) async throws {
        self.settings = settings
        self.logger = logger
        let pool = ConnectionPool(
            url: settings.database.url, applicationName: "gonggumoa-api",
            connections: settings.database.connections)
        self.pool = pool
        hasher = PasswordHasher(
            cost: settings.passwords.cost, lanes: settings.passwords.lanes,
            queueMax: settings.passwords.queueMax)
        tokenKey = await AccessTokenKey(
            secret: settings.tokenSecret.text, lifetimeSeconds: settings.accessTokenMinutes * 60)
        outbound = OutboundClient(logger: logger)
        socialLogins = SocialLogins(settings.social, client: outbound)
        throttle = LoginThrottle(pool: pool, secret: settings.tokenSecret.text, clock: loginClock)
        runners = ConnectionPool(
            url: settings.database.url, applicationName: "gonggumoa-api-adjudication",
            connections: 2, statementTimeoutSeconds: 300)
        live = try LiveClicks(pool: pool, redisURL: settings.redisURL, logger: logger)
        uploads = UploadDesk(settings.uploads, ownURL: settings.publicURL)
        let redis = try RedisClient(url: settings.redisURL)
        dependencies = [
            Dependency(name: "postgres", isRequired: true) {
                try await pool.run { _ = try Migrator.currentVersion($0) }
            },
            Dependency(name: "schema", isRequired: true) {
                try await pool.run { try Migrator.requireCurrent($0) }
            },
            // Nothing of today's is kept there; without it, what comes to be kept there is slower.
            Dependency(name: "redis", isRequired: false) { try await redis.ping() },
        ]
    }

    /// Every route, domain by domain.
    package func routes() -> (table: RouteTable, tokens: AccessTokens) {
        let refreshLifetimeSeconds = settings.refreshTokenDays * APIServer.secondsPerDay
        let cookie = SessionCookie(isSecure: settings.isHTTPS, domain: settings.cookieDomain)
        let accounts = AccountRoutes(
            pool: pool, hasher: hasher, tokenKey: tokenKey,
            refreshLifetimeSeconds: refreshLifetimeSeconds, cookie: cookie, throttle: throttle)
        var table = RouteTable()
        HealthRoutes(dependencies: dependencies).add(to: &table)
        accounts.add(to: &table)
        SocialRoutes(
            pool: pool, logins: socialLogins, tokenKey: tokenKey,
            refreshLifetimeSeconds: refreshLifetimeSeconds, cookie: cookie, throttle: throttle
        ).add(to: &table)
        ProfileRoutes(accounts: accounts).add(to: &table)
        CategoryRoutes(pool: pool).add(to: &table)
        let gonggus = GongguRoutes(pool: pool, edgeURL: settings.edgeURL)
        gonggus.add(to: &table)
        SubscriptionRoutes(pool: pool, card: gonggus.card).add(to: &table)
        FavoriteRoutes(pool: pool, card: gonggus.card).add(to: &table)
        ReviewRoutes(pool: pool, mediaURLs: [uploads.publicBase, settings.publicURL])
            .add(to: &table)
        SearchRoutes(pool: pool, edgeURL: settings.edgeURL).add(to: &table)
        ModerationRoutes(pool: pool, edgeURL: settings.edgeURL).add(to: &table)
        QRRoutes(pool: pool, edgeURL: settings.edgeURL).add(to: &table)
        CalendarRoutes(pool: pool, edgeURL: settings.edgeURL).add(to: &table)
        InfluencerRoutes(pool: pool).add(to: &table)
        VerificationRoutes(pool: pool).add(to: &table)
        InboxRoutes(pool: pool).add(to: &table)
        TrackingRoutes(pool: pool).add(to: &table)
        CPCRateRoutes(pool: pool).add(to: &table)
        SettlementMonthRoutes(
            pool: pool, minimumPayoutWon: settings.settlements.minimumPayoutWon
        ).add(to: &table)
        SettlementRoutes(pool: pool).add(to: &table)
        let keys = settings.settlements.payeeKeys
        SettlementExportRoutes(pool: pool, keys: keys).add(to: &table)
        PayeeRoutes(pool: pool, keys: keys).add(to: &table)
        ClickListRoutes(pool: pool).add(to: &table)
        OverviewRoutes(pool: pool).add(to: &table)
        LiveRoutes(pool: pool, live: live).add(to: &table)
        AppealRoutes(pool: pool).add(to: &table)
        AdjudicationRoutes(pool: pool).add(to: &table)
        AuditRoutes(pool: pool).add(to: &table)
        UploadRoutes(pool: pool, desk: uploads).add(to: &table)
        AdminUserRoutes(pool: pool).add(to: &table)
        return (table, accounts.accessTokens)
    }

    /// The routes behind the guards.
    package func router() -> Router<APIContext> {
        let (table, tokens) = routes()
        let hosts = settings.allowedHosts
        return table.router(
            settings: HTTPSettings(
                allowedHosts: hosts.isEmpty ? nil : Set(hosts), origins: settings.origins,
                isHTTPS: settings.isHTTPS, proxies: settings.proxies,
                assets: settings.document.assets),
            tokens: tokens, kept: KeptAnswers(pool: pool))
    }

    /// Serves until SIGTERM or SIGINT, then finishes what is in flight.
    package func run() async throws {
        for complaint in uploads.complaints {
            logger.error("uploads are refused", metadata: ["reason": .string(complaint)])
        }
        let server = makeServer(
            router: router(), address: .hostname(settings.host, port: settings.port),
            logger: logger)
        var service = server
        service.addServices(
            AdjudicationDesk(pool: pool, runners: runners, logger: logger), live,
            RowSweep.ofKeptAnswers(pool: pool, logger: logger),
            RowSweep.ofInboxes(pool: pool, logger: logger, settings: settings.inbox),
            ImageDisposal(pool: pool, desk: uploads, logger: logger),
            SearchCatchUp(pool: pool, logger: logger))
        try await service.runService()
        for pool in [pool, runners] {
            pool.close()
            await pool.drained()
        }
    }

    /// Every SQL statement of the service, for the test that prepares them all.
    package static var statements: [Statement] {
        AccountQueries.statements + RefreshTokenQueries.statements + SocialQueries.statements
            + CategoryQueries.statements
            + GongguQueries.statements + StatsQueries.statements + DemoQueries.statements
            + CPCRateQueries.statements + DaySealQueries.statements
            + SettlementDraftQueries.statements + SettlementMonthQueries.statements
            + SettlementPaymentQueries.statements + SettlementVerificationQueries.statements
            + SettlementQueries.statements + SettlementExportQueries.statements
            + PayeeQueries.statements
            + LedgerQueries.statements + RunQueries.statements + FlagQueries.statements
            + DecisionQueries.statements
            + AppealQueries.statements + ClickListQueries.statements + OverviewQueries.statements
            + LiveQueries.statements + SubscriptionQueries.statements
            + FavoriteQueries.statements + ReviewQueries.statements + SearchQueries.statements
            + KeptAnswerQueries.statements
            + InfluencerQueries.statements + VerificationQueries.statements
            + InboxQueries.statements + ModerationQueries.statements + QRQueries.statements
            + CalendarQueries.statements + UploadQueries.statements
            + DiscardQueries.statements
            + AuditQueries.statements + LoginAttemptQueries.statements
            + ProfileQueries.statements + ErasureQueries.statements
            + AdminUserQueries.statements
    }
}
