import Glibc
import Linux
import TestSupport
import Testing

@Suite struct ChildProgramTests {
    private func file(_ text: String) throws -> MemoryFile {
        let file = try MemoryFile(name: "test")
        try Array(text.utf8).withUnsafeBytes { try file.append($0) }
        try file.rewind()
        return file
    }

    private func script(_ text: String, in folder: TestFolder) throws -> String {
        let path = folder.path + "/script"
        let file = try File.open(path, .createNew, mode: 0o755)
        try Array("#!/bin/sh\n\(text)\n".utf8).withUnsafeBytes {
            try File.writeWhole($0, to: file, path: path)
        }
        return path
    }

    private func run(
        _ text: String, input: String = "", timeoutSeconds: Double = 10, others: [MemoryFile] = []
    ) throws -> ProgramRun {
        let folder = try TestFolder()
        return try ProgramRun.run(
            try script(text, in: folder), files: [try file(input)] + others,
            environment: ["NAME=value"], timeoutSeconds: timeoutSeconds, wordsBytesMax: 100)
    }

    @Test func `a program has its files, its environment and nothing else of ours`() throws {
        let (third, fourth) = (try file(""), try file("kept"))
        // Something of ours that every careless child would inherit.
        let careless = dup(1)
        defer { close(careless) }
        let run = try run(
            "cat; echo $NAME $HOME; echo made >&3; cat <&4 >&2; ls /proc/self/fd | tr '\\n' ' '",
            input: "in ", others: [third, fourth])
        #expect(run.end == .exited(0))
        // The last is the folder that ls itself has open.
        #expect(String(decoding: run.words, as: UTF8.self) == "in value\n0 1 2 3 4 5 ")
        #expect(try third.contents(bytesMax: 100) == Array("made\n".utf8))
    }

    @Test func `its end is told from one by a signal and from none`() throws {
        #expect(try run("exit 7").end == .exited(7))
        #expect(try run("kill -SEGV $$").end == .signalled(SIGSEGV))
        let talker = try run("exec yes", timeoutSeconds: 0.2)
        #expect(talker.end == .overdue && talker.words.count == 100)
        #expect(try run("exec sleep 60", timeoutSeconds: 0.2).end == .overdue)
        // It says that it is done, and stays.
        #expect(try run("exec >&-; exec sleep 60", timeoutSeconds: 0.3).end == .signalled(SIGKILL))
        #expect(throws: SystemError.self) {
            try ProgramRun.run(
                "/nothing", files: [try file("")], environment: [], timeoutSeconds: 1)
        }
    }

    @Test func `no child is left behind`() throws {
        _ = try? run("exec sleep 60", timeoutSeconds: 0.1)
        #expect(waitpid(-1, nil, WNOHANG) <= 0)
    }
}
