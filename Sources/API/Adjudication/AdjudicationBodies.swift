import Clicks

// What goes over the wire about flags and adjudications.

/// Why a person decides so.
struct DecisionBody: Sendable {
    let reason: String

    static let schema = Schema<DecisionBody>(
        "DecisionBody",
        [
            Field(
                "reason", .prose(1...1000), about: Wording("결정 이유", "Why"),
                example: "지하철 와이파이 주소로 확인됨")
        ],
        read: { DecisionBody(reason: $0["reason"]) })
}

/// A flag, and what its newest decision changed or has changed so far.
struct DecisionAnswer: Sendable {
    let flag: ClickFlag
    /// Nil while nobody has decided.
    let run: DecisionRun?

    static let schema = Schema<DecisionAnswer>(
        "FlagDecision",
        [
            Field("flag", ClickFlag.schema, \.flag),
            Field(
                "state", Schema<RunState>.oneOf(RunState.self).orNull, { $0.run?.state },
                about: Wording(
                    "결정의 반영 상태. 클릭이 많으면 finished가 될 때까지 나누어 반영된다. 결정 전이면 null",
                    "How far the decision is applied: page by page where clicks are many, until it "
                        + "is finished; null before any")),
            Field(
                "changed", .count, { $0.run?.changes ?? 0 },
                about: Wording("판정이 바뀐 클릭", "Clicks whose verdict changed so far")),
            Field(
                "rows", .count, { $0.run?.rows ?? 0 },
                about: Wording("살펴본 기록", "Rows of the ledger looked at so far")),
            Field(
                "failure", .verbatim(example: ""), { $0.run?.failure ?? "" },
                about: Wording(
                    "반영하지 못한 이유. 그 기간의 다음 판정이 반영한다",
                    "Why it failed; the period's next adjudication applies it")),
        ])
}

/// What to judge again, and by what.
struct RunBody: Sendable {
    let from: KoreanDay
    let to: KoreanDay
    let ruleSet: String

    static let schema = Schema<RunBody>(
        "AdjudicationBody",
        [
            Field("from", .day, about: Wording("첫날(한국 시간)", "The first day, in Korea")),
            Field(
                "to", .day, about: Wording("마지막 날. 오늘이면 지금까지", "The last day; of today, until now")
            ),
            Field("rule_set", AdjudicationRules.nameValue),
        ],
        read: { RunBody(from: $0["from"], to: $0["to"], ruleSet: $0["rule_set"]) })
}

/// A run as it stands.
struct RunAnswer: Sendable {
    let run: AdjudicationRun

    static let schema = Schema<RunAnswer>("Adjudication", fields { $0.run })

    /// The same in each answer that has a run.
    static func fields<Value>(
        _ run: @escaping @Sendable (Value) -> AdjudicationRun
    ) -> [Field<Value>] {
        [
            Field("id", .identifier, { run($0).id }),
            Field("from", .time, { run($0).from }),
            Field(
                "to", .time, { run($0).to }, about: Wording("포함하지 않음", "Not included")),
            Field("rule_set", AdjudicationRules.nameValue, { run($0).ruleSet }),
            Field("state", .oneOf(RunState.self), { run($0).state }),
            Field("failure", .verbatim(example: ""), { run($0).failure }),
            Field("requested_at", .time, { run($0).requestedAt }),
            Field(
                "finished_at", Schema<Timestamp>.time.orNull, { run($0).finishedAt }),
            Field("rows", .count, { run($0).rows }),
            Field("clicks", .count, { run($0).clicks }),
            Field("changes", .count, { run($0).changes }),
        ]
    }
}

/// A run with its difference report.
struct RunDetail: Sendable {
    let run: AdjudicationRun
    let report: AdjudicationReport

    static let schema = Schema<RunDetail>(
        "AdjudicationReport",
        RunAnswer.fields { $0.run } + [
            Field("moves", AdjudicationReport.Move.schema.list(0...100), \.report.moves),
            Field(
                "gonggus",
                AdjudicationReport.GongguChange.schema.list(0...AdjudicationReport.gonggusMax),
                \.report.gonggus),
        ])
}

/// The latest runs.
struct RunList: Sendable {
    static let countMax = 50
    let items: [RunAnswer]

    static let schema = Schema<RunList>(
        "AdjudicationList", [Field("items", RunAnswer.schema.list(0...countMax), \.items)])
}

/// Every rule set.
struct RuleSetList: Sendable {
    let items: [AdjudicationRules]

    static let schema = Schema<RuleSetList>(
        "RuleSetList", [Field("items", AdjudicationRules.schema.list(0...1000), \.items)])
}
