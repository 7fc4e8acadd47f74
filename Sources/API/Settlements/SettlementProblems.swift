// What the refusals of rates, months and settlements look like to a client.

extension ProblemCode {
    static let settlementNotFound = ProblemCode(
        "SETTLEMENT_NOT_FOUND", .notFound, "정산을 찾을 수 없습니다", "There is no such settlement")
    static let lineNotFound = ProblemCode(
        "LINE_NOT_FOUND", .notFound, "정산 내역을 찾을 수 없습니다", "There is no such line")
    static let settlementNotOwner = ProblemCode(
        "SETTLEMENT_NOT_OWNER", .forbidden, "본인의 정산이 아닙니다",
        "This settlement belongs to someone else")
    static let monthNotOver = ProblemCode(
        "MONTH_NOT_OVER", .conflict, "아직 끝나지 않은 달입니다", "The month is not over")
    static let monthOutOfOrder = ProblemCode(
        "MONTH_OUT_OF_ORDER", .conflict, "앞선 달을 먼저 마감해야 합니다",
        "Months are closed one after the other: close the month before first")
    static let monthNotDrafted = ProblemCode(
        "MONTH_NOT_DRAFTED", .conflict, "정산 초안이 없습니다", "The month has no draft")
    static let monthClosed = ProblemCode(
        "MONTH_CLOSED", .conflict, "이미 마감된 달입니다. 정정은 다음 달에 반영됩니다",
        "The month is closed; what is found later is corrected in the next")
    static let monthNotClosed = ProblemCode(
        "MONTH_NOT_CLOSED", .conflict, "마감되지 않은 달입니다", "The month is not closed")
    static let monthNotAdjudicated = ProblemCode(
        "MONTH_NOT_ADJUDICATED", .conflict, "확정 판정이 끝나지 않은 날이 있습니다",
        "Some days have clicks that no finished adjudication has read")
    static let rateMissing = ProblemCode(
        "RATE_MISSING", .conflict, "단가가 없는 클릭이 있습니다", "Some clicks have no rate")
    static let samePerson = ProblemCode(
        "SAME_PERSON", .conflict, "다른 담당자가 처리해야 합니다", "Another person has to do this")
    static let draftOutdated = ProblemCode(
        "DRAFT_OUTDATED", .conflict, "초안이 바뀌었습니다. 다시 작성해 주세요",
        "The draft is not what was looked at; draft the month again")
    static let booksDisagree = ProblemCode(
        "BOOKS_DISAGREE", .conflict, "통계와 정산의 클릭 수가 다릅니다",
        "Statistics and settlement count different numbers of valid clicks")
    static let notHoldable = ProblemCode(
        "NOT_HOLDABLE", .conflict, "보류할 수 없는 상태입니다", "It cannot be held as it stands")
    static let notHeld = ProblemCode(
        "NOT_HELD", .conflict, "보류 중이 아닙니다", "It is not held")
    static let invoiceNotDue = ProblemCode(
        "INVOICE_NOT_DUE", .conflict, "세금계산서를 등록할 수 없는 상태입니다",
        "A tax invoice is taken for what is closed and not paid")
    static let lineHasNoClicks = ProblemCode(
        "LINE_HAS_NO_CLICKS", .conflict, "클릭이 없는 내역입니다", "The line is not of clicks")
}

extension SettlementRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .settlementNotFound: Problem(.settlementNotFound)
        case .lineNotFound: Problem(.lineNotFound)
        case .notOwner: Problem(.settlementNotOwner)
        case .monthNotOver: Problem(.monthNotOver)
        case .monthOutOfOrder: Problem(.monthOutOfOrder)
        case .monthNotDrafted: Problem(.monthNotDrafted)
        case .monthClosed: Problem(.monthClosed)
        case .monthNotClosed: Problem(.monthNotClosed)
        case .notAdjudicated(let day):
            Problem(
                .monthNotAdjudicated,
                faults: [
                    Fault(
                        "month", "DAY_NOT_ADJUDICATED", "\(day.text)부터 판정해 주세요",
                        "Adjudicate from \(day.text) on")
                ])
        case .rateMissing(let gonggu):
            Problem(
                .rateMissing,
                faults: [
                    Fault(
                        "month", "GONGGU_HAS_NO_RATE", "공구 \(gonggu)의 단가가 없습니다",
                        "Gonggu \(gonggu) has no rate")
                ])
        case .samePerson: Problem(.samePerson)
        case .draftOutdated: Problem(.draftOutdated)
        case .booksDisagree(let clicks):
            Problem(
                .booksDisagree,
                faults: [
                    Fault(
                        "month", "CLICKS_UNEXPLAINED", "\(clicks)개의 차이가 있습니다",
                        "They differ by \(clicks) clicks")
                ])
        case .notHoldable: Problem(.notHoldable)
        case .notHeld: Problem(.notHeld)
        case .lineWithoutClicks: Problem(.lineHasNoClicks)
        case .invoiceNotDue: Problem(.invoiceNotDue)
        case .paymentDayOut:
            Problem(
                .fieldsInvalid,
                faults: [
                    Fault(
                        "payment_date", "OUT_OF_RANGE", "정산월이 끝난 뒤, 오늘부터 31일 이내여야 합니다",
                        "This must be after the month and at most 31 days ahead")
                ])
        case .scopeUnknown:
            Problem(
                .fieldsInvalid,
                faults: [
                    Fault(
                        "gonggu_id", "UNKNOWN", "없는 공구나 인플루언서입니다",
                        "There is no such gonggu or influencer")
                ])
        case .scopeTwice:
            Problem(
                .fieldsInvalid,
                faults: [
                    Fault(
                        "influencer_id", "SCOPE_REPEATED", "공구와 인플루언서 중 하나만 지정해 주세요",
                        "Name a gonggu or an influencer, not both")
                ])
        case .rateRetroactive:
            Problem(
                .fieldsInvalid,
                faults: [
                    Fault(
                        "effective_from", "RETROACTIVE", "지난 클릭의 단가는 바꿀 수 없습니다. 내일부터 가능합니다",
                        "A rate never touches past clicks; tomorrow is the earliest")
                ])
        }
    }
}
