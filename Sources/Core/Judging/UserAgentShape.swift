// HOT: once a click. Bench: Benchmarks/Edge.
import Clicks

/// Agents that no program made to be used would send, whatever they claim to be.
public enum UserAgentShape {
    /// The shortest agent of a browser has several times as many.
    public static var agentBytesMin: Int { 8 }
    /// Eight bytes that come so often in a row are a filler. The longest run known of people, a
    /// serial number of 40 zeros in an old Internet Explorer, makes 5.
    public static var repeatsMax: Int { 6 }

    /// Whether the agent
    /// - has fewer than ``agentBytesMin`` bytes, the empty one too;
    /// - has a control byte other than the tab;
    /// - has no letter;
    /// - says `Mozilla/` and a version and ends there, as no browser does;
    /// - repeats eight bytes more than ``repeatsMax`` times in a row.
    ///
    /// Only the bytes that are stored of an agent count, so that re-judging comes to the same.
    public static func isAbsurd(_ userAgent: UnsafeRawBufferPointer) -> Bool {
        let count = min(userAgent.count, ClickTexts.userAgentBytesMax)
        guard count >= agentBytesMin, let base = userAgent.baseAddress else { return true }
        return isAbsurd(base, count)
    }

    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    private static func isAbsurd(_ base: UnsafeRawPointer, _ count: Int) -> Bool {
        let bytes = base.assumingMemoryBound(to: UInt8.self)
        var suspects: UInt64 = 0
        var repeats = 1
        var last: UInt64 = 0
        var offset = 0
        // The last word overlaps the one before, so that it never reads past the end.
        let end = count &- 8
        while true {
            let word = base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            // Top bits of bytes below 0x20, and of 0x7F; the few raised for nothing, by a borrow or
            // by 0xFF, only cost a closer look.
            suspects |= (word &- 0x2020_2020_2020_2020) & ~word
            suspects |= (word & 0x7F7F_7F7F_7F7F_7F7F) &+ 0x0101_0101_0101_0101
            if word == last {
                repeats &+= 1
                if repeats > repeatsMax { return true }
            } else {
                repeats = 1
            }
            if offset == end { break }
            last = word
            offset = min(offset &+ 8, end)
        }
        if suspects & 0x8080_8080_8080_8080 != 0 && hasControl(bytes, count) { return true }
        if !hasLetter(bytes, count) { return true }
        return isBareMozilla(base, bytes, count)
    }

    private static func hasControl(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        for index in 0..<count {
            let byte = bytes[index]
            if byte < 0x20 && byte != 0x09 || byte == 0x7F { return true }
        }
        return false
    }

    private static func hasLetter(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        for index in 0..<count where (bytes[index] | 0x20) &- UInt8(ascii: "a") < 26 {
            return true
        }
        return false
    }

    /// `Mozilla/5.0` and the like: digits, dots and spaces to the end.
    private static func isBareMozilla(
        _ base: UnsafeRawPointer, _ bytes: UnsafePointer<UInt8>, _ count: Int
    ) -> Bool {
        let word = base.loadUnaligned(as: UInt64.self)
        guard UInt64(littleEndian: word) == BotSieve.mozilla else { return false }
        for index in 8..<count {
            let byte = bytes[index]
            let isVersion =
                byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: " ")
            if !isVersion { return false }
        }
        return true
    }
}
