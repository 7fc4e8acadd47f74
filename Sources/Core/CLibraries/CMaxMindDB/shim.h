#include <maxminddb.h>
#include <sys/syscall.h>
#include <unistd.h>

// memfd_create(2) and fcntl(2)'s seals are GNU extensions, which Swift's Glibc module leaves out;
// the numbers are the kernel's interface and do not change.
static inline int cmaxminddb_memory_file(void) {
    return (int)syscall(SYS_memfd_create, "geoip", 3u); // MFD_CLOEXEC | MFD_ALLOW_SEALING
}

static inline int cmaxminddb_seal(int descriptor) {
    // F_ADD_SEALS: F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
    return (int)syscall(SYS_fcntl, descriptor, 1033, 15);
}
