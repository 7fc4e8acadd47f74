// Preloaded into Edge and Ingest by the death harness: counts the calls by which they touch the
// world, and at one call of its orders kills the process, cuts a connection, lets a call fail or
// holds the thread. The products have no hook for this; they are the ones that are shipped.
//
// Orders and counts are in a file of 64-bit words that the harness has mapped as well
// (DeathControl.swift says the same):
//
//     0 clock offset, µs    3 action          6 calls that fail, a bit a kind   9 let go (a held
//     1 kind + 1, 0: none   4 errno           7 how many of them                  thread goes on)
//     2 at which call       5 part, ‰         8 fired                          10 still to fail
//     16… calls so far, one word a kind
//
// Of files only those below DEATHS_FOLDER count, so that logs, eventfds and the runtime's own calls
// are no steps. Build: cc -shared -fPIC -O2 -o deaths.so deaths.c -ldl

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum kind {
    OPEN, WRITE, PWRITE, RENAME, UNLINK, SYNC, TRUNCATE, ALLOCATE, MKDIR, MAP, SEND, RECEIVE,
    COMMIT, CLOCK, KINDS
};
enum action { KILL_BEFORE = 1, KILL_AFTER, KILL_WITHIN, FAIL, SHORT, HOLD_BEFORE, HOLD_AFTER, CUT };

struct control {
    _Atomic int64_t clock_offset, armed, at, action, code, permille, mask, span, fired, resumed,
        failing, unused[5];
    _Atomic int64_t counts[KINDS];
};

static struct control nothing;
static struct control *control = &nothing;
static char folder[512];
static size_t folder_bytes;
static _Atomic char watched[65536];

#define REAL(name) ((__typeof__(name) *)real_##name)
#define EACH(DO) DO(open) DO(openat) DO(write) DO(pwrite) DO(rename) DO(unlink) DO(fsync) \
    DO(fdatasync) DO(ftruncate) DO(posix_fallocate) DO(mkdir) DO(mmap) DO(send) DO(recv) DO(close) \
    DO(clock_gettime) DO(gettimeofday)
#define DECLARE(name) static void *real_##name;
EACH(DECLARE)

__attribute__((constructor)) static void begin(void) {
#define FIND(name) if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name);
    EACH(FIND)
    const char *path = getenv("DEATHS_CONTROL"), *under = getenv("DEATHS_FOLDER");
    if (!path || !under) return;
    strncpy(folder, under, sizeof folder - 1);
    folder_bytes = strlen(folder);
    int fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *at = REAL(mmap)(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) control = at;
    REAL(close)(fd);
}

// Calls made before the constructor ran, by other constructors.
#define NEED(name) if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name)

static int is_watched(int fd) { return fd >= 0 && fd < 65536 && watched[fd]; }
static int is_below(const char *path) {
    return folder_bytes && path && strncmp(path, folder, folder_bytes) == 0;
}

static void end(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static void hold(void) {
    control->fired = 1;
    while (!control->resumed) {
        struct timespec moment = {0, 200000};
        nanosleep(&moment, 0);
    }
}

// Whether this call is the one of the orders; and, if a call of this kind is to fail, sets errno.
struct turn { int action; int fails; };
static struct turn count(enum kind kind, int changes) {
    struct turn turn = {0, 0};
    int64_t number = atomic_fetch_add(&control->counts[kind], 1) + 1;
    if (control->armed == kind + 1 && control->at == number) {
        turn.action = (int)control->action;
        control->armed = 0;
        if (turn.action == FAIL) {
            control->failing = control->span;
            control->fired = 1;
        }
    }
    if (changes && control->failing > 0 && control->mask >> kind & 1
        && atomic_fetch_sub(&control->failing, 1) > 0) {
        turn.fails = 1;
        errno = (int)control->code;
    }
    if (turn.action == KILL_BEFORE) { control->fired = 1; end(); }
    if (turn.action == HOLD_BEFORE) hold();
    return turn;
}

static void after(struct turn turn) {
    int code = errno;
    if (turn.action == KILL_AFTER || turn.action == KILL_WITHIN) { control->fired = 1; end(); }
    if (turn.action == HOLD_AFTER) hold();
    errno = code;
}

static size_t part(struct turn turn, size_t bytes) {
    if (turn.action != KILL_WITHIN && turn.action != SHORT && turn.action != CUT) return bytes;
    size_t less = bytes * (size_t)control->permille / 1000;
    control->fired = 1;
    return less > 0 ? less : 1;
}

static int opened(int fd, int is_ours) {
    if (fd >= 0 && fd < 65536) watched[fd] = (char)is_ours;
    return fd;
}

static int open_at(int at, const char *path, int flags, mode_t mode) {
    NEED(openat);
    int ours = is_below(path);
    if (!ours) return opened(REAL(openat)(at, path, flags, mode), 0);
    struct turn turn = count(OPEN, (flags & (O_CREAT | O_WRONLY | O_RDWR)) != 0);
    if (turn.fails) return -1;
    int fd = opened(REAL(openat)(at, path, flags, mode), 1);
    after(turn);
    return fd;
}

#define MODE(flags) mode_t mode = 0; if ((flags) & O_CREAT) { \
    va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags)
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
    MODE(flags)
    return open_at(at, path, flags, mode);
}

int close(int fd) {
    NEED(close);
    opened(fd, 0);
    return REAL(close)(fd);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    NEED(write);
    if (!is_watched(fd)) return REAL(write)(fd, bytes, size);
    struct turn turn = count(WRITE, 1);
    if (turn.fails) return -1;
    ssize_t done = REAL(write)(fd, bytes, part(turn, size));
    after(turn);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    NEED(pwrite);
    if (!is_watched(fd)) return REAL(pwrite)(fd, bytes, size, at);
    struct turn turn = count(PWRITE, 1);
    if (turn.fails) return -1;
    ssize_t done = REAL(pwrite)(fd, bytes, part(turn, size), at);
    after(turn);
    return done;
}

int rename(const char *from, const char *to) {
    NEED(rename);
    if (!is_below(to)) return REAL(rename)(from, to);
    struct turn turn = count(RENAME, 1);
    if (turn.fails) return -1;
    int result = REAL(rename)(from, to);
    after(turn);
    return result;
}

int unlink(const char *path) {
    NEED(unlink);
    if (!is_below(path)) return REAL(unlink)(path);
    struct turn turn = count(UNLINK, 1);
    if (turn.fails) return -1;
    int result = REAL(unlink)(path);
    after(turn);
    return result;
}

int mkdir(const char *path, mode_t mode) {
    NEED(mkdir);
    if (!is_below(path)) return REAL(mkdir)(path, mode);
    struct turn turn = count(MKDIR, 1);
    if (turn.fails) return -1;
    int result = REAL(mkdir)(path, mode);
    after(turn);
    return result;
}

#define SYNCS(name)                                    \
    int name(int fd) {                                 \
        NEED(name);                                    \
        if (!is_watched(fd)) return REAL(name)(fd);    \
        struct turn turn = count(SYNC, 1);             \
        if (turn.fails) return -1;                     \
        int result = REAL(name)(fd);                   \
        after(turn);                                   \
        return result;                                 \
    }
SYNCS(fsync)
SYNCS(fdatasync)

int ftruncate(int fd, off_t bytes) {
    NEED(ftruncate);
    if (!is_watched(fd)) return REAL(ftruncate)(fd, bytes);
    struct turn turn = count(TRUNCATE, 1);
    if (turn.fails) return -1;
    int result = REAL(ftruncate)(fd, bytes);
    after(turn);
    return result;
}

int posix_fallocate(int fd, off_t from, off_t bytes) {
    NEED(posix_fallocate);
    if (!is_watched(fd)) return REAL(posix_fallocate)(fd, from, bytes);
    struct turn turn = count(ALLOCATE, 1);
    if (turn.fails) return (int)control->code;
    int result = REAL(posix_fallocate)(fd, from, bytes);
    after(turn);
    return result;
}

void *mmap(void *at, size_t bytes, int access, int flags, int fd, off_t from) {
    NEED(mmap);
    if (!is_watched(fd)) return REAL(mmap)(at, bytes, access, flags, fd, from);
    struct turn turn = count(MAP, 0);
    void *result = REAL(mmap)(at, bytes, access, flags, fd, from);
    after(turn);
    return result;
}

ssize_t send(int fd, const void *bytes, size_t size, int flags) {
    NEED(send);
    struct turn turn = count(SEND, 0);
    // PostgreSQL's "commit" alone is a step by itself, wherever it stands in a message.
    if (turn.action == 0 && memmem(bytes, size, "commit\0", 7)) turn = count(COMMIT, 0);
    size_t less = part(turn, size);
    ssize_t done = REAL(send)(fd, bytes, less, flags);
    if (turn.action == CUT) shutdown(fd, SHUT_RDWR);
    after(turn);
    return done;
}

ssize_t recv(int fd, void *bytes, size_t size, int flags) {
    NEED(recv);
    struct turn turn = count(RECEIVE, 0);
    ssize_t done = REAL(recv)(fd, bytes, size, flags);
    if (turn.action == CUT) { control->fired = 1; shutdown(fd, SHUT_RDWR); }
    after(turn);
    return done;
}

int clock_gettime(clockid_t which, struct timespec *time) {
    NEED(clock_gettime);
    struct turn turn = count(CLOCK, 0);
    int result = REAL(clock_gettime)(which, time);
    int64_t offset = control->clock_offset;
    if (offset && result == 0 && which == CLOCK_REALTIME) {
        int64_t nanos = time->tv_nsec + offset % 1000000 * 1000;
        time->tv_sec += offset / 1000000 + (nanos >= 1000000000) - (nanos < 0);
        time->tv_nsec = (nanos + 1000000000) % 1000000000;
    }
    after(turn);
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}
