/// One step of the schema: a file in Migrations/, applied once, in a transaction of its own, and
/// never edited after that.
package struct Migration: Sendable {
    /// 1, 2, 3, … without a gap.
    package let version: Int
    package let name: String
    package let sql: String

    package init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }

    private init(_ version: Int, _ name: String, _ sql: [UInt8]) {
        self.init(version: version, name: name, sql: String(decoding: sql, as: UTF8.self))
    }

    /// Every migration this build knows, in order. The files are part of the binary.
    package static let all: [Migration] = [
        Migration(1, "accounts", PackageResources.m0001_accounts_sql),
        Migration(2, "gonggus", PackageResources.m0002_gonggus_sql),
        Migration(3, "clicks", PackageResources.m0003_clicks_sql),
        Migration(4, "click_stats", PackageResources.m0004_click_stats_sql),
        Migration(5, "click_enrichment", PackageResources.m0005_click_enrichment_sql),
        Migration(6, "click_keeping", PackageResources.m0006_click_keeping_sql),
        Migration(7, "packed_statistics", PackageResources.m0007_packed_statistics_sql),
        Migration(8, "links", PackageResources.m0008_links_sql),
        Migration(9, "adjudication", PackageResources.m0009_adjudication_sql),
        Migration(10, "settlement", PackageResources.m0010_settlement_sql),
        Migration(11, "payees", PackageResources.m0011_payees_sql),
        Migration(12, "following", PackageResources.m0012_following_sql),
        Migration(13, "audit", PackageResources.m0013_audit_sql),
        Migration(14, "market", PackageResources.m0014_market_sql),
        Migration(15, "kept_answers", PackageResources.m0015_kept_answers_sql),
        Migration(16, "uploads", PackageResources.m0016_uploads_sql),
        Migration(17, "social_identities", PackageResources.m0017_social_identities_sql),
        Migration(18, "account_life", PackageResources.m0018_account_life_sql),
        Migration(19, "lists_and_search", PackageResources.m0019_lists_and_search_sql),
        Migration(20, "decision_runs", PackageResources.m0020_decision_runs_sql),
        Migration(21, "bounds", PackageResources.m0021_bounds_sql),
        Migration(22, "dictionary_hash", PackageResources.m0022_dictionary_hash_sql),
        Migration(23, "rule_set_3", PackageResources.m0023_rule_set_3_sql),
        Migration(
            24, "unpaid_and_unsettled", PackageResources.m0024_unpaid_and_unsettled_sql),
    ]
}

/// The database and this build do not belong together; the sentence says what to do.
package struct SchemaError: Error, Equatable, CustomStringConvertible {
    package let description: String
}
