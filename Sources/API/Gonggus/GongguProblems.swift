// What the refusals of gonggus look like to a client.

extension ProblemCode {
    static let gongguNotFound = ProblemCode(
        "GONGGU_NOT_FOUND", .notFound, "공구를 찾을 수 없습니다", "There is no such gonggu")
    static let notOwner = ProblemCode(
        "NOT_OWNER", .forbidden, "본인의 공구가 아닙니다", "This gonggu belongs to someone else")
    static let influencerNotVerified = ProblemCode(
        "INFLUENCER_NOT_VERIFIED", .forbidden, "심사를 통과한 인플루언서만 공구를 등록할 수 있습니다",
        "Only verified influencers may make gonggus")
}

extension GongguRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .notFound: Problem(.gongguNotFound)
        case .notOwner: Problem(.notOwner)
        case .notVerified: Problem(.influencerNotVerified)
        case .fieldsInvalid(let faults):
            Problem(.fieldsInvalid, faults: faults.map(\.fault))
        }
    }
}

extension GongguFault {
    fileprivate var fault: Fault {
        switch self {
        case .titleBlank:
            Fault("title", "EMPTY", "비워 둘 수 없습니다", "This must not be empty")
        case .priceAboveOriginal:
            Fault(
                "gonggu_price", "ABOVE_ORIGINAL_PRICE", "정가보다 클 수 없습니다",
                "This must not exceed original_price")
        case .closesBeforeOpening:
            Fault(
                "close_at", "NOT_AFTER_OPEN_AT", "오픈 일시보다 늦어야 합니다", "This must be after open_at")
        case .tooLong:
            Fault(
                "close_at", "TOO_LATE", "오픈 후 \(GongguRules.openDaysMax)일 이내여야 합니다",
                "This must be within \(GongguRules.openDaysMax) days of open_at")
        case .externalURL(let fault):
            fault.fault(in: "external_url", bytesMax: ExternalURL.bytesMax)
        case .thumbnail(let fault):
            fault.fault(in: "thumbnail", bytesMax: GongguRules.thumbnailBytesMax)
        case .categoryRepeated:
            Fault(
                "category_ids", "REPEATED", "같은 카테고리를 두 번 지정할 수 없습니다",
                "Name a category only once")
        case .categoryUnknown:
            Fault("category_ids", "UNKNOWN", "없는 카테고리입니다", "There is no such category")
        }
    }
}

extension ExternalURL.Fault {
    /// What a client is told of the field.
    func fault(in field: String, bytesMax: Int) -> Fault {
        switch self {
        case .tooLong:
            Fault(
                field, "TOO_LONG", "\(bytesMax)바이트 이하여야 합니다", "Use at most \(bytesMax) bytes")
        case .characterForbidden:
            Fault(
                field, "CHARACTER_FORBIDDEN", "공백, 제어 문자, 역슬래시는 쓸 수 없습니다",
                "Blanks, control characters and backslashes are not allowed")
        case .schemeNotHTTP:
            Fault(
                field, "SCHEME", "http:// 또는 https:// 로 시작해야 합니다",
                "This must begin with http:// or https://")
        case .credentials:
            Fault(
                field, "CREDENTIALS", "주소에 로그인 정보를 넣을 수 없습니다",
                "Credentials in the address are not allowed")
        case .hostMissing:
            Fault(field, "HOST_MISSING", "호스트가 없습니다", "The address has no host")
        case .hostMalformed:
            Fault(
                field, "HOST_MALFORMED", "호스트가 올바르지 않습니다. 한글 도메인은 xn-- 형식으로 적어 주세요",
                "The host is malformed; write an international domain in its xn-- form")
        case .portInvalid:
            Fault(field, "PORT", "포트가 올바르지 않습니다", "The port is not valid")
        case .addressNotPublic, .nameNotPublic:
            Fault(
                field, "HOST_NOT_PUBLIC", "인터넷에서 접속할 수 있는 호스트여야 합니다",
                "The host must be reachable on the public internet")
        case .leadsBack:
            Fault(
                field, "LEADS_BACK", "공구모아의 링크로 다시 연결할 수 없습니다",
                "This must not lead back to our own links")
        }
    }
}
