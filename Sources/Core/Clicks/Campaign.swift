/// What tells a shop who has sent the shopper.
public enum Campaign {
    /// Our parameters of the address that a click leads to, up to the gonggu's id, whose text ends
    /// them. A separator stands before them.
    @inlinable
    public static var parameters: StaticString { "utm_source=gonggumoa&utm_campaign=" }
}
