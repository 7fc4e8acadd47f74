// What is kept of people at volume, beside ``VolumeData``: a hundred thousand decisions of fifty
// admins, sixty thousand requests to be verified, an inbox of two thousand for user 777 and of one
// for everybody else, a year of settlements, hours of statistics. Record n of a kind has that
// kind's digit in front, as people and gonggus have theirs.

enum VolumeRecords {
    static let verifications = 60_000
    static let decisions = 100_000
    static let hours = 240_000
    static let clicks = 300_000

    static func verification(_ number: Int) -> String { "3" + VolumeData.user(number).dropFirst() }
    static func settlement(_ number: Int) -> String { "5" + VolumeData.user(number).dropFirst() }
    static func flag(_ number: Int) -> String { "7" + VolumeData.user(number).dropFirst() }
    static func appeal(_ number: Int) -> String { "6" + VolumeData.user(number).dropFirst() }

    static let script = people + money

    private static let people = """
        insert into audit_log (at, by_user, object_id, action)
        select now() - (\(decisions) - n) * interval '1 minute', volume_id('0', 1 + n % 50),
            volume_id('0', 1 + n::bigint * 7919 % 20000),
            (array['user', 'gonggu', 'flag', 'verification', 'settlement'])[1 + n % 5] || '.changed'
        from generate_series(1, \(decisions)) n;

        -- The third of each influencer is open.
        insert into influencer_verifications (
            id, user_id, requested_at, message, status, decided_at, reason
        )
        select volume_id('3', n), volume_id('0', 1 + n % 20000),
            now() - (\(verifications) - n) * interval '1 minute', '확인 부탁드립니다',
            (array['rejected', 'approved', 'pending'])[1 + (n - 1) / 20000],
            case when n <= 40000 then now() end, '사유'
        from generate_series(1, \(verifications)) n;

        insert into notifications (id, user_id, subject_id, created_at, read_at, kind)
        select volume_id('4', n), volume_id('0', case when n > 200000 then 777 else n end),
            volume_id('3', n), now() - (202000 - n) * interval '1 second',
            case when n % 4 > 0 then now() end, 'verification_decided'
        from generate_series(1, 202000) n;

        insert into kept_answers (
            account_id, operation, key, holder, leased_until, expires_at, question
        )
        select volume_id('0', case when n > 100000 then 777 else n end), 'createGonggu', 'k' || n,
            volume_id('0', n), now(), now() + n * interval '1 second', sha256(int4send(n))
        from generate_series(1, 101000) n;

        insert into login_attempts (key, expires_at, counts_until)
        select substring(sha256(int4send(n)) for 16), now() + n * interval '1 second', '{}'
        from generate_series(1, 100000) n;

        insert into social_identities (user_id, provider, subject)
        select volume_id('0', n), 'kakao', 's' || n
        from generate_series(1, 100000) n;
        """

    private static let money = """
        insert into click_stats_dimensions (verdict, device, country, channel, referer_host)
        select verdict, device, 'KR', (array['', 'qr', 'blog'])[channel], ''
        from generate_series(0, 3) verdict, generate_series(1, 3) device,
            generate_series(1, 3) channel;

        -- Two days of each of ten thousand gonggus, a year and a half of gonggu 777.
        insert into click_stats_hourly (gonggu_id, hour, clicks, dimension_id)
        select volume_id('2', 1000 + n / 24), timestamptz '2026-11-21 00:00+09'
            - n % 24 * interval '2 hours', n % 100, 1 + n % 36
        from generate_series(0, \(hours) - 1) n
        union all
        select volume_id('2', 777), timestamptz '2026-11-21 00:00+09' - n * interval '1 hour',
            n % 100, 1 + n % 36
        from generate_series(0, 12000) n;

        insert into settlement_months (month, drafted_by, minimum_payout_won)
        select date '2025-11-01' + n * interval '1 month', volume_id('0', 1), 10000
        from generate_series(0, 11) n;
        insert into settlements (
            id, month, influencer_id, clicks, lines_won, payable_won, nickname
        )
        select volume_id('5', m * 10000 + n), date '2025-11-01' + m * interval '1 month',
            volume_id('0', n), n, n * 100, n * 100, '하나'
        from generate_series(0, 11) m, generate_series(1, 10000) n;
        insert into settlement_lines (
            month, influencer_id, number, kind, gonggu_id, corrects_month, clicks, rate_won,
            amount_won
        )
        select month, influencer_id, 1, 'clicks', volume_id('2', clicks), month, clicks, 100,
            lines_won
        from settlements;

        insert into click_appeals (
            created_at, from_at, to_at, answered_at, id, gonggu_id, created_by, answered_by,
            verdict, status, grounds
        )
        select now() - (50000 - n) * interval '1 minute', now() - interval '2 days',
            now() - interval '1 day', case when n % 100 > 0 then now() end, volume_id('6', n),
            volume_id('2', n), volume_id('0', 1 + n % 20000),
            case when n % 100 > 0 then volume_id('0', 1) end, 1,
            case when n % 100 > 0 then 'declined' else 'open' end, '근거'
        from generate_series(1, 50000) n;

        insert into click_flags (
            id, day, gonggu_id, ip_address, first_clicked_at, last_clicked_at, clicks, status
        )
        select volume_id('7', n), date '2026-11-21' - n % 300, volume_id('2', n),
            inet '203.0.113.0' + n % 256, now() - interval '1 year',
            now() - n * interval '1 minute', 100 + n::bigint * 7919 % 50000,
            case when n % 100 = 0 then 'open' else 'released' end
        from generate_series(1, 50000) n;

        -- Three days of clicks, of which two are over and have the index that comes with that.
        select ensure_click_partition(date '2026-11-18' + n) from generate_series(0, 2) n;
        insert into click_trackings (
            clicked_at, visitor_key, id, gonggu_id, verdict, rule_set, path
        )
        select timestamptz '2026-11-18 00:00+09' + n * interval '0.86 seconds', n,
            volume_id('8', n), volume_id('2', 1 + n % 1000), n % 4, 2, 0
        from generate_series(0, \(clicks) - 1) n;
        create index on click_trackings_20261118 (gonggu_id, clicked_at);
        create index on click_trackings_20261119 (gonggu_id, clicked_at);
        """

    // MARK: Samples

    static var samples: [String: [StatementSample]] {
        [
            "influencer_verifications_latest": [StatementSample([VolumeData.user(777)])],
            "influencer_verifications_owner": [StatementSample([verification(777)])],
            "influencer_verifications_select": [StatementSample([verification(777)])],
            "influencer_verifications_list": verificationPages,
            "influencer_verifications_list_desc": verificationPages,
            // Those of one status, in an index.
            "influencer_verifications_count": [
                StatementSample(["pending"], buffersMax: 500, rowsMax: 21_000)
            ],
            "notifications_list": inboxPages, "notifications_list_desc": inboxPages,
            "notifications_unread": inboxPages, "notifications_unread_desc": inboxPages,
            "notifications_count": [
                StatementSample([VolumeData.user(777)], buffersMax: 200, rowsMax: 2100)
            ],
            "notifications_count_unread": [
                StatementSample([VolumeData.user(777)], buffersMax: 200, rowsMax: 2100)
            ],
            "kept_answers_select": [
                StatementSample([VolumeData.user(777), "createGonggu", "k777"])
            ],
            "kept_answers_count": [
                StatementSample([VolumeData.user(777), "1001"], rowsMax: 1100)
            ],
            "login_attempts_lock": [
                StatementSample(["\\x00000000000000000000000000000000", nil])
            ],
            "social_identities_select": [StatementSample(["kakao", "s777"])],
            "settlements_select": [StatementSample([settlement(777)])],
            "settlements_lock": [StatementSample([settlement(777)])],
            "settlements_open_months": [StatementSample([])],
            "settlement_lines_page": [StatementSample([settlement(777), "20", "0"])],
            "settlement_lines_count": [StatementSample([settlement(777)])],
            "settlement_lines_select": [StatementSample([settlement(777), "1"])],
            "appeal_open_count": [StatementSample([VolumeData.user(777)])],
            "appeal_select": [StatementSample([appeal(777)])],
            "appeal_select_for_update": [StatementSample([appeal(777)])],
            "flag_select": [StatementSample([flag(777)])],
            "flag_lock": [StatementSample([flag(777)])],
            "stats_subject": [StatementSample([VolumeData.gonggu(777)])],
            "stats_hours": [month()], "stats_days": [month(), year],
            // Ten gonggus by their part of the key.
            "stats_overview": [
                StatementSample(
                    [VolumeData.user(777), "2026-11-01 00:00+09", "2026-12-01 00:00+09"],
                    buffersMax: 2000, rowsMax: 2000)
            ],
        ].merging(audit) { $1 }.merging(breakdowns) { $1 }.merging(singleClicks) { $1 }.merging(
            adjudication
        ) { $1 }
    }

    private static let verificationPages = [
        StatementSample(["pending", "20", "0"], buffersMax: 500),
        StatementSample(["approved", "100", "900"], buffersMax: 1500, rowsMax: 1500),
    ]

    private static let inboxPages = [
        StatementSample([VolumeData.user(777), "20", "0"]),
        StatementSample([VolumeData.user(777), "100", "400"], rowsMax: 600),
        StatementSample([VolumeData.user(778), "20", "0"]),
    ]

    /// Each list by what leads it; a total stops at ten thousand.
    private static var audit: [String: [StatementSample]] {
        var samples: [String: [StatementSample]] = [:]
        for (name, filter) in [
            ("", [nil, nil, nil]), ("_object", [VolumeData.user(778), nil, nil]),
            ("_person", [nil, VolumeData.user(7), nil]), ("_action", [nil, nil, "flag.changed"]),
        ] as [(String, [String?])] {
            let pages = [
                StatementSample(filter + [nil, nil, "20", "0"], isInKeyOrder: true),
                StatementSample(
                    filter + [nil, nil, "100", "900"], buffersMax: 5000, rowsMax: 2500,
                    isInKeyOrder: true),
            ]
            samples["audit_list\(name)"] = pages
            samples["audit_list\(name)_desc"] = pages
            samples["audit_count\(name)"] = [
                StatementSample(
                    filter + [nil, nil], buffersMax: 12_000, rowsMax: 10_000, isInKeyOrder: true)
            ]
        }
        return samples
    }

    /// As many hours as are asked for, whatever their clicks.
    private static func hourly(from day: String, hours: Int, _ more: [String]) -> StatementSample {
        StatementSample(
            [VolumeData.gonggu(777), "\(day) 00:00+09", "2026-11-21 00:00+09"] + more,
            buffersMax: hours, rowsMax: 3 * hours)
    }

    private static func month(_ more: [String] = []) -> StatementSample {
        hourly(from: "2026-10-21", hours: 31 * 24, more)
    }

    private static let year = hourly(from: "2025-11-20", hours: 366 * 24, [])

    private static var breakdowns: [String: [StatementSample]] {
        Dictionary(
            uniqueKeysWithValues: ["country", "device", "referer", "channel"].map {
                ("stats_by_\($0)", [month(["100"])])
            })
    }

    /// Floods and appeals by each filter, sorted both ways, also far behind.
    private static var adjudication: [String: [StatementSample]] {
        func pages(_ filters: [[String?]], rowsMax: Int) -> [StatementSample] {
            filters.flatMap { filter in
                [["true", "20", "0"], ["false", "100", "900"]].map {
                    StatementSample(
                        filter + $0, buffersMax: 2 * rowsMax, rowsMax: rowsMax, isPlannedAnew: true)
                }
            }
        }
        func counts(_ filters: [[String?]]) -> [StatementSample] {
            filters.map {
                StatementSample($0, buffersMax: 11_000, rowsMax: 10_500, isPlannedAnew: true)
            }
        }
        let flags: [[String?]] = [
            [nil, nil], ["open", nil], ["released", nil], [nil, VolumeData.gonggu(777)],
        ]
        let appeals: [[String?]] = [
            [nil, nil, nil], ["open", nil, nil], ["declined", nil, nil],
            [nil, VolumeData.user(777), nil], [nil, nil, VolumeData.gonggu(777)],
        ]
        return [
            "flag_list_by_time": pages(flags, rowsMax: 2500),
            "flag_list_by_clicks": pages(flags, rowsMax: 2500), "flag_count": counts(flags),
            "appeal_list": pages(appeals, rowsMax: 2500), "appeal_count": counts(appeals),
        ]
    }

    /// A gonggu has a thousandth of the clicks. Days that are over have an index on gonggus; the
    /// newest is walked through.
    private static var singleClicks: [String: [StatementSample]] {
        func page(_ from: String, _ to: String, at place: String, rowsMax: Int) -> StatementSample {
            StatementSample(
                [
                    VolumeData.gonggu(777), "\(from) 00:00+09", "\(to) 00:00+09",
                    "\(place) 00:00+09", "00000000-0000-0000-0000-000000000000", nil, "20",
                ], buffersMax: rowsMax, rowsMax: rowsMax, isInKeyOrder: true)
        }
        return [
            "clicks_newest_first": [
                page("2026-11-18", "2026-11-20", at: "2026-11-20", rowsMax: 300),
                page("2026-11-18", "2026-11-21", at: "2026-11-21", rowsMax: 50_000),
            ],
            "clicks_oldest_first": [
                page("2026-11-18", "2026-11-20", at: "2026-11-18", rowsMax: 300),
                page("2026-11-18", "2026-11-21", at: "2026-11-18", rowsMax: 300),
            ],
            "live_clicks": [
                StatementSample(
                    ["2026-11-20 23:59:50+09", "{\(VolumeData.gonggu(777))}", "2000"],
                    isInKeyOrder: true)
            ],
            "appeal_has_clicks": [
                StatementSample(
                    [VolumeData.gonggu(777), "2026-11-18 00:00+09", "2026-11-20 00:00+09", "9"],
                    buffersMax: 1000, rowsMax: 1000)
            ],
        ]
    }
}
