import Clicks
import Settings
import TLS

/// Whether a balancer tells in front of each connection who has made it.
enum ProxyProtocol: String, CaseIterable {
    case off
    case v2
}

/// The operator's decisions about TLS; absent without a certificate.
struct TLSSettings {
    let listen: ListenAddress
    let files: CertificateFiles
    /// What the files held at start.
    let credentials: TLSCredentials

    /// Declares the settings, reads the certificate and notes what is wrong with it.
    /// - Returns: nil without a certificate, or with a fault.
    static func read(_ reader: inout SettingsReader) -> TLSSettings? {
        let names = ["EDGE_TLS_CERT", "EDGE_TLS_KEY"]
        let certificate = reader.optionalFile(
            names[0],
            "The certificate and then its chain, in PEM; with it shoppers are served by TLS as "
                + "well. SIGHUP reads it again")
        let key = reader.optionalFile(
            names[1], "The certificate's key in PEM, without a passphrase")
        let listen = reader.listenAddress(
            "EDGE_TLS_LISTEN", default: "0.0.0.0:8443",
            "Where shoppers' requests arrive by TLS, if there is a certificate")
        for (name, other) in [(names[0], names[1]), (names[1], names[0])]
        where reader.isGiven(other) && !reader.isGiven(name) {
            reader.reject(name, "is not set; must be set together with \(other)")
        }
        guard let certificate, let key else { return nil }
        let files = CertificateFiles(certificate: certificate, key: key)
        do throws(TLSFault) {
            return TLSSettings(listen: listen, files: files, credentials: try files.load())
        } catch {
            let (setting, reason) = files.describe(error)
            reader.reject(setting, reason)
            return nil
        }
    }
}

extension ProxyProtocol {
    /// Declares the setting, which makes no sense where nobody is trusted to say it.
    static func read(_ reader: inout SettingsReader) -> ProxyProtocol {
        let choice = reader.choice(
            "EDGE_PROXY_PROTOCOL", default: ProxyProtocol.off,
            "With v2 each connection, by TLS or not, must come from TRUSTED_PROXIES and begin "
                + "with a PROXY protocol header; any other is closed")
        if choice == .v2 && !reader.isGiven("TRUSTED_PROXIES") {
            reader.reject(
                "EDGE_PROXY_PROTOCOL",
                "is v2; must be off, or TRUSTED_PROXIES must name who may speak it")
        }
        return choice
    }
}
