#define _GNU_SOURCE
#include "CLinux.h"

#include <sys/prctl.h>

int clinux_accept4(int listener, struct sockaddr *address, socklen_t *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int clinux_tcp_socket(int family) {
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void clinux_name_thread(const char *name) {
    prctl(PR_SET_NAME, name);
}
