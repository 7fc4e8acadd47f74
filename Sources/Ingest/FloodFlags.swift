import Clicks

/// One address's flood on one gonggu within a Korean day, as a batch saw it.
struct Flood: Hashable {
    let day: KoreanDay
    let gongguID: Identifier
    let address: NetworkAddress
}

/// The floods of one batch: each opens a flag for a person to decide, or adds to the one there is.
///
/// At ``floodsMax`` further addresses are left out and counted: who comes from ever new addresses
/// would fill the list of what people look at, and the held clicks are in the ledger all the same.
struct FloodFlags {
    static let floodsMax = 1000

    struct Extent {
        var first: Timestamp
        var last: Timestamp
        var clicks: Int64
    }

    private(set) var floods: [Flood: Extent] = [:]
    /// Clicks whose floods were left out.
    private(set) var clicksLeftOut = 0

    mutating func note(_ click: Click) {
        let flood = Flood(
            day: click.time.koreanDay, gongguID: click.gongguID, address: click.address)
        if var extent = floods[flood] {
            extent.first = min(extent.first, click.time)
            extent.last = max(extent.last, click.time)
            extent.clicks += Int64(click.count)
            floods[flood] = extent
        } else if floods.count < FloodFlags.floodsMax {
            floods[flood] = Extent(
                first: click.time, last: click.time, clicks: Int64(click.count))
        } else {
            clicksLeftOut += 1
        }
    }
}
