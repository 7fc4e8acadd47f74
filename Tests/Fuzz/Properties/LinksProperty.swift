import Checksum
import Clicks
import Glibc
import Links
import Linux

/// A links file of any bytes is refused, or every look-up in it gives a record that is in it.
///
/// The bytes are tried as they are, and with their length and checksums put right, since no fuzzer
/// would guess those and whoever can write a wrong file can write a right checksum.
package struct LinksProperty: FuzzProperty {
    package static let name = "links"

    private let path: String

    package init(folder: String) {
        path = folder + "/links"
    }

    package func check(_ bytes: UnsafeRawBufferPointer) throws(FuzzFinding) -> Bool {
        let given = Array(bytes)
        let asGiven = try check(given)
        let mended = LinksProperty.mended(given)
        return try check(mended) || asGiven
    }

    private func check(_ file: [UInt8]) throws(FuzzFinding) -> Bool {
        FuzzFile.write(file, to: path)
        let table: LinkTable
        do {
            table = try LinkTable(path: path)
        } catch {
            return false
        }
        let numbers = FileNumbers(file)
        try hold(table.fileBytes == file.count, "the table has another length than its file")
        try hold(table.linkCount == Int(numbers.word(24)), "the table counts other links")
        let records = LinksProperty.records(numbers)
        try hold(table.linkCount <= Int(numbers.word(32)) / 4, "there are more links than slots")
        for record in records {
            let query = table.query(id: record.id)
            table.prefetchSlot(query)
            table.prefetchRecord(query)
            try check(table.find(query), among: records) { $0.id == record.id }
            let found = record.code.withUnsafeBytes { table.find(code: $0) }
            try check(found, among: records) { $0.code == record.code }
        }
        try checkAbsent(table, records)
        return true
    }

    /// - Parameter isAsked: whether a record has the key that was looked up.
    private func check(
        _ found: LinkRecord?, among records: [PlainRecord], isAsked: (PlainRecord) -> Bool
    ) throws(FuzzFinding) {
        guard let found else { return }
        let copy = PlainRecord.Contents(
            influencer: found.influencerID, opensAt: found.opensAt.microseconds,
            closesAt: found.closesAt.microseconds, isSuspended: found.isSuspended,
            location: Array(found.location), separator: found.separator)
        try hold(1...2000 ~= copy.location.count, "a location has \(copy.location.count) bytes")
        let isThere = records.contains {
            isAsked($0) && $0.id == found.id && $0.contents == copy
        }
        try hold(isThere, "a look-up gives what no record of its key says: \(copy)")
    }

    private func checkAbsent(_ table: LinkTable, _ records: [PlainRecord]) throws(FuzzFinding) {
        let codes = ["", "a", "b-1_Z", "1234567", "12345678", "123456789", "0123456789abcdef"]
        for code in codes + ["0123456789abcdefg"] {
            let bytes = Array(code.utf8)
            let found = bytes.withUnsafeBytes { table.find(code: $0) }
            try check(found, among: records) { $0.code == bytes }
        }
        for id in [Identifier(high: 0, low: 0), Identifier(high: .max, low: .max)] {
            try check(table.find(id: id), among: records) { $0.id == id }
        }
    }

    // MARK: The obvious reader

    /// A record that a slot of the index points to.
    private struct PlainRecord {
        struct Contents: Equatable {
            let influencer: Identifier
            let opensAt: Int64
            let closesAt: Int64
            let isSuspended: Bool
            let location: [UInt8]
            let separator: UInt8
        }

        let id: Identifier
        let code: [UInt8]
        /// Nil if the location does not lie among the records: then no look-up may give it.
        let contents: Contents?
    }

    /// The most slots that are followed: in a file that a fuzzer makes all of them.
    private static let slotsFollowedMax = 512

    /// What the specification in LinksFormat.swift says lies in a file that was accepted.
    private static func records(_ numbers: FileNumbers) -> [PlainRecord] {
        let slots = Int(numbers.word(32))
        let indexAt = Int(numbers.word(40))
        let end = 128 + Int(numbers.word(56))
        var places: Set<Int> = []
        for slot in 0..<min(slots, slotsFollowedMax) {
            places.insert(Int(numbers.word(indexAt + slot * 8) & 0xFFFF_FFFF) * 8)
        }
        return places.compactMap { place in
            guard place >= 128, place + 68 <= end else { return nil }
            var code = Array(numbers.bytes[(place + 48)..<(place + 64)])
            while code.last == 0 { code.removeLast() }
            return PlainRecord(
                id: Identifier(high: numbers.word(place), low: numbers.word(place + 8)),
                code: code, contents: contents(numbers, place, end))
        }
    }

    private static func contents(
        _ numbers: FileNumbers, _ place: Int, _ end: Int
    ) -> PlainRecord.Contents? {
        let bytes = Int(numbers.half(place + 66))
        guard place + 68 + bytes <= end else { return nil }
        let flags = numbers.half(place + 64)
        let separator = UInt8(flags & 8 != 0 ? 0x3F : flags & 16 != 0 ? 0x26 : 0)
        return PlainRecord.Contents(
            influencer: Identifier(high: numbers.word(place + 16), low: numbers.word(place + 24)),
            opensAt: Int64(bitPattern: numbers.word(place + 32)),
            closesAt: Int64(bitPattern: numbers.word(place + 40)),
            isSuspended: flags & 1 != 0,
            location: Array(numbers.bytes[(place + 68)..<(place + 68 + bytes)]),
            separator: separator)
    }

    private static func mended(_ given: [UInt8]) -> [UInt8] {
        var file = FileNumbers(given)
        guard given.count >= 128 else { return given }
        file.set(UInt64(given.count), at: 16)
        file.set(CRC32C.of(file, from: 128, to: given.count), at: 120)
        file.set(CRC32C.of(file, from: 0, to: 124), at: 124)
        return file.bytes
    }
}
