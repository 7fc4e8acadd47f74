/* Put before an edge that the thread sanitizer watches, by scripts/sanitize.
 *
 * Swift's Mutex takes and frees a lock that nobody contends by code that is inlined, which the
 * sanitizer sees. The rest is in libswiftSynchronization, which is not built for it: a lock that a
 * thread had to wait for would seem never to have been taken, and everything it guards would be
 * reported. These call the library and say what it did. Nothing is hidden: what is not guarded is
 * reported as before. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define HANDLE __attribute__((swift_context)) void *handle
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

typedef __attribute__((swiftcall)) void lock_function(uint32_t thread, HANDLE);
typedef __attribute__((swiftcall)) void unlock_function(HANDLE);

lock_function lock_slow __asm__(LOCK_SLOW);
unlock_function unlock_slow __asm__(UNLOCK_SLOW);

__attribute__((swiftcall)) void lock_slow(uint32_t thread, HANDLE) {
    ((lock_function *)dlsym(RTLD_NEXT, LOCK_SLOW))(thread, handle);
    __tsan_acquire(handle);
}

__attribute__((swiftcall)) void unlock_slow(HANDLE) {
    unlock_function *next = (unlock_function *)dlsym(RTLD_NEXT, UNLOCK_SLOW);
    __tsan_release(handle);
    next(handle);
}
