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

/// accept4(2): a connected descriptor, non-blocking and close-on-exec; -1 and errno otherwise.
int clinux_accept4(int listener, struct sockaddr *address, socklen_t *length);

/// socket(2) for TCP, non-blocking and close-on-exec. `family` is AF_INET or AF_INET6.
int clinux_tcp_socket(int family);

/// Names the calling thread as `top -H` shows it; at most 15 bytes, more are cut.
void clinux_name_thread(const char *name);

#endif
