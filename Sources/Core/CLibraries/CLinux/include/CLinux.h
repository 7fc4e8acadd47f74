// What Swift's Glibc module does not show. No _GNU_SOURCE in this header: it changes the layout
// that the Glibc module was built with and the import fails. Calls that need it are wrapped in
// CLinux.c.
#ifndef CLINUX_H
#define CLINUX_H

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>

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
