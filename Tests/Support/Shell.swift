import Linux

/// What a command line of the shell came to, for clients that are programs of their own.
package struct ShellRun {
    package let code: Int32
    /// Standard output and error, as they came.
    package let output: String

    /// Runs it to its end, at most so long.
    package static func run(_ line: String, seconds: Double = 60) throws -> ShellRun {
        let folder = try TestFolder()
        let process = try ChildProcess("sh", ["-c", line], logPath: folder.path + "/out")
        guard let code = process.wait(seconds: seconds) else {
            throw TimedOut(description: "\(line): not within \(seconds) s\n\(process.log)")
        }
        return ShellRun(code: code, output: process.log)
    }

    package func count(of text: String) -> Int {
        output.ranges(of: text).count
    }
}

/// A certificate and its key, made for a test by the `openssl` command.
package struct TestCertificate {
    package let certificate: String
    package let key: String

    /// - Parameters:
    ///   - name: the subject, by which a test tells certificates apart.
    ///   - folder: where `<name>.crt` and `<name>.key` are made.
    package init(_ name: String, in folder: TestFolder, days: Int = 2) throws {
        certificate = "\(folder.path)/\(name).crt"
        key = "\(folder.path)/\(name).key"
        let run = try ShellRun.run(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days \(days) "
                + "-subj /CN=\(name) -keyout \(key) -out \(certificate)")
        guard run.code == 0 else { throw TimedOut(description: run.output) }
    }

    /// Puts this pair where another one is, each file at once.
    package func replace(_ other: TestCertificate) throws {
        for (from, to) in [(certificate, other.certificate), (key, other.key)] {
            let run = try ShellRun.run("cp \(from) \(to).new && mv \(to).new \(to)")
            guard run.code == 0 else { throw TimedOut(description: run.output) }
        }
    }
}
