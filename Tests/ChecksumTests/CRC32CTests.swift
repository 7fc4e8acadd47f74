import Checksum
import Testing

@Suite struct CRC32CTests {
    /// RFC 3720, appendix B.4, and the check value of the catalogues.
    @Test(
        arguments: [
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E),
            (Array((0..<32).reversed()), 0x113F_DB5C),
            (Array("123456789".utf8), 0xE306_9283),
            ([], 0),
        ] as [([UInt8], UInt32)])
    func `the published values come out`(bytes: [UInt8], expected: UInt32) {
        #expect(bytes.withUnsafeBytes { CRC32C.of($0) } == expected)
        #expect(bytes.withUnsafeBytes { CRC32C.portable(of: $0) } == expected)
    }

    @Test func `the instruction and the table agree at every length, alignment and cut`() {
        var seed: UInt64 = 1
        let bytes = (0..<300).map { _ -> UInt8 in
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: seed >> 56)
        }
        bytes.withUnsafeBytes { all in
            for start in 0..<9 {
                for end in start...all.count {
                    let part = UnsafeRawBufferPointer(rebasing: all[start..<end])
                    let whole = CRC32C.portable(of: part)
                    #expect(CRC32C.of(part) == whole)
                    let cut = part.count / 3
                    let first = CRC32C.of(UnsafeRawBufferPointer(rebasing: part[..<cut]))
                    let rest = UnsafeRawBufferPointer(rebasing: part[cut...])
                    #expect(CRC32C.of(rest, continuing: first) == whole)
                }
            }
        }
    }
}
