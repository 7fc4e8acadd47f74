import CLinux

/// Bytes from the kernel's generator (getrandom(2)), fit for keys.
package enum Randomness {
    package static func words(_ count: Int) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: count)
        let wanted = count * MemoryLayout<UInt64>.size
        precondition(wanted <= 256, "getrandom(2) never gives less than asked for up to 256 bytes")
        let got = getrandom(&words, wanted, 0)
        precondition(got == wanted, "getrandom(2) does not fail on a running system")
        return words
    }
}
