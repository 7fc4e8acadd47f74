import Admin
import Synchronization
import TLS

/// Where the certificate and its key are.
struct CertificateFiles: Sendable {
    let certificate: String
    let key: String

    /// Reads both. Which of them is at fault, the error says.
    func load(replacing older: TLSCredentials? = nil) throws(TLSFault) -> TLSCredentials {
        try TLSCredentials(certificate: certificate, key: key, replacing: older)
    }

    /// A fault as an operator reads it: the setting, the file, what is wrong.
    func describe(_ fault: TLSFault) -> (setting: String, reason: String) {
        switch fault.part {
        case .certificate, .library:
            return (
                "EDGE_TLS_CERT",
                "is \"\(certificate)\" (\(fault)); must be a PEM file of the server's "
                    + "certificate and then its chain"
            )
        case .key:
            return (
                "EDGE_TLS_KEY",
                "is \"\(key)\" (\(fault)); must be a PEM file of the certificate's key, "
                    + "without a passphrase"
            )
        }
    }
}

/// Keeps the certificate in force and replaces it when told to. A pair that cannot be used changes
/// nothing: an edge without a certificate would be one that is down.
final class CertificateDesk: Sendable {
    private let files: CertificateFiles
    private let inboxes: [WorkerInbox]
    private let current: Mutex<TLSCredentials>
    private let reloadCount = Atomic<Int>(0)
    private let refusalCount = Atomic<Int>(0)

    init(_ files: CertificateFiles, _ credentials: TLSCredentials, inboxes: [WorkerInbox]) {
        self.files = files
        self.inboxes = inboxes
        current = Mutex(credentials)
    }

    var reloads: Int { reloadCount.load(ordering: .relaxed) }
    var refusals: Int { refusalCount.load(ordering: .relaxed) }
    var expiresAt: Int64 { current.withLock { $0.expiresAt } }

    /// Reads the files again and gives every worker what they hold, for the handshakes to come.
    /// Connections that stand go on; tickets given before are still good.
    func reload() {
        do throws(TLSFault) {
            let credentials = try files.load(replacing: current.withLock { $0 })
            current.withLock { $0 = credentials }
            for inbox in inboxes { inbox.send(credentials) }
            reloadCount.add(1, ordering: .relaxed)
            Log.info("certificate reloaded", [("certificate", files.certificate)])
        } catch {
            let (setting, reason) = files.describe(error)
            refusalCount.add(1, ordering: .relaxed)
            Log.error(
                "certificate not reloaded, the one before stays",
                [("reason", "\(setting) \(reason)")])
        }
    }
}
