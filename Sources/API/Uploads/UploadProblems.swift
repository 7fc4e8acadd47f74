import Hummingbird

// What can be wrong with an upload, by whose fault.

/// The client's mistakes.
enum UploadRefusal: Refusal, Equatable {
    case formMalformed
    case fileMissing
    case partRepeated(String)
    case partUnknown(String)
    case purposeUnknown
    case fileTooLarge
    case formatUnknown
    case unreadable
    case tooManyPixels
    case tooMany(retryAfterSeconds: Int)
    case tooSlow

    var problem: Problem {
        switch self {
        case .formMalformed: Problem(.formMalformed)
        case .fileMissing: Problem(.fieldsInvalid, faults: [.missing("file")])
        case .partRepeated(let name): Problem(.fieldsInvalid, faults: [.repeated(name)])
        case .partUnknown(let name): Problem(.fieldsInvalid, faults: [.unknown(name)])
        case .purposeUnknown:
            Problem(
                .fieldsInvalid,
                faults: [.notListed(ImagePurpose.allCases.map(\.rawValue), "purpose")])
        case .fileTooLarge: Problem(.fileTooLarge)
        case .formatUnknown: .ofFile(.imageFormatUnknown)
        case .unreadable: .ofFile(.imageUnreadable)
        case .tooManyPixels: .ofFile(.imageTooManyPixels)
        case .tooMany(let seconds):
            Problem(.uploadsTooMany, headers: [.retryAfter: "\(seconds)"])
        case .tooSlow: Problem(.uploadTooSlow)
        }
    }
}

extension Problem {
    /// With the file as the field to blame.
    fileprivate static func ofFile(_ code: ProblemCode) -> Problem {
        let (korean, english) = (code.detail.korean, code.detail.english)
        return Problem(code, faults: [Fault("file", code.name, korean, english)])
    }
}

/// What keeps this server from taking an image that may be a good one: worth another try.
enum UploadOutage: Refusal {
    /// The program that makes images is not there or could not be started.
    case programMissing
    /// It was killed, or did not end in time.
    case programKilled
    case queueFull
    /// The folder or the bucket did not take it.
    case storeAway

    var problem: Problem {
        switch self {
        case .programMissing: Problem(.imagesUnavailable, headers: [.retryAfter: "60"])
        case .programKilled: Problem(.unavailable, headers: [.retryAfter: "5"])
        case .queueFull: Problem(.unavailable, headers: [.retryAfter: "3"])
        case .storeAway: Problem(.imageStoreUnavailable, headers: [.retryAfter: "10"])
        }
    }
}

extension ProblemCode {
    static let formMalformed = ProblemCode(
        "FORM_MALFORMED", .badRequest, "multipart/form-data 형식이 올바르지 않습니다",
        "The body is not well-formed multipart/form-data")
    static let fileTooLarge = ProblemCode(
        "FILE_TOO_LARGE", .contentTooLarge, "파일이 너무 큽니다. 이미지는 5MB, 배너는 10MB까지 올릴 수 있습니다",
        "The file is too large: images have up to 5 MB, banners up to 10 MB")
    static let imageFormatUnknown = ProblemCode(
        "IMAGE_FORMAT_UNKNOWN", .unprocessableContent, "jpg, png, webp, gif 이미지만 올릴 수 있습니다",
        "The file is no JPEG, PNG, WebP or GIF image, whatever it is called")
    static let imageUnreadable = ProblemCode(
        "IMAGE_UNREADABLE", .unprocessableContent, "이미지가 손상되었거나 끝까지 전송되지 않았습니다",
        "The image is damaged or was cut off")
    static let imageTooManyPixels = ProblemCode(
        "IMAGE_TOO_MANY_PIXELS", .unprocessableContent,
        "이미지가 너무 큽니다. 모든 프레임을 더해 5천만 화소까지 올릴 수 있습니다",
        "The image has more than 50 megapixels, all its frames taken together")
    static let uploadsTooMany = ProblemCode(
        "UPLOADS_TOO_MANY", .tooManyRequests, "이미지를 너무 많이 올렸습니다. 잠시 후 다시 시도해 주세요",
        "You have uploaded too many images. Please try again later")
    static let uploadTooSlow = ProblemCode(
        "UPLOAD_TOO_SLOW", .requestTimeout, "업로드 시간이 초과되었습니다", "The upload took too long")
    static let imagesUnavailable = ProblemCode(
        "IMAGES_UNAVAILABLE", .serviceUnavailable, "지금은 이미지를 올릴 수 없습니다. 관리자에게 문의해 주세요",
        "This server cannot process images: its operator finds the reason in the log")
    static let imageStoreUnavailable = ProblemCode(
        "IMAGE_STORE_UNAVAILABLE", .serviceUnavailable, "이미지 저장소를 이용할 수 없습니다. 잠시 후 다시 시도해 주세요",
        "The image store is not available. Please try again later")
    static let imageNotFound = ProblemCode(
        "IMAGE_NOT_FOUND", .notFound, "이미지를 찾을 수 없습니다", "There is no such image")

    /// All that an upload can be answered with besides what every route can.
    static let uploads: [ProblemCode] = [
        .formMalformed, .fieldsInvalid, .fileTooLarge, .imageFormatUnknown, .imageUnreadable,
        .imageTooManyPixels, .uploadsTooMany, .uploadTooSlow, .imagesUnavailable,
        .imageStoreUnavailable,
    ]
}
