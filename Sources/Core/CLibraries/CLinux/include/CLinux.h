// What Swift's Glibc module does not show. No _GNU_SOURCE in this header: it changes the layout
// that the Glibc module was built with and the import fails. Calls that need it are wrapped in
// CLinux.c.
#ifndef CLINUX_H
#define CLINUX_H

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <unistd.h>

/// A call to the kernel of a thread that nobody cancels: the C library's recv(3) and send(3) spend
/// sixty instructions each on being points of cancellation. The result is the kernel's: -errno for
/// a failure.
static inline long clinux_transfer(
    long number, int descriptor, const void *bytes, size_t count, int flags) {
#if defined(__x86_64__)
    register long fourth __asm__("r10") = flags;
    register long fifth __asm__("r8") = 0;
    register long sixth __asm__("r9") = 0;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"((long)descriptor), "S"(bytes), "d"(count), "r"(fourth),
                       "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
#else
    long result = syscall(number, descriptor, bytes, count, flags, 0, 0);
    return result >= 0 ? result : -(long)errno;
#endif
}

/// recv(2) without flags: bytes, 0 at the peer's end, or -errno.
static inline long clinux_receive(int descriptor, void *bytes, size_t count) {
    return clinux_transfer(SYS_recvfrom, descriptor, bytes, count, 0);
}

/// send(2) without SIGPIPE: bytes taken, or -errno.
static inline long clinux_send(int descriptor, const void *bytes, size_t count) {
    return clinux_transfer(SYS_sendto, descriptor, bytes, count, MSG_NOSIGNAL);
}

/// accept4(2): a connected descriptor, non-blocking and close-on-exec; -1 and errno otherwise.
int clinux_accept4(int listener, struct sockaddr *address, socklen_t *length);

/// socket(2) for TCP, non-blocking and close-on-exec. `family` is AF_INET or AF_INET6.
int clinux_tcp_socket(int family);

/// Names the calling thread as `top -H` shows it; at most 15 bytes, more are cut.
void clinux_name_thread(const char *name);

/// memfd_create(2), close-on-exec and never below 10, so that a child's low numbers can be dealt
/// out without one landing on another; -1 and errno otherwise.
int clinux_memory_file(const char *name);

/// posix_spawn(3) with `descriptors[i]` as the child's `i`, -1 for /dev/null, and no other open;
/// no signal is blocked or ignored there. Every descriptor is above `count`. 0, or an errno.
int clinux_spawn(
    pid_t *pid, const char *program, char *const arguments[], char *const environment[],
    const int descriptors[], int count);

/// Bounds for the rest of the calling process's life: setrlimit(2) on its address space, processor
/// time and files; no core file; no privileges by execve(2); killed with the thread that started
/// it. 0, or -1 and errno.
int clinux_confine(uint64_t address_bytes, uint64_t processor_seconds, uint64_t file_bytes);

#endif
