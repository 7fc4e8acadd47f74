import CLinux

/// What a process takes from itself before it touches bytes of strangers.
package enum Confinement {
    /// For the rest of its life the calling process has no more than this, leaves no core file,
    /// gains no privileges, and is killed when the thread that started it ends.
    ///
    /// - Parameters:
    ///   - addressBytes: of its address space; what goes beyond is refused by mmap(2).
    ///   - processorSeconds: then the kernel kills it with SIGKILL.
    ///   - fileBytes: of each file it writes; then SIGXFSZ, or EFBIG where that is ignored.
    package static func apply(
        addressBytes: Int, processorSeconds: Int, fileBytes: Int
    ) throws(SystemError) {
        let code = clinux_confine(
            UInt64(addressBytes), UInt64(processorSeconds), UInt64(fileBytes))
        guard code == 0 else { throw SystemError("setrlimit", "own limits") }
    }
}
