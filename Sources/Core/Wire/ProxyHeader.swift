// HOT on a listener that expects it: one call a connection.
//
// The PROXY protocol, version 2 (haproxy.org, proxy-protocol.txt, section 2.2), by which a balancer
// that only forwards bytes says in front of them who has connected to it.
//
//     12 bytes  signature 0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A
//      1        version 2 in the upper four bits; command 0 LOCAL or 1 PROXY in the lower
//      1        family in the upper (0 unspecified, 1 IPv4, 2 IPv6, 3 unix), transport in the lower
//               (0 unspecified, 1 stream, 2 datagram)
//      2        bytes that follow, big-endian
//               source address, destination address, source port, destination port
//               TLVs: one byte of type, two of length, the value
//
// Only to be read from peers that are trusted: whoever speaks it can name any client.

import Clicks

/// What a proxy has said of a connection.
public struct ProxyHeader: Equatable, Sendable, BitwiseCopyable {
    /// The client. Nil where the proxy speaks for itself (LOCAL, a health check) or names no
    /// internet address: the socket's peer counts then.
    public var client: NetworkAddress? {
        hasClient ? NetworkAddress(high: high, low: low) : nil
    }
    public private(set) var clientPort: UInt16 = 0
    // Plain words, since the proof below does not reach into another module.
    private var hasClient = false
    private var high: UInt64 = 0
    private var low: UInt64 = 0

    public init() {}

    /// A header of more bytes is refused. The addresses take at most 232; the rest is for TLVs, of
    /// which the largest in use are names from a client's certificate.
    public static var bytesMax: Int { 2048 }
    private static var fixedBytes: Int { 16 }

    /// Reads the header at the start of `bytes`, which the stream's own bytes may follow.
    ///
    /// TLVs are checked to fill the header and stepped over, a checksum among them: TCP has its
    /// own. The destination is of no use here.
    ///
    /// - Parameter header: overwritten; meaningful after ``ProxyOutcome/complete(bytes:)``.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func parse(
        _ bytes: UnsafeRawBufferPointer, into header: inout ProxyHeader
    ) -> ProxyOutcome {
        header = ProxyHeader()
        guard let base = bytes.baseAddress else { return .partial }
        let window = ByteWindow(base, end: bytes.count)
        // What cannot become a header is refused at its first wrong byte.
        let signature: StaticString = "\r\n\r\n\0\r\nQUIT\n"
        for offset in 0..<signature.utf8CodeUnitCount {
            guard offset < window.end else { return .partial }
            guard window.byte(offset) == signature.utf8Start[offset] else {
                return .malformed(.signature)
            }
        }
        guard window.end > 12 else { return .partial }
        let isLocal = window.byte(12) == 0x20
        guard isLocal || window.byte(12) == 0x21 else { return .malformed(.command) }
        guard window.end > 13 else { return .partial }
        guard let addressBytes = addressBytes(window.byte(13)) else {
            return .malformed(.family)
        }
        guard window.end >= fixedBytes else { return .partial }
        let end = fixedBytes &+ Int(window.quarterWord(14).byteSwapped)
        guard end <= bytesMax else { return .malformed(.length) }
        guard isLocal || end >= fixedBytes &+ addressBytes else { return .malformed(.length) }
        guard window.end >= end else { return .partial }
        // Of a LOCAL header all that follows is to be dropped, whatever it is.
        if isLocal { return .complete(bytes: end) }
        header.takeClient(window, addressBytes: addressBytes)
        var index = fixedBytes &+ addressBytes
        while index < end {
            guard index &+ 3 <= end else { return .malformed(.field) }
            index &+= 3 &+ Int(window.quarterWord(index &+ 1).byteSwapped)
        }
        return index == end ? .complete(bytes: end) : .malformed(.field)
    }

    /// How many bytes the two addresses and ports take; nil for what no stream can be.
    private static func addressBytes(_ family: UInt8) -> Int? {
        switch family {
        case 0x11: 12
        case 0x21: 36
        case 0x31: 216
        case 0x00, 0x01, 0x10, 0x20, 0x30: 0
        default: nil
        }
    }

    private mutating func takeClient(_ window: ByteWindow, addressBytes: Int) {
        switch addressBytes {
        case 12:
            // Mapped into IPv6 as NetworkAddress holds it.
            low = 0xFFFF_0000_0000 | UInt64(window.halfWord(16).byteSwapped)
            clientPort = window.quarterWord(24).byteSwapped
        case 36:
            high = window.word(16).byteSwapped
            low = window.word(24).byteSwapped
            clientPort = window.quarterWord(48).byteSwapped
        default:
            return
        }
        hasClient = true
    }
}

/// The answer of ``ProxyHeader/parse(_:into:)``.
public enum ProxyOutcome: Equatable, Sendable, BitwiseCopyable {
    /// The header ended after so many bytes; the stream begins there.
    case complete(bytes: Int)
    /// Nothing wrong yet; ask again when more has arrived.
    case partial
    /// Close without an answer: what comes is not for an HTTP reader.
    case malformed(ProxyFault)
}

public enum ProxyFault: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    /// Not the protocol, or its version 1.
    case signature
    /// Another version, or a command that does not exist.
    case command
    /// A family or transport that does not exist, or datagrams.
    case family
    /// Too short for its addresses, or over ``ProxyHeader/bytesMax``.
    case length
    /// A TLV that reaches beyond the header.
    case field
}
