import Linux

// The form of an upload while it comes in: its file goes to a file in memory, its purpose is kept,
// any other part is refused. Bounds are checked as bytes come, not afterwards.

/// What an image is for, which decides how large its file may be.
package enum ImagePurpose: String, CaseIterable, Sendable {
    case image
    case banner

    /// Of the file as it is sent.
    var bytesMax: Int {
        switch self {
        case .image: 5 * 1024 * 1024
        case .banner: 10 * 1024 * 1024
        }
    }
}

/// The four formats, told by their first bytes and never by a name or a declared type.
package enum ImageFormat: String, CaseIterable, Sendable {
    case jpeg, png, webp, gif

    /// What a browser sends with it; nobody relies on it.
    var mediaType: String { "image/\(rawValue)" }

    /// So many bytes tell them apart.
    static let signatureBytes = 12

    init?(signature: [UInt8]) {
        if signature.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if signature.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if signature.starts(with: "RIFF".utf8),
            signature.dropFirst(8).elementsEqual("WEBP".utf8)
        {
            self = .webp
        } else if signature.starts(with: "GIF87a".utf8) || signature.starts(with: "GIF89a".utf8) {
            self = .gif
        } else {
            return nil
        }
    }
}

/// Gathers one upload. What it throws is ``UploadRefusal``, ``MultipartFault`` or, where the
/// machine has no memory left, a `SystemError`.
struct UploadForm {
    /// A form that came in whole and is to be looked at.
    struct Received: Sendable {
        let file: MemoryFile
        let purpose: ImagePurpose
        let bytes: Int
    }

    /// Longer values are no purpose of ours.
    private static let purposeBytesMax = 64
    /// The largest file, the other parts and the delimiters.
    static let bodyBytesMax = ImagePurpose.banner.bytesMax + 64 * 1024

    /// Its parts, by their names in the form.
    private enum Part: String {
        case file, purpose
    }

    /// The form as the document shows it. The example's file is a GIF of one pixel, which happens
    /// to be text, so that it can stand in JSON and be sent as it is.
    static let shape = Shape(
        .object(
            ObjectShape(
                name: "UploadForm",
                members: [
                    MemberShape(
                        name: Part.file.rawValue,
                        shape: Shape(
                            .file(mediaTypes: ImageFormat.allCases.map(\.mediaType)),
                            example: .text(smallestGIF),
                            about: Wording(
                                "jpg·png·webp·gif 한 장: image는 5MB, banner는 10MB까지",
                                "A JPEG, PNG, WebP or GIF of up to 5 MB, a banner of up to 10 MB")),
                        isRequired: true),
                    MemberShape(
                        name: Part.purpose.rawValue,
                        shape: Schema.oneOf(ImagePurpose.self)
                            .described(Wording("없으면 image", "Image if it is left out")).shape,
                        isRequired: false),
                ], isClosed: true)),
        example: .object([
            .init(Part.file.rawValue, .text(smallestGIF)),
            .init(Part.purpose.rawValue, .text(ImagePurpose.image.rawValue)),
        ]))
    private static let smallestGIF =
        "GIF89a\u{1}\0\u{1}\0\0\0\0,\0\0\0\0\u{1}\0\u{1}\0\0\u{2}\u{2}D\u{1}\0;"

    private var parser: MultipartParser
    /// The one that is coming in; nil between parts.
    private var part: Part?
    private var file: MemoryFile?
    private var fileBytes = 0
    private var signature: [UInt8] = []
    private var purposeText: [UInt8]?
    private var bodyBytes = 0

    init(contentType: String) throws(MultipartFault) {
        parser = MultipartParser(boundary: try MultipartParser.boundary(of: contentType))
    }

    /// The next bytes of the body.
    mutating func consume(_ bytes: UnsafeRawBufferPointer) throws {
        bodyBytes += bytes.count
        guard bodyBytes <= UploadForm.bodyBytesMax else { throw UploadRefusal.fileTooLarge }
        var parser = self.parser
        defer { self.parser = parser }
        try parser.consume(bytes) { try take($0) }
    }

    /// The body is over.
    mutating func finish() throws -> Received {
        try parser.finish()
        guard let file else { throw UploadRefusal.fileMissing }
        guard let purpose = purpose() else { throw UploadRefusal.purposeUnknown }
        guard fileBytes <= purpose.bytesMax else { throw UploadRefusal.fileTooLarge }
        guard ImageFormat(signature: signature) != nil else { throw UploadRefusal.formatUnknown }
        return Received(file: file, purpose: purpose, bytes: fileBytes)
    }

    /// Nil for a text that is none.
    private func purpose() -> ImagePurpose? {
        guard let purposeText else { return .image }
        return String(validating: purposeText, as: UTF8.self).flatMap(ImagePurpose.init(rawValue:))
    }

    private mutating func take(_ event: MultipartParser.Event) throws {
        switch event {
        case .part(let head): try begin(head)
        case .content(let bytes): try add(bytes)
        case .partEnded: part = nil
        }
    }

    private mutating func begin(_ head: PartHead) throws {
        part = Part(rawValue: head.name)
        switch part {
        case .file:
            guard file == nil else { throw UploadRefusal.partRepeated(head.name) }
            file = try MemoryFile(name: "upload")
        case .purpose:
            guard purposeText == nil else { throw UploadRefusal.partRepeated(head.name) }
            purposeText = []
        case nil: throw UploadRefusal.partUnknown(head.name)
        }
    }

    private mutating func add(_ bytes: UnsafeRawBufferPointer) throws {
        switch part {
        case .file:
            fileBytes += bytes.count
            // Until its purpose is known it may be the larger one.
            let bytesMax = purposeText == nil ? ImagePurpose.banner.bytesMax : purpose()?.bytesMax
            guard let bytesMax else { throw UploadRefusal.purposeUnknown }
            guard fileBytes <= bytesMax else { throw UploadRefusal.fileTooLarge }
            signature += bytes.prefix(ImageFormat.signatureBytes - signature.count)
            if signature.count == ImageFormat.signatureBytes {
                // What is no image is not taken in to its end.
                guard ImageFormat(signature: signature) != nil else {
                    throw UploadRefusal.formatUnknown
                }
            }
            try file?.append(bytes)
        case .purpose:
            purposeText? += bytes.prefix(UploadForm.purposeBytesMax)
            guard (purposeText?.count ?? 0) <= UploadForm.purposeBytesMax else {
                throw UploadRefusal.purposeUnknown
            }
        case nil: preconditionFailure("content comes within a part")
        }
    }
}
