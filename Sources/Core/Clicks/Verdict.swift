// What was thought of a click. The numbers are stored for ever and mean money, so they are fixed
// here once and never reused; a new verdict takes the next number.

/// The one judgement that each stored click carries.
public enum Verdict: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    /// Billable: none of the others applies.
    case valid = 0
    /// The same visitor clicked the same gonggu less than the dedupe window ago, validly.
    case duplicate = 1
    /// The address made more clicks in a minute than a person does; a person decides later.
    case flood = 2
    /// A crawler, a link preview, an HTTP library or a headless browser.
    case bot = 3
    /// The browser fetched ahead; the shopper has not clicked yet.
    case prefetch = 4
    /// The gonggu is not open yet, is closed, or is suspended.
    case inactive = 5
    /// The gonggu's own influencer, or an admin.
    case `self` = 6
    /// HEAD, or a User-Agent that is missing or absurd.
    case malformed = 7
    /// The address belongs to a listed hosting network; a person decides later.
    case datacenter = 8
    /// A person looked at a held click and refused it. No edge gives it, only adjudication.
    case refused = 9

    /// Whether the platform earns and pays on the click.
    public var isBillable: Bool { self == .valid }

    /// Whether the click is neither paid nor refused until a person has looked.
    public var isHeld: Bool { self == .flood || self == .datacenter }

    /// The name in answers, exports and metrics.
    public var name: StaticString {
        switch self {
        case .valid: "valid"
        case .duplicate: "duplicate"
        case .flood: "flood"
        case .bot: "bot"
        case .prefetch: "prefetch"
        case .inactive: "inactive"
        case .self: "self"
        case .malformed: "malformed"
        case .datacenter: "datacenter"
        case .refused: "refused"
        }
    }
}

/// The version of the rules that gave a verdict. It rises with every change that could judge any
/// click differently: code, window, list.
public struct RuleSet: Hashable, Sendable, BitwiseCopyable {
    public let version: UInt16

    @inlinable
    public init(version: UInt16) {
        self.version = version
    }

    /// The rules that this build of the edge applies.
    @inlinable
    public static var current: RuleSet { RuleSet(version: 3) }
}
