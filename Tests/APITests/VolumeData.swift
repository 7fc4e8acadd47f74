// The data that plans are looked at with. All of it follows from numbers, so that samples can name
// rows: user n is 00000000-0000-7000-8000-<n in hexadecimal>, category n begins with 1, gonggu n
// with 2. Category 30 has five gonggus, 41 none, 2 a good part. '희귀템' is in ten titles, '공구' in a
// quarter of them, '배송' in all descriptions.

enum VolumeData {
    /// A million take the script some ten seconds longer, and the plans are the same.
    static let users = 200_000
    static let gonggus = 200_000

    static func user(_ number: Int) -> String { id("0", number) }
    static func category(_ number: Int) -> String { id("1", number) }
    static func gonggu(_ number: Int) -> String { id("2", number) }

    private static func id(_ kind: String, _ number: Int) -> String {
        let digits = String(number, radix: 16)
        return kind + "0000000-0000-7000-8000-" + String(repeating: "0", count: 12 - digits.count)
            + digits
    }

    static let script = """
        set local maintenance_work_mem = '256MB';
        set local jit = off;

        create function volume_id(kind text, number bigint) returns uuid language sql immutable
        return (kind || '0000000-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid;

        insert into users (id, email, nickname, role)
        select volume_id('0', n), 'u' || n || '@example.com',
            (array['하나', '두리', '제이', '민트', '여름', '육아맘', '살림', '리뷰'])[1 + n % 8] || n,
            case when n <= 20000 then 'influencer' else 'buyer' end
        from generate_series(1, \(users)) n;

        insert into influencer_profiles (user_id, is_verified, bio)
        select id, true, '육아와 살림 이야기를 합니다. 협찬 문의는 DM'
        from users
        where role = 'influencer';

        insert into categories (id, name, sort_order)
        select volume_id('1', n), '분류' || n, n
        from generate_series(1, 41) n;

        insert into gonggus (
            id, influencer_id, short_code, title, description, original_price, gonggu_price,
            open_at, close_at, created_at, external_url
        )
        select volume_id('2', n), volume_id('0', 1 + n::bigint * 7919 % 20000),
            'v' || lpad(to_hex(n), 7, '0'),
            (array['여름', '가을', '겨울', '봄', '특가', '프리미엄', '국내산', '유기농'])[1 + n % 8]
                || (array['공구', '이벤트', '세일', '마켓'])[1 + n / 8 % 4] || '특가 '
                || (array[
                    '로봇청소기', '분유', '물티슈', 'LED 스탠드', '캠핑의자', '원두', '선크림', '기저귀',
                    '풀빌라', 'Organic Soap'
                ])[1 + n / 32 % 10]
                || case when n % 20000 = 0 then ' 희귀템' else '' end,
            '일주일만 엽니다. 새벽 배송. 육아 필수품.', 10000 + n * 7919::bigint % 90000,
            5000 + n % 5000, made_at + n % 7 * interval '1 day',
            made_at + (n % 7 + 3 + n % 11) * interval '1 day', made_at,
            'https://shop.example/items/' || n
        from (
            select n, now() - (\(gonggus) - n) * interval '4 minutes' as made_at
            from generate_series(1, \(gonggus)) n
        ) numbered;

        insert into gonggu_categories (gonggu_id, category_id)
        select volume_id('2', n), volume_id('1', 1 + n::bigint * n % 40)
        from generate_series(1, \(gonggus)) n
        union all
        select volume_id('2', n * 40000), volume_id('1', 30)
        from generate_series(1, 5) n
        on conflict do nothing;

        update gonggu_click_totals
        set clicks = ('x' || substr(md5(gonggu_id::text), 1, 4))::bit(16)::int;
        update gonggus set hidden_at = now() where short_code like '%77';
        update gonggus set suspended_at = now() where short_code like '%33';

        -- What the texts above have in common is folded once; SearchText would make the same of
        -- them, and takes its time in a debug build.
        truncate search_pending;
        with folded as (
            select 1 as kind, id, created_at, lower(title) as title,
                trim(lower(replace(description, '.', ''))) as body
            from gonggus
            where hidden_at is null and suspended_at is null
            union all
            select 2, u.id, p.created_at, u.nickname, trim(lower(replace(p.bio, '.', '')))
            from users u
            join influencer_profiles p on p.user_id = u.id
        ),
        stems as (
            select kind, id, created_at, title, body, rtrim(title, '0123456789') as stem
            from folded
        ),
        texts as materialized (
            select stem, body, array_agg(distinct gram) as grams
            from (select distinct stem, body from stems) t,
                lateral (
                    select substr(run, i, 2) as gram
                    from regexp_split_to_table(t.stem || ' ' || t.body, ' +') run,
                        generate_series(1, length(run) - 1) i
                    union all
                    select '^' || left(run, 1)
                    from regexp_split_to_table(t.stem, ' +') run
                ) g
            group by stem, body
        )
        insert into search_entries (kind, id, created_at, title, body, grams)
        select s.kind, s.id, s.created_at, s.title, s.body, t.grams || ('#' || s.kind)
        from stems s
        join texts t using (stem, body);
        """
}
