import Linux
import TLS
import TestSupport
import Testing

@Suite struct HMACSHA256Tests {
    private static func code(key: [UInt8], _ message: [UInt8]) -> String {
        let hmac = key.withUnsafeBytes { HMACSHA256(key: $0) }
        var code = [UInt8](repeating: 0, count: HMACSHA256.codeBytes)
        message.withUnsafeBytes { message in
            code.withUnsafeMutableBytes { hmac.authenticate(message, into: $0) }
        }
        return code.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// RFC 4231, sections 4.2 to 4.8, but for the truncated one.
    static let vectors: [([UInt8], [UInt8], String)] = [
        (
            .init(repeating: 0x0B, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            .init(repeating: 0xAA, count: 20), .init(repeating: 0xDD, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            Array(1...25), .init(repeating: 0xCD, count: 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (
            .init(repeating: 0xAA, count: 131),
            Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ]

    @Test func `the codes are the RFC's`() {
        for (key, message, expected) in Self.vectors {
            #expect(Self.code(key: key, message) == expected)
        }
    }

    @Test func `the codes are those of Python's hmac, for every length of key and message`() throws
    {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let lengths = [0, 1, 31, 32, 55, 56, 63, 64, 65, 127, 128, 129, 1000]
        var ours = ""
        var questions = ""
        for keyBytes in lengths {
            for messageBytes in lengths {
                let key = (0..<keyBytes).map { _ in UInt8.random(in: 0...255, using: &random) }
                let message = (0..<messageBytes).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                ours += Self.code(key: key, message) + "\n"
                questions += "\(key)|\(message)\n"
            }
        }
        let folder = try TestFolder()
        try write(questions, to: folder.path + "/in")
        let script = """
            import hmac, json, sys
            for line in open(sys.argv[1]):
                key, message = (bytes(json.loads(part)) for part in line.split('|'))
                print(hmac.new(key, message, 'sha256').hexdigest())
            """
        let python = try ChildProcess(
            "python3", ["-c", script, folder.path + "/in"], logPath: folder.path + "/out")
        #expect(python.wait() == 0)
        #expect(python.log == ours)
    }

    @Test func `a code of another message, key or length is not valid`() {
        let hmac = [UInt8](1...32).withUnsafeBytes { HMACSHA256(key: $0) }
        let other = [UInt8](2...33).withUnsafeBytes { HMACSHA256(key: $0) }
        let message = Array("message".utf8)
        var code = [UInt8](repeating: 0, count: 33)
        message.withUnsafeBytes { message in
            code.withUnsafeMutableBytes { hmac.authenticate(message, into: $0) }
        }
        let isValid = { (hmac: HMACSHA256, code: [UInt8], message: [UInt8]) in
            code.withUnsafeBytes { code in
                message.withUnsafeBytes { hmac.isValid(code, of: $0) }
            }
        }
        let good = Array(code.prefix(32))
        #expect(isValid(hmac, good, message))
        #expect(!isValid(other, good, message))
        #expect(!isValid(hmac, good, message + [0]))
        #expect(!isValid(hmac, Array(good.prefix(31)), message))
        #expect(!isValid(hmac, code, message))
        for bit in 0..<256 {
            var flipped = good
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!isValid(hmac, flipped, message))
        }
    }

    private func write(_ text: String, to path: String) throws {
        try Array(text.utf8).withUnsafeBytes { bytes in
            let file = try File.open(path, .createNew)
            try File.writeWhole(bytes, to: file, path: path)
        }
    }
}
