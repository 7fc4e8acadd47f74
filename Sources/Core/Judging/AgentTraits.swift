// What a User-Agent says about the shopper's device, for statistics alone: no verdict depends on
// it, and a client may claim what it likes. The numbers are stored, so they are fixed here once and
// never reused. Texts are general names of families; versions are not kept.
//
// An agent is a list of words: `Mozilla/5.0 (Linux; Android 14; SM-S921N …) … KAKAOTALK/2410960
// (INAPP)`. A rule is the beginning of a word, so it is found neither inside a model's name nor
// inside another word. Of each kind the first rule in the table that is found anywhere decides.

/// The kind of device, as `device` in the ledger and in the statistics.
public enum DeviceClass: UInt8, CaseIterable, Sendable {
    case unknown = 0
    case phone = 1
    case tablet = 2
    case desktop = 3
    /// Televisions, sticks for them and game consoles.
    case television = 4
}

public enum OperatingSystem: String, CaseIterable, Sendable {
    case unknown = ""
    case android, ios, windows, macos, linux, chromeos, harmonyos, tizen, webos, kaios
}

public enum BrowserFamily: String, CaseIterable, Sendable {
    case unknown = ""
    case chrome, safari, samsung, whale, edge, firefox, opera, duckduckgo, uc, miui, huawei
    case vivaldi, yandex, explorer
    /// The view that an app opens, whatever engine is in it.
    case webview
}

/// The app that has opened its own view instead of the person's browser.
public enum InAppBrowser: String, CaseIterable, Sendable {
    case none = ""
    case kakaotalk, kakaostory, naver, navercafe, band, line, instagram, threads, facebook
    case messenger, tiktok, twitter, daum, google, snapchat, pinterest, wechat, linkedin, everytime
    case coupang, toss, karrot, telegram, youtube, whatsapp
}

/// What is told of an agent.
public struct AgentTraits: Equatable, Sendable {
    public var device = DeviceClass.unknown
    public var system = OperatingSystem.unknown
    public var browser = BrowserFamily.unknown
    public var app = InAppBrowser.none

    public init(
        device: DeviceClass = .unknown, system: OperatingSystem = .unknown,
        browser: BrowserFamily = .unknown, app: InAppBrowser = .none
    ) {
        self.device = device
        self.system = system
        self.browser = browser
        self.app = app
    }

    /// Reads an agent, any bytes, in one pass. Some two microseconds: keep what it says of each
    /// distinct agent.
    public init(of userAgent: UnsafeRawBufferPointer) {
        var found = Found()
        var isInWord = false
        AgentRules.all.withUnsafeBufferPointer { rules in
            AgentRules.starts.withUnsafeBufferPointer { starts in
                for (at, byte) in userAgent.enumerated() {
                    let isWord = AgentTraits.isWord(byte)
                    if isWord && !isInWord {
                        for place in starts[Int(byte)]..<starts[Int(byte) + 1]
                        where rules[place].stands(at: at, in: userAgent) {
                            found.take(rules[place])
                        }
                    }
                    isInWord = isWord
                }
            }
        }
        self = found.traits
    }

    /// Reads an agent as the ledger keeps it.
    public init(of userAgent: String) {
        var userAgent = userAgent
        self = userAgent.withUTF8 { AgentTraits(of: UnsafeRawBufferPointer($0)) }
    }

    @inline(always)
    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...0xFF:
            true
        default: false
        }
    }
}

/// The best rule of each kind so far: its place in the table, and what it says.
private struct Found {
    var device = (Int.max, DeviceClass.unknown)
    var system = (Int.max, OperatingSystem.unknown)
    var browser = (Int.max, BrowserFamily.unknown)
    var app = (Int.max, InAppBrowser.none)
    var isMobile = false
    var isView = false

    mutating func take(_ rule: AgentRule) {
        let rank = rule.rank
        switch rule.says {
        case .device(let value): if rank < device.0 { device = (rank, value) }
        case .system(let value): if rank < system.0 { system = (rank, value) }
        case .browser(let value): if rank < browser.0 { browser = (rank, value) }
        case .app(let value): if rank < app.0 { app = (rank, value) }
        case .mobile: isMobile = true
        case .view: isView = true
        }
    }

    var traits: AgentTraits {
        var traits = AgentTraits(
            device: device.1, system: system.1, browser: browser.1, app: app.1)
        // Browsers of tablets leave "Mobile" out, which is all that tells them from phones.
        if traits.device == .unknown {
            switch traits.system {
            case .android, .harmonyos: traits.device = isMobile ? .phone : .tablet
            case .windows, .macos, .linux, .chromeos: traits.device = isMobile ? .phone : .desktop
            case .kaios: traits.device = .phone
            case .tizen, .webos: traits.device = isMobile ? .phone : .television
            case .ios, .unknown: if isMobile { traits.device = .phone }
            }
        }
        // Apple's view names no browser at all.
        let isApplesView = traits.system == .ios && traits.browser == .unknown
        let isPlain = traits.browser == .chrome || traits.browser == .safari
        if traits.app != .none || isApplesView || isView && isPlain {
            traits.browser = .webview
        }
        return traits
    }
}
