// What the refusals of influencers and verifications look like to a client.

extension ProblemCode {
    static let influencerNotFound = ProblemCode(
        "INFLUENCER_NOT_FOUND", .notFound, "인플루언서를 찾을 수 없습니다",
        "There is no such influencer")
    static let influencerProfileMissing = ProblemCode(
        "INFLUENCER_PROFILE_MISSING", .forbidden, "인플루언서 계정이 아닙니다",
        "This account has no influencer's profile")
    static let verificationNotFound = ProblemCode(
        "VERIFICATION_NOT_FOUND", .notFound, "심사 신청을 찾을 수 없습니다",
        "There is no such verification")
    static let alreadyVerified = ProblemCode(
        "ALREADY_VERIFIED", .conflict, "이미 심사를 통과했습니다", "You are verified already")
    static let verificationPending = ProblemCode(
        "VERIFICATION_PENDING", .conflict, "이미 심사 중인 신청이 있습니다",
        "There is an open request already")
    static let verificationTooOften = ProblemCode(
        "VERIFICATION_TOO_OFTEN", .tooManyRequests,
        "심사 신청은 \(VerificationRules.windowDays)일에 \(VerificationRules.requestsMax)번까지 할 수 있습니다",
        "At most \(VerificationRules.requestsMax) requests in \(VerificationRules.windowDays) days")
    static let verificationDecided = ProblemCode(
        "VERIFICATION_DECIDED", .conflict, "이미 결정된 신청입니다", "It was decided before")
}

extension InfluencerRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .notFound: Problem(.influencerNotFound)
        case .fieldsInvalid(let faults): Problem(.fieldsInvalid, faults: faults.map(\.fault))
        }
    }
}

extension VerificationRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .notFound: Problem(.verificationNotFound)
        case .notInfluencer: Problem(.influencerProfileMissing)
        case .alreadyVerified: Problem(.alreadyVerified)
        case .alreadyAsked: Problem(.verificationPending)
        case .tooOften: Problem(.verificationTooOften, headers: [.retryAfter: "86400"])
        case .alreadyDecided: Problem(.verificationDecided)
        case .fieldsInvalid(let faults): Problem(.fieldsInvalid, faults: faults.map(\.fault))
        }
    }
}

extension InfluencerFault {
    fileprivate var fault: Fault {
        switch self {
        case .link(let field, let fault):
            fault.fault(in: field, bytesMax: InfluencerRules.linkBytesMax)
        case .hostForeign(let field, let domain):
            Fault(
                field, "HOST_FOREIGN", "https://\(domain)의 주소여야 합니다",
                "Use an https address of \(domain)")
        case .messageBlank:
            Fault("message", "EMPTY", "비워 둘 수 없습니다", "This must not be empty")
        }
    }
}
