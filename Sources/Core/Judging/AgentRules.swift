// The table behind AgentTraits. Of the rules of one kind the first that is found decides, so the
// particular stand before the general: nearly every agent also says Chrome, Safari or Linux.

/// The beginning of a word of an agent, and what it says.
struct AgentRule: Sendable {
    enum Says: Sendable {
        case device(DeviceClass)
        case system(OperatingSystem)
        case browser(BrowserFamily)
        case app(InAppBrowser)
        /// A device for the hand, if nothing else tells.
        case mobile
        /// An app's view and not a browser.
        case view
    }

    /// Static, so that looking at a rule counts no reference.
    let word: StaticString
    let says: Says
    /// Its place in the table.
    var rank = 0

    init(_ word: StaticString, _ says: Says) {
        self.word = word
        self.says = says
    }

    var firstByte: UInt8 { word.utf8Start[0] }

    /// Whether the word stands at a place of an agent.
    func stands(at start: Int, in agent: UnsafeRawBufferPointer) -> Bool {
        guard agent.count - start >= word.utf8CodeUnitCount else { return false }
        for index in 0..<word.utf8CodeUnitCount
        where agent[start + index] != word.utf8Start[index] {
            return false
        }
        return true
    }
}

enum AgentRules {
    /// All of them, those that begin with the same byte together.
    static let all: [AgentRule] = (apps + browsers + systems + devices).enumerated()
        .map { rank, rule in
            var rule = rule
            rule.rank = rank
            return rule
        }
        .sorted { ($0.firstByte, $0.rank) < ($1.firstByte, $1.rank) }

    /// Where in `all` the rules of each byte begin, and the end after the last.
    static let starts: [Int] = (0...256).map { byte in
        all.firstIndex { Int($0.firstByte) >= byte } ?? all.count
    }

    private static let apps: [AgentRule] = [
        AgentRule("KAKAOTALK", .app(.kakaotalk)), AgentRule("KAKAOSTORY", .app(.kakaostory)),
        AgentRule("KakaoStory", .app(.kakaostory)), AgentRule("NaverCafe", .app(.navercafe)),
        AgentRule("NAVER(inapp; cafe", .app(.navercafe)), AgentRule("NAVER(inapp", .app(.naver)),
        AgentRule("NAVER/", .app(.naver)), AgentRule("BAND/", .app(.band)),
        AgentRule("Line/", .app(.line)), AgentRule("Barcelona", .app(.threads)),
        AgentRule("Instagram", .app(.instagram)), AgentRule("FBAN/Messenger", .app(.messenger)),
        AgentRule("FB_IAB/Orca", .app(.messenger)), AgentRule("FB_IAB/MESSENGER", .app(.messenger)),
        AgentRule("FBAN", .app(.facebook)), AgentRule("FBAV", .app(.facebook)),
        AgentRule("FB_IAB", .app(.facebook)), AgentRule("musical_ly", .app(.tiktok)),
        AgentRule("BytedanceWebview", .app(.tiktok)), AgentRule("TikTok", .app(.tiktok)),
        AgentRule("trill", .app(.tiktok)), AgentRule("Twitter for", .app(.twitter)),
        AgentRule("TwitterAndroid", .app(.twitter)), AgentRule("MicroMessenger", .app(.wechat)),
        AgentRule("DaumApps", .app(.daum)), AgentRule("DaumDevice", .app(.daum)),
        AgentRule("Snapchat", .app(.snapchat)), AgentRule("Pinterest/", .app(.pinterest)),
        AgentRule("LinkedInApp", .app(.linkedin)), AgentRule("everytimeApp", .app(.everytime)),
        AgentRule("Coupang", .app(.coupang)), AgentRule("coupang", .app(.coupang)),
        AgentRule("TossApp", .app(.toss)), AgentRule("toss/", .app(.toss)),
        AgentRule("Karrot", .app(.karrot)), AgentRule("karrot", .app(.karrot)),
        AgentRule("TowneersApp", .app(.karrot)), AgentRule("Telegram", .app(.telegram)),
        AgentRule("com.google.ios.youtube", .app(.youtube)),
        AgentRule("WhatsApp/", .app(.whatsapp)), AgentRule("GSA/", .app(.google)),
    ]

    private static let browsers: [AgentRule] = [
        AgentRule("SamsungBrowser", .browser(.samsung)), AgentRule("Whale/", .browser(.whale)),
        AgentRule("EdgA/", .browser(.edge)), AgentRule("EdgiOS/", .browser(.edge)),
        AgentRule("Edg/", .browser(.edge)), AgentRule("Edge/", .browser(.edge)),
        AgentRule("OPR/", .browser(.opera)), AgentRule("OPX/", .browser(.opera)),
        AgentRule("OPT/", .browser(.opera)), AgentRule("Opera", .browser(.opera)),
        AgentRule("DuckDuckGo", .browser(.duckduckgo)), AgentRule("Ddg/", .browser(.duckduckgo)),
        AgentRule("UCBrowser", .browser(.uc)), AgentRule("MiuiBrowser", .browser(.miui)),
        AgentRule("HuaweiBrowser", .browser(.huawei)), AgentRule("ArkWeb", .browser(.huawei)),
        AgentRule("Vivaldi", .browser(.vivaldi)), AgentRule("YaBrowser", .browser(.yandex)),
        AgentRule("FxiOS", .browser(.firefox)), AgentRule("Firefox", .browser(.firefox)),
        AgentRule("Focus/", .browser(.firefox)), AgentRule("MSIE", .browser(.explorer)),
        AgentRule("Trident", .browser(.explorer)), AgentRule("CriOS", .browser(.chrome)),
        AgentRule("Chrome/", .browser(.chrome)), AgentRule("HeadlessChrome", .browser(.chrome)),
        AgentRule("Safari", .browser(.safari)),
    ]

    private static let systems: [AgentRule] = [
        AgentRule("OpenHarmony", .system(.harmonyos)), AgentRule("HarmonyOS", .system(.harmonyos)),
        AgentRule("Tizen", .system(.tizen)), AgentRule("Web0S", .system(.webos)),
        AgentRule("webOS", .system(.webos)), AgentRule("KAIOS", .system(.kaios)),
        AgentRule("CrOS", .system(.chromeos)), AgentRule("Windows Phone", .system(.windows)),
        AgentRule("Android", .system(.android)), AgentRule("Adr ", .system(.android)),
        AgentRule("iPhone", .system(.ios)), AgentRule("iPad", .system(.ios)),
        AgentRule("iPod", .system(.ios)), AgentRule("iOS", .system(.ios)),
        AgentRule("Windows", .system(.windows)), AgentRule("Macintosh", .system(.macos)),
        AgentRule("Mac OS X", .system(.macos)), AgentRule("X11", .system(.linux)),
        AgentRule("Linux", .system(.linux)),
    ]

    private static let devices: [AgentRule] = [
        AgentRule("SMART-TV", .device(.television)), AgentRule("SmartTV", .device(.television)),
        AgentRule("Smart-TV", .device(.television)), AgentRule("HbbTV", .device(.television)),
        AgentRule("GoogleTV", .device(.television)), AgentRule("AppleTV", .device(.television)),
        AgentRule("Android TV", .device(.television)), AgentRule("BRAVIA", .device(.television)),
        AgentRule("AFT", .device(.television)), AgentRule("CrKey", .device(.television)),
        AgentRule("Roku", .device(.television)), AgentRule("PlayStation", .device(.television)),
        AgentRule("PLAYSTATION", .device(.television)), AgentRule("Nintendo", .device(.television)),
        AgentRule("Xbox", .device(.television)), AgentRule("iPad", .device(.tablet)),
        AgentRule("Tablet", .device(.tablet)), AgentRule("tablet", .device(.tablet)),
        AgentRule("SM-T", .device(.tablet)), AgentRule("SM-X", .device(.tablet)),
        AgentRule("Kindle", .device(.tablet)), AgentRule("iPhone", .device(.phone)),
        AgentRule("iPod", .device(.phone)), AgentRule("Windows Phone", .device(.phone)),
        AgentRule("Mobile", .mobile), AgentRule("Mobi", .mobile), AgentRule("Phone;", .mobile),
        AgentRule("wv)", .view),
    ]
}
