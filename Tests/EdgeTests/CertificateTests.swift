import Clicks
import Glibc
import Linux
import Settings
import TestSupport
import Testing

@testable import Edge

/// Certificates at start, at a reload, and under load.
@Suite struct CertificateTests {
    private static func faults(_ environment: [String: String]) -> [String] {
        var reader = SettingsReader(environment: environment)
        _ = EdgeSettings(&reader, cores: 1)
        do throws(SettingsFaults) {
            try reader.finish()
            return []
        } catch {
            return error.faults.filter { $0.name.hasPrefix("EDGE_TLS") }.map(\.description)
        }
    }

    @Test func `what is wrong with certificate or key is told with the setting and the file`()
        throws
    {
        let files = try TestFolder()
        let first = try TestCertificate("first", in: files)
        let second = try TestCertificate("second", in: files)
        let other = files.path + "/other"
        let made = try ShellRun.run(
            "cd \(files.path) && echo nothing >empty && openssl genrsa -out rsa.key 2048 && "
                + "openssl ec -in first.key -aes128 -passout pass:word -out locked.key && "
                + "openssl req -x509 -newkey rsa:1024 -nodes -subj /CN=weak -days 2 "
                + "-keyout weak.key -out weak.crt")
        try #require(made.code == 0, "\(made.output)")
        let cases: [(String?, String?, String)] = [
            (first.certificate, nil, "EDGE_TLS_KEY is not set; must be set together with"),
            (nil, first.key, "EDGE_TLS_CERT is not set; must be set together with"),
            (other, first.key, "EDGE_TLS_CERT is \"\(other)\" (No such file"),
            (
                files.path + "/empty", first.key,
                "EDGE_TLS_CERT is \"\(files.path)/empty\" (no start"
            ),
            (first.certificate, files.path + "/empty", "EDGE_TLS_KEY is \"\(files.path)/empty\" ("),
            (first.certificate, second.key, "(not the key of the certificate)"),
            (first.certificate, files.path + "/rsa.key", "(not the key of the certificate)"),
            (
                first.certificate, files.path + "/locked.key",
                "EDGE_TLS_KEY is \"\(files.path)/locked"
            ),
            (files.path + "/weak.crt", files.path + "/weak.key", "(ee key too small)"),
        ]
        for (certificate, key, expected) in cases {
            var environment: [String: String] = [:]
            environment["EDGE_TLS_CERT"] = certificate
            environment["EDGE_TLS_KEY"] = key
            let faults = CertificateTests.faults(environment)
            #expect(faults.count == 1 && faults.first?.contains(expected) == true, "\(faults)")
        }
        let good = ["EDGE_TLS_CERT": first.certificate, "EDGE_TLS_KEY": first.key]
        #expect(CertificateTests.faults(good).isEmpty && CertificateTests.faults([:]).isEmpty)
    }

    @Test func `SIGHUP brings a new certificate under load, and a bad one changes nothing`() throws
    {
        let files = try TestFolder()
        let inForce = try TestCertificate("inforce", in: files)
        let first = try TestCertificate("first", in: files, days: 3)
        let second = try TestCertificate("second", in: files, days: 30)
        try first.replace(inForce)
        let binary = try EdgeBinary([
            "EDGE_TLS_CERT": inForce.certificate, "EDGE_TLS_KEY": inForce.key,
            "EDGE_WORKERS": "2",
        ])
        let edge = try binary.start()
        defer { edge.kill(SIGTERM) }
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        let subject = {
            try ShellRun.run(
                "openssl s_client -connect 127.0.0.1:\(binary.tlsPort) </dev/null | grep subject"
            ).output
        }
        let counter = { (name: String) in
            let answer = try PlainClient(port: binary.adminPort).ask("GET", "/metrics")
            return try PrometheusText(answer!.body).sum(name)
        }
        #expect(try subject().contains("CN = first"))
        let expiry = try counter("edge_tls_certificate_expiry_timestamp_seconds")
        let loads = try ["keep-alive", "close"].map { kind in
            let url = "https://127.0.0.1:\(binary.tlsPort)/go/open-1?ch=n"
            return try ChildProcess(
                "curl",
                [
                    "-sSk", "-H", "Connection: \(kind)", "-o", "/dev/null",
                    "-w", "%{http_code}\\n", url + (kind == "close" ? "[1-500]" : "[1-8000]"),
                ], logPath: files.path + "/" + kind)
        }
        var reloads = 0.0
        for (number, certificate) in [second, first, second].enumerated() {
            try certificate.replace(inForce)
            edge.kill(SIGHUP)
            reloads += 1
            try eventually("reload \(number)") { try counter("edge_tls_reloads_total") == reloads }
            try eventually("the new one is shown") {
                try subject().contains(number == 1 ? "CN = first" : "CN = second")
            }
        }
        #expect(try counter("edge_tls_certificate_expiry_timestamp_seconds") > expiry + 86_400)
        // The key of another certificate.
        _ = try ShellRun.run("cp \(first.key) \(inForce.key)")
        edge.kill(SIGHUP)
        try eventually("refused") { try counter("edge_tls_reloads_refused_total") == 1 }
        #expect(edge.log.contains("EDGE_TLS_KEY") && edge.log.contains("not the key of the cert"))
        #expect(try subject().contains("CN = second"))
        #expect(try counter("edge_tls_reloads_total") == reloads)
        for (load, count) in zip(loads, [8000, 500]) {
            #expect(load.wait(seconds: 60) == 0, "\(load.log)")
            #expect(load.log == String(repeating: "302\n", count: count))
        }
    }

    @Test func `kill -9 loses no click answered by TLS`() throws {
        let files = try TestFolder()
        let certificate = try TestCertificate("first", in: files)
        let binary = try EdgeBinary([
            "EDGE_TLS_CERT": certificate.certificate, "EDGE_TLS_KEY": certificate.key,
        ])
        for round in 0..<3 {
            let edge = try binary.start()
            try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
            let client = try ChildProcess(
                "curl",
                [
                    // Without its complaints, which would come in the middle of a line.
                    "-sk", "-o", "/dev/null", "-w", "%{http_code} %{url_effective}\\n",
                    "https://127.0.0.1:\(binary.tlsPort)/go/open-1?ch=r\(round)n[1-1000000]",
                ], logPath: files.path + "/answers-\(round)")
            try eventually("load runs") { client.log.utf8.count > 10_000 }
            edge.killNow()
            client.killNow()
            let answered = client.log.split(separator: "\n").filter { $0.hasPrefix("302 ") }
                .compactMap { $0.split(separator: "=").last.map(String.init) }
            let stored = Set(
                try StoredClick.all(in: binary.folder.path + "/spool", isOver: true).map(\.channel))
            #expect(answered.count > 50)
            // The last line of a killed client may be cut.
            #expect(answered.dropLast().allSatisfy { stored.contains($0) })
        }
    }

    @Test func `an edge without a certificate takes SIGHUP calmly`() throws {
        let binary = try EdgeBinary()
        let edge = try binary.start()
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        edge.kill(SIGHUP)
        try eventually("said so") { edge.log.contains("nothing to reload") }
        #expect(binary.readiness()?.status == 200)
        edge.kill(SIGTERM)
        #expect(edge.wait(seconds: 60) == 0)
    }
}
