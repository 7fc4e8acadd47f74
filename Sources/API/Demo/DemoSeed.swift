import Clicks
import Postgres

// Something to look at and to click on: a few accounts, categories and gonggus. Running it again
// moves the gonggus' times along with the clock and gives the accounts the passwords it prints.

/// A gonggu of the demo, its times in hours from now.
struct DemoGonggu: Sendable {
    let id: Identifier
    let title: String
    let description: String
    let originalPrice: Int
    let gongguPrice: Int
    let opensInHours: Int
    let closesInHours: Int
    let externalURL: String
    /// Names of ``DemoSeed/categories``' children.
    let categories: [String]

    init(
        _ number: UInt64, _ title: String, _ description: String, prices: (Int, Int),
        hours: (Int, Int), url: String, categories: [String]
    ) {
        // Fixed identifiers, so that a second run finds them; RFC 9562's version 8 is for such.
        id = Identifier(high: 0x676F_6E67_6775_8000, low: 0x8000_0000_0000_0000 | number)
        self.title = title
        self.description = description
        (originalPrice, gongguPrice) = prices
        (opensInHours, closesInHours) = hours
        externalURL = url
        self.categories = categories
    }
}

/// The demo data, and the run that writes it.
package struct DemoSeed: Sendable {
    /// Why nothing was written.
    package struct Occupied: Error, CustomStringConvertible {
        let users: Int
        package var description: String {
            "the database has \(users) accounts that are not the demo's; "
                + "--force adds the demo to them"
        }
    }

    package static let influencerEmail = "influencer@demo.example"
    package static let buyerEmail = "buyer@demo.example"
    package static let adminEmail = "admin@demo.example"

    static let categories: [(group: String, children: [String])] = [
        ("기혼/가정", ["육아/키즈", "주방/생활", "가전/디지털"]),
        ("싱글/자취", ["간편식", "홈카페", "인테리어"]),
        ("뷰티/패션", ["스킨케어", "의류", "잡화"]),
    ]

    static let gonggus = [
        DemoGonggu(
            1, "로봇청소기 공구", "물걸레까지 한 번에. 일주일만 엽니다.", prices: (299_000, 199_000),
            hours: (-24, 168), url: "https://shop.example/items/robot-cleaner?color=white",
            categories: ["가전/디지털"]),
        DemoGonggu(
            2, "유기농 이유식 4주 세트", "매주 새벽 배송.", prices: (128_000, 96_000), hours: (-48, 12),
            url: "https://babyfood.example/sets/4weeks", categories: ["육아/키즈", "간편식"]),
        DemoGonggu(
            3, "핸드드립 원두 1kg", "주문 후 로스팅.", prices: (42_000, 29_900), hours: (-1, 240),
            url: "https://coffee.example/beans/1kg#detail", categories: ["홈카페"]),
        DemoGonggu(
            4, "비건 선크림 2+1", "이틀 뒤에 엽니다.", prices: (54_000, 36_000), hours: (48, 216),
            url: "https://beauty.example/sun/2plus1", categories: ["스킨케어"]),
        DemoGonggu(
            5, "봄 리넨 셔츠", "마감되었습니다.", prices: (69_000, 49_000), hours: (-240, -24),
            url: "https://wear.example/linen-shirt", categories: ["의류"]),
    ]

    /// What was written, as `seed-demo` prints it.
    package struct Outcome: Sendable {
        package let activeID: Identifier
        package let activeCode: String
        package let scheduledID: Identifier
        package let closedID: Identifier
        package let password: String

        /// One `name=value` a line, for scripts.
        package var lines: [String] {
            [
                "demo_gonggu_id=\(activeID)", "demo_gonggu_code=\(activeCode)",
                "demo_scheduled_gonggu_id=\(scheduledID)", "demo_closed_gonggu_id=\(closedID)",
                "demo_influencer_email=\(DemoSeed.influencerEmail)",
                "demo_influencer_password=\(password)",
                "demo_buyer_email=\(DemoSeed.buyerEmail)", "demo_buyer_password=\(password)",
                "demo_admin_email=\(DemoSeed.adminEmail)", "demo_admin_password=\(password)",
            ]
        }
    }

    /// Writes everything in one transaction.
    ///
    /// - Parameters:
    ///   - passwordHash: of `password`, for all three accounts.
    ///   - isForced: also where there are accounts that are not the demo's.
    package static func run(
        password: String, passwordHash: String, isForced: Bool, in connection: Connection
    ) throws -> Outcome {
        try connection.transaction { connection in
            let others = try DemoQueries.others(in: connection)
            guard others == 0 || isForced else { throw Occupied(users: others) }
            let influencer = try DemoQueries.upsert(
                email: influencerEmail, passwordHash: passwordHash, nickname: "데모 인플루언서",
                role: .influencer, in: connection)
            try DemoQueries.upsertProfile(
                of: influencer, bio: "둘러보기용 계정입니다.", in: connection)
            _ = try DemoQueries.upsert(
                email: buyerEmail, passwordHash: passwordHash, nickname: "데모 구매자", role: .buyer,
                in: connection)
            _ = try DemoQueries.upsert(
                email: adminEmail, passwordHash: passwordHash, nickname: "데모 관리자", role: .admin,
                in: connection)
            let categories = try seedCategories(in: connection)
            let codes = try gonggus.map { gonggu in
                let code = try DemoQueries.upsert(gonggu, of: influencer, in: connection)
                try GongguQueries.setCategories(
                    gonggu.categories.compactMap { categories[$0] }, of: gonggu.id, in: connection)
                return code
            }
            return Outcome(
                activeID: gonggus[0].id, activeCode: codes[0], scheduledID: gonggus[3].id,
                closedID: gonggus[4].id, password: password)
        }
    }

    private static func seedCategories(
        in connection: Connection
    ) throws -> [String: Identifier] {
        var ids: [String: Identifier] = [:]
        for (groupIndex, entry) in categories.enumerated() {
            let group = try DemoQueries.upsertCategory(
                entry.group, below: nil, sortOrder: groupIndex, in: connection)
            for (index, name) in entry.children.enumerated() {
                ids[name] = try DemoQueries.upsertCategory(
                    name, below: group, sortOrder: index, in: connection)
            }
        }
        return ids
    }
}
