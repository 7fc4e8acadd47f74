import HTTPTypes
import Testing

@testable import API

@Suite struct HTTPLanguageTests {
    @Test(arguments: [
        (nil, Language.korean), ("", .korean), ("en", .english), ("en-US,en;q=0.9", .english),
        ("ko-KR,ko;q=0.9,en;q=0.8", .korean), ("en;q=0.9,ko", .korean), ("en,ko", .english),
        ("ko,en", .korean), ("fr", .korean), ("*", .korean), ("fr,en;q=0.1", .english),
        ("en;q=0", .korean), ("en;q=2", .korean), ("en;q=x", .korean), ("EN", .english),
        ("ko;q=0.2, en;q=0.3", .english), ("english", .korean), (";;,,en", .english),
    ])
    func `Korean is the default, English where the header prefers it`(
        header: String?, language: Language
    ) {
        #expect(Language(acceptLanguage: header) == language)
    }

    @Test func `every code speaks both languages and no name is used twice`() {
        let codes = jarTable().problemCodes
        #expect(Set(codes.map(\.name)).count == codes.count)
        #expect(Set(codes).isSuperset(of: ProblemCode.common + [.jarNotFound, .jarBroken]))
        for code in codes {
            #expect(code.detail.korean.contains { ("가"..."힣").contains($0) }, "\(code.name)")
            #expect(code.detail.english.allSatisfy { $0.isASCII }, "\(code.name)")
            #expect(!code.detail.english.isEmpty, "\(code.name)")
            #expect(code.name.allSatisfy { $0.isUppercase || $0 == "_" || $0.isNumber })
            #expect((400..<600).contains(code.status.code), "\(code.name)")
        }
    }
}
