import Glibc
import Linux

// The program that decodes and encodes (Sources/Thumbnailer), started for each image on a lane of
// its own: see the head of its main file for what it reads and says.

/// The two files that were made of an image.
struct MadeImages: Sendable {
    let picture: MemoryFile
    let thumbnail: MemoryFile
    let width: Int
    let height: Int
}

/// Makes images by a program of ours, so many at once. Thread-safe.
struct ImageProgram: Sendable {
    /// Nil where it was not found.
    let path: String?
    private let lanes: WorkLanes
    /// It ends itself before, by the processor time it has; this is for a machine that is too busy.
    static let timeoutSeconds = 60.0
    private static let name = "Thumbnailer"

    /// - Parameters:
    ///   - path: nil looks beside this process's own program.
    ///   - lanes: images made at once; each takes a core and up to 2 GiB of address space.
    ///   - queueMax: images that wait besides.
    init(path: String?, lanes: Int, queueMax: Int) {
        let candidate = path ?? ImageProgram.besideOwnProgram()
        self.path = candidate.flatMap { access($0, X_OK) == 0 ? $0 : nil }
        self.lanes = WorkLanes(name: "images", lanes: lanes, queueMax: queueMax)
    }

    private static func besideOwnProgram() -> String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = readlink("/proc/self/exe", &bytes, bytes.count - 1)
        guard count > 0 else { return nil }
        let own = String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return File.folder(of: own) + "/" + name
    }

    /// Makes picture and thumbnail of a file.
    /// - Throws: ``UploadRefusal`` where the file is to blame, ``UploadOutage`` where we are.
    func make(of file: MemoryFile) async throws -> MadeImages {
        guard let path else { throw UploadOutage.programMissing }
        do {
            return try await lanes.run { try ImageProgram.run(path, file) }
        } catch is WorkLanes.Full {
            throw UploadOutage.queueFull
        }
    }

    private static func run(_ path: String, _ file: MemoryFile) throws -> MadeImages {
        let picture = try MemoryFile(name: "picture")
        let thumbnail = try MemoryFile(name: "thumbnail")
        try file.rewind()
        let run: ProgramRun
        do throws(SystemError) {
            run = try ProgramRun.run(
                path, files: [file, picture, thumbnail], environment: environment,
                timeoutSeconds: timeoutSeconds)
        } catch {
            throw ImageProgramFailure(cause: .notStarted(error))
        }
        let words = String(decoding: run.words, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        switch (run.end, words.first) {
        case (.exited(0), "made"):
            guard words.count == 3, let width = Int(words[1]), let height = Int(words[2]),
                width > 0, height > 0, try picture.size() > 0, try thumbnail.size() > 0
            else { throw ImageProgramFailure(cause: .senseless) }
            return MadeImages(
                picture: picture, thumbnail: thumbnail, width: width, height: height)
        case (.exited(0), "pixels"): throw UploadRefusal.tooManyPixels
        case (.exited(0), "unreadable"): throw UploadRefusal.unreadable
        case (.signalled(let signal), _) where ownFaults.contains(signal):
            // A decoder that a file made crash, or that ran into its bounds.
            throw UploadRefusal.unreadable
        case (let end, _): throw ImageProgramFailure(cause: .ended(end))
        }
    }

    /// Signals that a process brings upon itself. SIGKILL is not among them: it comes from outside,
    /// and for all that is known the image is a good one.
    private static let ownFaults: Set<Int32> = [
        SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGXCPU, SIGXFSZ, SIGSYS,
    ]

    /// Nothing of ours but where a toolchain's libraries may be. One arena keeps the bound on
    /// address space for pictures.
    private static var environment: [String] {
        let libraries = getenv("LD_LIBRARY_PATH").map {
            "LD_LIBRARY_PATH=\(String(cString: $0))"
        }
        return ["MALLOC_ARENA_MAX=1", "LC_ALL=C"] + [libraries].compactMap(\.self)
    }
}

/// The program failed in a way that is not the image's fault.
struct ImageProgramFailure: Error, CustomStringConvertible {
    enum Cause: Sendable {
        case notStarted(SystemError)
        case ended(ProgramRun.End)
        /// It said something that is not in the protocol: another build's program.
        case senseless
    }

    let cause: Cause

    var outage: UploadOutage {
        switch cause {
        case .notStarted, .senseless: .programMissing
        // It says why with 1 where it cannot work at all.
        case .ended(.exited): .programMissing
        case .ended(.signalled), .ended(.overdue): .programKilled
        }
    }

    var description: String {
        switch cause {
        case .notStarted(let error): "the image program was not started: \(error)"
        case .senseless: "the image program says what this build does not know"
        case .ended(let end): "the image program ended by itself: \(end)"
        }
    }
}
