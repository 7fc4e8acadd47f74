import CChecksum

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), which finds every burst of damage up to 32 bits
/// and misses longer ones once in four thousand million. Not a defence against somebody who means
/// it: who can write the file can write the checksum.
package enum CRC32C {
    /// The checksum of some bytes; by the processor's instruction, some 8 bytes in 3 cycles.
    ///
    /// - Parameter previous: the checksum of the bytes before these, 0 at the beginning.
    package static func of(
        _ bytes: UnsafeRawBufferPointer, continuing previous: UInt32 = 0
    ) -> UInt32 {
        cchecksum_crc32c(previous, bytes.baseAddress, bytes.count)
    }

    /// The same on a processor without the instruction; some 8 times slower.
    package static func portable(
        of bytes: UnsafeRawBufferPointer, continuing previous: UInt32 = 0
    ) -> UInt32 {
        cchecksum_crc32c_portable(previous, bytes.baseAddress, bytes.count)
    }
}
