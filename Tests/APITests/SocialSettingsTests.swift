import Settings
import Testing
import TestSupport

@testable import API

@Suite struct SocialSettingsTests {
    private func read(
        _ environment: [String: String]
    ) -> (settings: SocialSettings, faults: Set<String>) {
        var reader = SettingsReader(environment: environment)
        let settings = SocialSettings(reading: &reader)
        do throws(SettingsFaults) {
            try reader.finish()
            return (settings, [])
        } catch {
            return (settings, Set(error.faults.map(\.name)))
        }
    }

    @Test func `without settings every provider is off, with them each is where it lives`() {
        let none = read([:])
        #expect(none.faults.isEmpty && none.settings.kakao == nil && none.settings.google == nil)
        let some = read([
            "SOCIAL_REDIRECT_URIS": "https://a.example/back,kakao1://oauth",
            "KAKAO_CLIENT_ID": "k", "NAVER_CLIENT_ID": "n", "NAVER_CLIENT_SECRET": "s",
            "GOOGLE_CLIENT_ID": "g", "GOOGLE_CLIENT_SECRET": "s",
        ])
        #expect(some.faults.isEmpty)
        #expect(some.settings.redirectURIs == ["https://a.example/back", "kakao1://oauth"])
        #expect(some.settings.kakao?.loginURL == "https://kauth.kakao.com")
        #expect(some.settings.kakao?.apiURL == "https://kapi.kakao.com")
        #expect(some.settings.naver?.loginURL == "https://nid.naver.com")
        #expect(some.settings.naver?.apiURL == "https://openapi.naver.com")
        #expect(some.settings.google?.issuer == "https://accounts.google.com")
        #expect(
            some.settings.google?.issuerNames
                == ["accounts.google.com", "https://accounts.google.com"])
        #expect(some.settings.apple == nil)
    }

    @Test func `half of a provider's settings is a fault`() {
        let back = ["SOCIAL_REDIRECT_URIS": "https://a.example/back"]
        for (given, fault) in [
            (["KAKAO_CLIENT_SECRET": "s"], "KAKAO_CLIENT_ID"),
            (["NAVER_CLIENT_ID": "n"], "NAVER_CLIENT_SECRET"),
            (["GOOGLE_CLIENT_SECRET": "s"], "GOOGLE_CLIENT_ID"),
        ] {
            #expect(read(back.merging(given) { $1 }).faults == [fault])
        }
        let apple = read(back.merging(["APPLE_CLIENT_ID": "a", "APPLE_KEY_ID": "k"]) { $1 })
        #expect(apple.faults == ["APPLE_TEAM_ID", "APPLE_PRIVATE_KEY"])
        let key = read(
            back.merging([
                "APPLE_CLIENT_ID": "a", "APPLE_KEY_ID": "k", "APPLE_TEAM_ID": "t",
                "APPLE_PRIVATE_KEY": "no key",
            ]) { $1 })
        #expect(key.faults == ["APPLE_PRIVATE_KEY"])
    }

    @Test func `a provider without a page to come back to, or in the clear, is a fault`() {
        #expect(read(["KAKAO_CLIENT_ID": "k"]).faults == ["SOCIAL_REDIRECT_URIS"])
        let clear = read([
            "SOCIAL_REDIRECT_URIS": "https://a.example/back", "KAKAO_CLIENT_ID": "k",
            "KAKAO_BASE_URL": "http://kakao.example",
        ])
        #expect(clear.faults == ["KAKAO_BASE_URL"])
        let relative = read(["SOCIAL_REDIRECT_URIS": "/back", "KAKAO_CLIENT_ID": "k"])
        #expect(relative.faults == ["SOCIAL_REDIRECT_URIS"])
    }
}
