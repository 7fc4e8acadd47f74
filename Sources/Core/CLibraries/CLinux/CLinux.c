#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

int clinux_accept4(int listener, struct sockaddr *address, socklen_t *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int clinux_tcp_socket(int family) {
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void clinux_name_thread(const char *name) {
    prctl(PR_SET_NAME, name);
}

int clinux_memory_file(const char *name) {
    int low = memfd_create(name, MFD_CLOEXEC);
    if (low < 0 || low >= 10) return low;
    int high = fcntl(low, F_DUPFD_CLOEXEC, 10);
    int code = errno;
    close(low);
    errno = code;
    return high;
}

static int deal_out(
    posix_spawn_file_actions_t *actions, const int descriptors[], int count) {
    for (int i = 0; i < count; i++) {
        int code = descriptors[i] < 0
            ? posix_spawn_file_actions_addopen(actions, i, "/dev/null", O_RDWR, 0)
            : posix_spawn_file_actions_adddup2(actions, descriptors[i], i);
        if (code != 0) return code;
    }
    return posix_spawn_file_actions_addclosefrom_np(actions, count);
}

int clinux_spawn(
    pid_t *pid, const char *program, char *const arguments[], char *const environment[],
    const int descriptors[], int count) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int code = posix_spawn_file_actions_init(&actions);
    if (code != 0) return code;
    code = posix_spawnattr_init(&attributes);
    if (code == 0) {
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        code = deal_out(&actions, descriptors, count);
        if (code == 0) {
            code = posix_spawn(pid, program, &actions, &attributes, arguments, environment);
        }
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

static int bound(int resource, uint64_t most) {
    struct rlimit limit = {most, most};
    return setrlimit(resource, &limit);
}

int clinux_confine(uint64_t address_bytes, uint64_t processor_seconds, uint64_t file_bytes) {
    if (bound(RLIMIT_AS, address_bytes) != 0) return -1;
    if (bound(RLIMIT_CPU, processor_seconds) != 0) return -1;
    if (bound(RLIMIT_FSIZE, file_bytes) != 0) return -1;
    if (bound(RLIMIT_CORE, 0) != 0) return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -1;
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}
