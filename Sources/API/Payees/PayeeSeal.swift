import Clicks
import Crypto
import Foundation

// Payees' details at rest: AES-256-GCM under a key that only the program's settings hold. The text
// that is sealed is bound to its owner, so that rows cannot be exchanged between people, and the
// key's name is stored beside it, so that keys can change: the first key of the setting seals, all
// of them open.

/// A payee as it is stored.
package struct SealedPayee: Equatable, Sendable {
    package let type: PayeeType
    package let keyID: String
    /// Nonce, sealed text, tag.
    package let sealed: [UInt8]
}

/// Details could not be opened: the key is not among ours, or the bytes are not what was sealed.
package struct PayeeUnreadable: Error, CustomStringConvertible {
    package let owner: Identifier
    package let keyID: String

    package var description: String {
        "the payee details of \(owner) cannot be opened by the key \(keyID)"
    }
}

/// The keys that payees' details are sealed under.
package struct PayeeKeys: Sendable {
    /// Bytes of each key.
    package static let keyBytes = 32

    private let current: String
    private let keys: [String: SymmetricKey]

    /// Reads `name:hex,name:hex`, each key of 64 hexadecimal digits (`openssl rand -hex 32`); the
    /// first one seals. Nil for anything else.
    package init?(_ text: String) {
        var keys: [String: SymmetricKey] = [:]
        var current: String?
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = item.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, (1...32).contains(parts[0].utf8.count),
                parts[0].utf8.allSatisfy(PayeeKeys.isNameByte),
                let bytes = PayeeKeys.bytes(parts[1]), bytes.count == PayeeKeys.keyBytes,
                keys.updateValue(SymmetricKey(data: bytes), forKey: String(parts[0])) == nil
            else { return nil }
            current = current ?? String(parts[0])
        }
        guard let current else { return nil }
        self.current = current
        self.keys = keys
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func bytes(_ text: Substring) -> [UInt8]? {
        let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == text.utf8.count, digits.count % 2 == 0 else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map {
            UInt8(digits[$0] << 4 | digits[$0 + 1])
        }
    }

    /// Sealed for that person, under the current key, with a nonce of its own.
    package func seal(_ payee: Payee, of owner: Identifier) -> SealedPayee {
        let members: [JSON.Member] = [
            .init("holder", .text(payee.holder)), .init("bank_code", .text(payee.bankCode)),
            .init("account_number", .text(payee.accountNumber)),
            .init("business_number", .text(payee.businessNumber)),
        ]
        guard let key = keys[current],
            let box = try? AES.GCM.seal(
                JSON.object(members).bytes, using: key,
                authenticating: PayeeKeys.binding(owner, payee.type)),
            let sealed = box.combined
        else { preconditionFailure("AES-GCM seals with a key of 32 bytes and a nonce of its own") }
        return SealedPayee(type: payee.type, keyID: current, sealed: Array(sealed))
    }

    /// What was sealed for that person.
    package func open(_ sealed: SealedPayee, of owner: Identifier) throws(PayeeUnreadable) -> Payee
    {
        guard let key = keys[sealed.keyID],
            let box = try? AES.GCM.SealedBox(combined: sealed.sealed),
            let text = try? AES.GCM.open(
                box, using: key, authenticating: PayeeKeys.binding(owner, sealed.type)),
            let json = try? JSON(reading: text),
            let holder = json["holder"]?.text, let bank = json["bank_code"]?.text,
            let account = json["account_number"]?.text,
            let business = json["business_number"]?.text
        else { throw PayeeUnreadable(owner: owner, keyID: sealed.keyID) }
        return Payee(
            type: sealed.type, holder: holder, bankCode: bank, accountNumber: account,
            businessNumber: business)
    }

    private static func binding(_ owner: Identifier, _ type: PayeeType) -> Data {
        Data("payee/\(owner)/\(type.rawValue)".utf8)
    }
}
