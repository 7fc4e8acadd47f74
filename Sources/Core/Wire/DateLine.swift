import Clicks

/// The `Date` line of every answer (RFC 9110, 6.6.1), formatted once a second rather than once a
/// request: `Date: Sun, 06 Nov 1994 08:49:37 GMT` with its line end.
public struct DateLine: Sendable, BitwiseCopyable {
    @inlinable
    public static var bytes: Int { 37 }

    @usableFromInline var words: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)

    /// - Parameter unixSeconds: from 1970 to 9999, whose year still has four digits.
    public init(unixSeconds: Int64) {
        precondition(
            (0..<253_402_300_800).contains(unixSeconds), "HTTP dates have four-digit years")
        let days = Int32(unixSeconds / 86_400)
        let second = Int(unixSeconds % 86_400)
        // Which day a number of days is does not depend on where it is that day.
        let (year, month, day) = KoreanDay(daysSince1970: days).civil
        withUnsafeMutableBytes(of: &words) { room in
            var writer = AnswerWriter(room)
            writer.put("Date: ")
            writer.put("ThuFriSatSunMonTueWed", from: Int(days % 7) * 3, count: 3)
            writer.put(", ")
            writer.putTwoDigits(day)
            writer.put(" ")
            writer.put("JanFebMarAprMayJunJulAugSepOctNovDec", from: (month - 1) * 3, count: 3)
            writer.put(" ")
            writer.putTwoDigits(year / 100)
            writer.putTwoDigits(year % 100)
            writer.put(" ")
            writer.putTwoDigits(second / 3600)
            writer.put(":")
            writer.putTwoDigits(second / 60 % 60)
            writer.put(":")
            writer.putTwoDigits(second % 60)
            writer.put(" GMT\r\n")
        }
    }

    /// Copies the line to `target`, which has room for ``bytes``.
    @inlinable
    @inline(always)
    func write(to target: UnsafeMutableRawPointer) {
        withUnsafeBytes(of: words) { line in
            target.copyMemory(from: line.baseAddress.unsafelyUnwrapped, byteCount: DateLine.bytes)
        }
    }
}
