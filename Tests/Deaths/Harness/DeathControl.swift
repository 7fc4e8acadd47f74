// The orders that a process under test runs with, in a file that the preloaded library
// (Tests/Deaths/Shim/deaths.c) has mapped as well, and what it has counted so far.

import Glibc
import Linux
import TestSupport

/// Calls by which a process touches the world; the library counts each kind.
package enum StepKind: Int, CaseIterable, Sendable {
    case open, write, pwrite, rename, unlink, sync, truncate, allocate, makeFolder, map, send
    case receive
    /// A message to PostgreSQL that holds its COMMIT.
    case commit
    /// A look at the clock: between any two of the others, wherever the process thinks.
    case clock
}

/// What happens at a step.
package enum StepAction: Int, Sendable {
    case killBefore = 1
    case killAfter
    /// A part of the bytes goes through first.
    case killWithin
    /// This call and later ones of some kinds fail.
    case fail
    /// A part of the bytes goes through, as the kernel may do at any time.
    case short
    /// The thread waits, others go on, until the harness has done something else.
    case holdBefore
    case holdAfter
    /// A part goes through, then the connection is gone.
    case cut

    package static let kills: [StepAction] = [.killBefore, .killAfter, .killWithin]
}

/// One step at which something happens.
package struct StepOrder: Sendable {
    package var kind: StepKind
    package var action: StepAction
    /// Of a call's bytes, where a part goes through.
    package var permille = 500
    /// `errno` of calls that fail, which kinds fail, and how many calls.
    package var code: Int32 = 0
    package var failing: [StepKind] = []
    package var failures = 0

    package init(_ kind: StepKind, _ action: StepAction) {
        self.kind = kind
        self.action = action
    }
}

/// The page shared with one process at a time. The harness's main thread uses it.
package final class DeathControl {
    private let words: UnsafeMutablePointer<Int64>
    package let path: String
    private static let countsAt = 16

    package init(path: String) throws(SystemError) {
        self.path = path
        let file = try File.open(path, .createOrUpdate)
        try File.truncate(file, to: 4096, path: path)
        let address = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.raw, 0)
        guard let address, address != MAP_FAILED else { throw SystemError("mmap", path) }
        words = address.bindMemory(to: Int64.self, capacity: 512)
    }

    deinit { munmap(words, 4096) }

    /// Forgets orders and counts, for a process that is about to start. The clock stays as set.
    package func reset() {
        for word in 1..<512 { words[word] = 0 }
    }

    package func count(_ kind: StepKind) -> Int {
        Int(words[DeathControl.countsAt + kind.rawValue])
    }

    package var counts: [Int] { StepKind.allCases.map(count) }

    /// Orders something for the `nth` call of its kind from now on, 1 for the next. Whoever arms a
    /// running process may be late by some calls; they count from the moment of this one.
    package func arm(_ order: StepOrder, nth: Int) {
        words[1] = 0
        words[8] = 0
        words[9] = 0
        words[10] = 0
        words[2] = Int64(count(order.kind) + nth)
        words[3] = Int64(order.action.rawValue)
        words[4] = Int64(order.code)
        words[5] = Int64(order.permille)
        words[6] = order.failing.reduce(0) { $0 | 1 << Int64($1.rawValue) }
        words[7] = Int64(order.failures)
        // Last, since it is what the process looks at.
        atomicFence()
        words[1] = Int64(order.kind.rawValue + 1)
    }

    /// Nothing happens any more, and a held thread goes on.
    package func disarm() {
        words[1] = 0
        words[10] = 0
        words[9] = 1
    }

    package var hasFired: Bool { words[8] != 0 }
    package var isFailing: Bool { words[10] > 0 }

    /// Lets a held thread go on.
    package func letGo() { words[9] = 1 }

    package var clockOffsetMicros: Int64 {
        get { words[0] }
        set { words[0] = newValue }
    }

    private func atomicFence() {
        // A system call the compiler cannot look into; x86 and ARM order the stores around it.
        _ = getppid()
    }
}

/// The preloaded library, built once per process from its source by the C compiler.
package enum DeathShim {
    package static func build(in folder: String) throws -> String {
        let source =
            #filePath.split(separator: "/", omittingEmptySubsequences: false)
            .dropLast(2).joined(separator: "/") + "/Shim/deaths.c"
        let target = folder + "/deaths.so"
        let run = try ShellRun.run("cc -shared -fPIC -O2 -o \(target) \(source) -ldl")
        guard run.code == 0 else { throw TimedOut(description: run.output) }
        return target
    }
}
