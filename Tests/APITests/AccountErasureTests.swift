import Clicks
import Postgres
import Testing
import TestSupport

@testable import API

@Suite struct AccountErasureTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    private static let userID = Statement("test_id", "select id from users where email = $1")

    /// Makes an account's 30 days be over.
    private func wait(_ connection: Connection) throws {
        try connection.run(
            script: """
                update users set erase_requested_at = erase_requested_at - interval '31 days'
                where erase_requested_at is not null and status <> 'erased'
                """)
    }

    /// Every table that has a row with this text in any column.
    private func tables(with text: String, in connection: Connection) throws -> Set<String> {
        let tables = Statement(
            "test_tables",
            """
            select relname from pg_class
            where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
            """)
        var found: Set<String> = []
        for row in try connection.query(tables) {
            let name: String = try row.get(0)
            try connection.run(
                script: """
                    set test.found = '';
                    do $do$ begin
                        if exists (
                            select from \(name) as t
                            where strpos(lower(t::text), lower('\(text)')) > 0
                        ) then set test.found = 'yes'; end if;
                    end $do$
                    """)
            let isFound: String = try connection.query(
                Statement("test_found", "select current_setting('test.found')"))[0].get(0)
            if isFound == "yes" { found.insert(name) }
        }
        return found
    }

    /// What other rooms store of a person, and a click of theirs.
    private func addTraces(
        of id: Identifier, gonggu: String, in connection: Connection
    ) throws {
        try connection.run(
            script: "select ensure_click_partition((now() at time zone 'Asia/Seoul')::date)")
        try connection.run(
            script: """
                update users set social_provider = 'kakao', social_id = 'secretkakao'
                where id = '\(id)';
                insert into social_identities (user_id, provider, subject, linked_at)
                values ('\(id)', 'kakao', 'secretkakao', now());
                insert into notifications (id, user_id, kind, subject_id, params)
                values (gen_random_uuid(), '\(id)', 'gonggu_suspended', gen_random_uuid(),
                    '{"title": "secretdiary"}');
                insert into influencer_verifications (id, user_id, message, links)
                values (gen_random_uuid(), '\(id)', 'secretdiary',
                    array['https://i.example/secretinsta']);
                update influencer_profiles
                set bio = '해바라기언니 secretdiary',
                    instagram_url = 'https://i.example/secretinsta',
                    tiktok_url = 'https://t.example/secretinsta',
                    banner_image = 'https://cdn.example/secretface.webp'
                where user_id = '\(id)';
                insert into click_trackings (clicked_at, visitor_key, id, gonggu_id, user_id,
                    verdict, rule_set, path, click_count)
                values (now(), 1, gen_random_uuid(), '\(gonggu)', '\(id)',
                    0, 2, 0, 1);
                """)
    }

    @Test func `nothing in any table says any more who an erased account was`() async throws {
        try await test.call { [test, self] caller in
            let email = "Sunflower.Kim@example.com"
            _ = try await caller.signUp(email, role: "influencer")
            let connection = try test.connect()
            _ = try AccountQueries.verify(email: email, in: connection)
            let session = try await caller.logIn(email)
            let member = Caller(client: caller.client, token: session.json["access_token"]?.text)
            let profile: JSON = [
                "nickname": "해바라기언니", "profile_image": "https://cdn.example/secretface.webp",
            ]
            #expect(try await member.send(.patch, "/api/v1/users/me", profile).status == 200)
            let id: Identifier = try connection.query(Self.userID, [email])[0].get(0)
            let gonggu = try await member.send(
                .post, "/api/v1/gonggus",
                draft([
                    "description": "해바라기언니가 고른 secretdiary",
                    "thumbnail": "https://cdn.example/secretface.webp",
                ]))
            #expect(gonggu.status == 201)
            try addTraces(of: id, gonggu: gonggu.json["id"]?.text ?? "", in: connection)
            _ = try await caller.logIn(email, password: "wrong horse")
            let hash: String = try connection.query(
                Statement("test_hash", "select password_hash from users where id = $1"), [id])[0]
                .get(0)
            let secrets = [
                email, "해바라기언니", "secretface", "secretdiary", "secretinsta", "secretkakao", hash,
            ]
            for secret in secrets {
                #expect(try !tables(with: secret, in: connection).isEmpty, "\(secret)")
            }
            #expect(try await member.send(.delete, "/api/v1/users/me").status == 200)
            #expect(try AccountErasure.run(limit: 10, in: connection) == ErasureReport())
            try wait(connection)
            var report = try AccountErasure.run(limit: 10, in: connection)
            #expect(report.erased == 1 && report.failures.isEmpty)
            report = try AccountErasure.run(limit: 10, in: connection)
            #expect(report == ErasureReport())

            for secret in secrets {
                #expect(try tables(with: secret, in: connection) == [], "\(secret)")
            }
            // What money is counted by is there, under the same id.
            let kept = try tables(with: id.description, in: connection)
            #expect(kept.isSuperset(of: ["users", "gonggus", "click_trackings"]))
            #expect(try await caller.logIn(email).status == 401)
            #expect(try await member.send(.get, "/api/v1/users/me").status == 401)
            let refresh = try await caller.send(
                .post, "/api/v1/auth/refresh",
                ["refresh_token": session.json["refresh_token"] ?? .null])
            #expect(refresh.status == 401 && refresh.code == "REFRESH_TOKEN_INVALID")
            #expect(try await caller.send(.get, "/api/v1/users/\(id)").status == 404)
            let admin = try await caller.member(.admin, on: test)
            let gone = try await admin.send(
                .post, "/api/v1/admin/users/\(id)/restore", ["reason": "x"])
            #expect(gone.status == 404)
            // The address is free again, for another account.
            let again = try await caller.signUp(email)
            #expect(again.status == 201 && again.json["id"]?.text != id.description)
        }
    }

    @Test func `whoever signs in while the erasure runs has either stayed or gone`() async throws {
        try await test.call { [test, self] caller in
            let connection = try test.connect()
            let emails = (0..<24).map { "a\($0)@example.com" }
            for email in emails {
                _ = try await caller.signUp(email)
                let member = try await caller.signedIn(email)
                #expect(try await member.send(.delete, "/api/v1/users/me").status == 200)
            }
            try wait(connection)
            let ids = try emails.map { email -> Identifier in
                try connection.query(Self.userID, [email])[0].get(0)
            }
            let url = test.testDatabase.url
            async let erasing = Task.detached {
                try AccountErasure.run(
                    limit: 100, in: try Connection(url: url, applicationName: "erase"))
            }.value
            var answers: [Int: Caller.Answer] = [:]
            try await withThrowingTaskGroup(of: (Int, Caller.Answer).self) { group in
                for each in emails.indices {
                    group.addTask { (each, try await caller.logIn(emails[each])) }
                }
                for try await (each, answer) in group { answers[each] = answer }
            }
            let report = try await erasing
            #expect(report.failures.isEmpty)
            let state = Statement(
                "test_state",
                """
                select status = 'erased' as is_erased, email is null as is_empty,
                    erase_requested_at is not null as is_leaving,
                    (select count(*) from refresh_tokens where user_id = $1
                        and revoked_at is null) as tokens
                from users where id = $1
                """)
            var erased = 0
            for (each, answer) in answers {
                let row = try connection.query(state, [ids[each]])[0]
                if try row.get("is_erased") {
                    erased += 1
                    #expect(answer.status == 401 || answer.status == 403)
                    #expect(try row.get("is_empty"))
                    #expect(try row.get("tokens", as: Int.self) == 0)
                } else {
                    #expect(answer.status == 200)
                    #expect(try !row.get("is_leaving", as: Bool.self))
                    let token = answer.json["access_token"]?.text
                    let me = try await Caller(client: caller.client, token: token).send(
                        .get, "/api/v1/users/me")
                    #expect(me.status == 200)
                }
            }
            #expect(report.erased == erased)
        }
    }

    @Test func `a run is bounded, and one account that fails holds up no other`() async throws {
        let connection = try test.connect()
        try connection.run(
            script: """
                insert into users (email, nickname, erase_requested_at)
                select 'u' || n || '@example.com', '회원' || n,
                    now() - interval '40 days' + n * interval '1 s'
                from generate_series(1, 250) n;
                create function refuse_one() returns trigger language plpgsql as $$
                begin raise exception 'not this one'; end $$;
                create trigger refuse before update on users for each row
                    when (old.email = 'u3@example.com') execute function refuse_one();
                """)
        var report = try AccountErasure.run(limit: 120, in: connection)
        #expect(report.erased == 119 && report.failures.count == 1)
        report = try AccountErasure.run(limit: 1000, in: connection)
        #expect(report.erased == 130 && report.failures.count == 1)
        try connection.run(script: "drop trigger refuse on users")
        report = try AccountErasure.run(limit: 1000, in: connection)
        #expect(report.erased == 1 && report.failures.isEmpty)
    }

    /// An influencer who has left, with payee's details and a closed month, and what became of it.
    @Test func `details for payment stay for as long as money is owed`() throws {
        let connection = try test.connect()
        let ids = (0..<4).map { _ in Identifier.new() }
        for id in ids.prefix(2) {
            try connection.run(
                script: """
                    insert into users (id, email, nickname, role, erase_requested_at)
                    values ('\(id)', '\(id)@example.com', '해바라기', 'influencer',
                        now() - interval '31 days');
                    insert into gonggus (influencer_id, title, external_url, original_price,
                        gonggu_price, open_at, close_at)
                    values ('\(id)', '공구', 'https://shop.example/1', 2, 1,
                        now() - interval '50 days', now() - interval '40 days');
                    insert into payees (user_id, payee_type, key_id, sealed)
                    values ('\(id)', 'individual', 'k1', decode(repeat('00', 40), 'hex'));
                    """)
        }
        for id in ids.suffix(2) {
            try connection.run(
                script: "insert into users (id, nickname) values ('\(id)', '담당')")
        }
        func run() throws -> (removed: Int, kept: Int) {
            let report = try AccountErasure.run(limit: 10, in: connection)
            #expect(report.failures.isEmpty)
            return (report.payeesRemoved, report.payeesKept)
        }
        // The month in which they left is not closed: it may have clicks of theirs.
        #expect(try run() == (0, 2))
        let month = "date_trunc('month', (now() - interval '31 days') at time zone 'Asia/Seoul')"
        try connection.run(
            script: """
                insert into settlement_months (month, drafted_by, minimum_payout_won, lines_won,
                    payable_won, carried_out_won)
                values (\(month), '\(ids[2])', 50000, 72000, 60000, 12000);
                insert into settlements (id, month, influencer_id, lines_won, payable_won,
                    carried_out_won, nickname)
                values (gen_random_uuid(), \(month), '\(ids[0])', 60000, 60000, 0, '해바라기'),
                    (gen_random_uuid(), \(month), '\(ids[1])', 12000, 0, 12000, '해바라기');
                """)
        #expect(try run() == (0, 2))
        try connection.run(
            script: """
                update settlements set status = 'closed' where payable_won > 0;
                update settlements set status = 'carried' where payable_won = 0;
                update settlement_months set status = 'closed', closed_at = now(),
                    closed_by = '\(ids[3])';
                """)
        #expect(try run() == (0, 2))
        try connection.run(script: "update settlements set status = 'paid' where payable_won > 0")
        // Paid to one; a balance is carried for the other.
        #expect(try run() == (1, 1))
        let left: Identifier = try connection.query(
            Statement("test_payee", "select user_id from payees"))[0].get(0)
        #expect(left == ids[1])
        try connection.run(
            script: "update users set erased_at = now() - interval '6 years' where id = '\(ids[1])'"
        )
        #expect(try run() == (1, 0))
        let names = Statement("test_names", "select count(*) from settlements where nickname <> ''")
        #expect(try connection.query(names)[0].get(0, as: Int.self) == 2)
    }

    /// What becomes of each column that refers to an account. A new one fails here until somebody
    /// decides: a table that says something of a person gets a step in ``AccountErasure/steps``.
    @Test func `of every column that refers to an account it is decided what becomes of it`() throws
    {
        let erased: Set = [
            "refresh_tokens.user_id", "influencer_profiles.user_id", "gonggus.influencer_id",
            "payees.user_id", "subscriptions.buyer_id", "subscriptions.influencer_id",
            "favorites.user_id", "reviews.user_id", "social_identities.user_id",
            "notifications.user_id", "kept_answers.account_id", "influencer_verifications.user_id",
            "uploads.user_id",
        ]
        // Money, and who was responsible: ids alone.
        let kept: Set = [
            "adjudication_runs.requested_by", "audit_log.by_user", "click_adjudications.decided_by",
            "click_appeals.answered_by", "click_appeals.created_by", "click_decisions.decided_by",
            "click_flags.decided_by", "click_trackings.user_id", "gonggu_terms.influencer_id",
            "cpc_rates.created_by", "influencer_verifications.decided_by",
            "cpc_rates.influencer_id", "payee_access_log.by_user", "payee_access_log.user_id",
            "settlement_adjustments.influencer_id", "settlement_adjustments.made_by",
            "settlement_events.by_user", "settlement_lines.influencer_id",
            "settlement_months.closed_by", "settlement_months.drafted_by",
            "settlement_payments.closed_by", "settlement_payments.influencer_id",
            "settlement_payments.paid_by", "settlements.held_by", "settlements.influencer_id",
        ]
        let columns = Statement(
            "test_references",
            """
            select c.relname || '.' || a.attname
            from pg_attribute a
            join pg_class c on c.oid = a.attrelid
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
                and not c.relispartition and a.atttypid = 'uuid'::regtype and a.attnum > 0
                and not a.attisdropped
                and (
                    a.attname like '%user%' or a.attname like '%\\_by'
                    or a.attname like '%influencer%'
                    or exists (
                        select from pg_constraint k
                        where k.conrelid = c.oid and k.confrelid = 'users'::regclass
                            and a.attnum = any (k.conkey)
                    )
                )
            """)
        let found = Set(
            try test.connect().query(columns).map { row in try row.get(0, as: String.self) })
        #expect(found.subtracting(erased).subtracting(kept) == [])
        #expect(erased.union(kept).subtracting(found) == [])
    }
}
