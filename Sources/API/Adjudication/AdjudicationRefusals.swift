import Clicks

/// Why an adjudication, a decision or an appeal is refused.
package enum AdjudicationRefusal: Error, Equatable, Sendable {
    case runNotFound
    case flagNotFound
    case appealNotFound
    case ruleSetUnknown
    /// This build does not bring the lists that the rule set names.
    case ruleSetNotHere
    /// Another run over a part of the period is not finished.
    case underWay
    /// The flag was decided so already, and nothing has come since.
    case flagDecided
    case appealAnswered
    case endsBeforeBeginning
    case tooLong(daysMax: Int)
    /// The period has not begun.
    case notYet
    /// Nobody appeals against being paid.
    case nothingToAppeal
}

extension AdjudicationRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .runNotFound: Problem(.adjudicationNotFound)
        case .flagNotFound: Problem(.flagNotFound)
        case .appealNotFound: Problem(.appealNotFound)
        case .ruleSetUnknown:
            Problem(
                .fieldsInvalid,
                faults: [
                    Fault("rule_set", "UNKNOWN", "없는 규칙 집합입니다", "There is no such rule set")
                ])
        case .ruleSetNotHere: Problem(.ruleSetNotHere)
        case .underWay: Problem(.adjudicationUnderWay, headers: [.retryAfter: "5"])
        case .flagDecided: Problem(.flagDecided)
        case .appealAnswered: Problem(.appealAnswered)
        case .endsBeforeBeginning:
            Problem(
                .fieldsInvalid,
                faults: [
                    Fault(
                        "to", "BEFORE_FROM", "from보다 빠를 수 없습니다", "This must not be before from")
                ])
        case .tooLong(let daysMax):
            Problem(
                .fieldsInvalid,
                faults: [
                    Fault(
                        "to", "PERIOD_TOO_LONG", "기간은 \(daysMax)일 이내여야 합니다",
                        "Ask for at most \(daysMax) days")
                ])
        case .notYet:
            Problem(
                .fieldsInvalid,
                faults: [
                    Fault("from", "NOT_YET", "아직 오지 않은 기간입니다", "The period has not begun")
                ])
        case .nothingToAppeal: Problem(.nothingToAppeal)
        }
    }
}

extension ProblemCode {
    static let adjudicationNotFound = ProblemCode(
        "ADJUDICATION_NOT_FOUND", .notFound, "판정 작업을 찾을 수 없습니다",
        "There is no such adjudication")
    static let adjudicationUnderWay = ProblemCode(
        "ADJUDICATION_UNDER_WAY", .conflict, "같은 기간의 판정이 진행 중입니다",
        "An adjudication of that period is under way")
    static let ruleSetNotHere = ProblemCode(
        "RULE_SET_NOT_HERE", .conflict, "이 서버에는 그 규칙 집합의 목록이 없습니다. 이 서버의 규칙 집합으로 그 기간을 다시 판정해 주세요",
        "This server does not have the lists of that rule set; judge the period by one of its own")
    static let flagNotFound = ProblemCode(
        "FLAG_NOT_FOUND", .notFound, "경고를 찾을 수 없습니다", "There is no such flag")
    static let flagDecided = ProblemCode(
        "FLAG_DECIDED", .conflict, "이미 그렇게 결정된 경고입니다", "The flag was decided so already")
    static let appealNotFound = ProblemCode(
        "APPEAL_NOT_FOUND", .notFound, "이의 신청을 찾을 수 없습니다", "There is no such appeal")
    static let appealAnswered = ProblemCode(
        "APPEAL_ANSWERED", .conflict, "이미 답변된 이의 신청입니다", "The appeal was answered already")
    static let nothingToAppeal = ProblemCode(
        "NOTHING_TO_APPEAL", .conflict, "그 기간에 그런 클릭이 없습니다",
        "No clicks of that verdict are in the period")
}

/// Whole Korean days to judge, both included.
package struct AdjudicationPeriod: Equatable, Sendable {
    package let from: KoreanDay
    package let to: KoreanDay

    /// A leap year.
    package static let daysMax = 366

    package init(from: KoreanDay, to: KoreanDay) throws(AdjudicationRefusal) {
        guard from <= to else { throw .endsBeforeBeginning }
        guard to.daysSince1970 - from.daysSince1970 < Int32(AdjudicationPeriod.daysMax) else {
            throw .tooLong(daysMax: AdjudicationPeriod.daysMax)
        }
        self.from = from
        self.to = to
    }

    package var start: Timestamp { from.start }
    /// The first moment after the period.
    package var end: Timestamp { to.advanced(byDays: 1).start }
}
