import Glibc

package enum Processors {
    /// How many the kernel runs us on, at least 1.
    package static var online: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}
