import Linux
import TestSupport

@testable import Edge

/// An edge with a certificate in this process, and the programs that are its clients.
struct SecureBench {
    let files: TestFolder
    let certificate: TestCertificate
    let edge: EdgeBench

    /// A request that ends its connection.
    static let closing = request(to: "/go/open-1", fields: ["Connection: close"])

    init(_ settings: [String: String] = [:], patience: Patience = Patience()) throws {
        files = try TestFolder()
        certificate = try TestCertificate("first", in: files)
        var all = settings
        all["EDGE_TLS_CERT"] = certificate.certificate
        all["EDGE_TLS_KEY"] = certificate.key
        edge = try EdgeBench(all, patience: patience)
    }

    var port: UInt16 { edge.edge.tlsPort! }

    func events(_ label: String) throws -> Double {
        try edge.metrics().sum("edge_events_total", #"event="\#(label)""#)
    }

    /// One conversation of s_client's, which ends when the edge ends it.
    func converse(
        _ options: String, _ text: String = closing, port: UInt16? = nil
    ) throws -> ShellRun {
        let path = files.path + "/asked"
        try SecureBench.write(text, to: path)
        return try ShellRun.run(
            "openssl s_client -connect 127.0.0.1:\(port ?? self.port) -ign_eof "
                + "-CAfile \(certificate.certificate) \(options) <\(path)")
    }

    /// One good click, by curl, which says the status.
    func click() throws -> ShellRun {
        try ShellRun.run(
            "curl -sSk -o /dev/null -w '%{http_code}' https://127.0.0.1:\(port)/go/open-1")
    }

    static func write(_ text: String, to path: String) throws {
        let file = try File.open(path, .createOrTruncate)
        try Array(text.utf8).withUnsafeBytes { try File.writeWhole($0, to: file, path: path) }
    }
}
