/* The clients that a load generator does not play. `guests crowd` keeps thousands of connections
 * open that ask nothing, or send a byte of a request now and then; `guests first` starts a server
 * and is the first to ask it; `guests links` plays Ingest, which replaces the links file. They
 * connect to 127.0.0.1 only and end by themselves, or with who has started them. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GUESTS_MAX = 20000, SOURCES = 200, ID_BYTES = 36, FIRST_MAX = 1000 };

static const char request[] =
    "GET /go/%.36s HTTP/1.1\r\nHost: go.example\r\nUser-Agent: Mozilla/5.0 (Linux; Android 15; "
    "SM-S9%02uN) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36\r\n"
    "X-Forwarded-For: 203.0.%u.%u\r\n\r\n";

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "guests: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* -1 and errno if nobody listens. From many addresses, lest the ports of one be used up. */
static int connected(int port, unsigned source) {
    int on = 1, raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (raw < 0) fail("socket");
    setsockopt(raw, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(raw, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + ((101u + source % SOURCES) << 8));
    if (bind(raw, (struct sockaddr *)&address, sizeof address)) fail("bind");
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)port);
    if (connect(raw, (struct sockaddr *)&address, sizeof address) == 0) return raw;
    int error = errno;
    close(raw);
    errno = error;
    return -1;
}

/* Keeps `idle` silent connections and `slow` that send a byte each second, opening again what the
 * server closes, until it is told to end. Says "ready" when all stand. */
static void crowd(int port, int idle, int slow) {
    static int raws[GUESTS_MAX], sent[GUESTS_MAX];
    char byte;
    for (int index = 0; index < idle + slow; index++)
        if ((raws[index] = connected(port, (unsigned)index)) < 0) fail("connect");
    printf("ready\n");
    fflush(stdout);
    for (double ends = now() + 600; now() < ends; usleep(10000)) {
        static int turn;
        /* A hundredth of them every 10 ms, so that they are spread over each second. */
        turn = (turn + 1) % 100;
        for (int index = turn; index < idle + slow; index += 100) {
            ssize_t got = recv(raws[index], &byte, 1, MSG_DONTWAIT);
            if (got >= 0 || errno != EAGAIN) {
                close(raws[index]);
                if ((raws[index] = connected(port, (unsigned)index)) < 0) fail("connect");
                sent[index] = 0;
            }
            if (index < idle) continue;
            byte = "GET /go/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"[sent[index]++ % 40];
            send(raws[index], &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    }
}

/* One request's time in seconds, over a connection of its own or a kept one. */
static double ask(int raw, const char *id, unsigned number) {
    char text[1024], answer[4096];
    int bytes = snprintf(text, sizeof text, request, id, number % 100, number / 250 % 250,
                         number % 250);
    double begun = now();
    if (send(raw, text, (size_t)bytes, MSG_NOSIGNAL) != bytes) fail("send");
    size_t filled = 0;
    while (!memmem(answer, filled, "\r\n\r\n", 4)) {
        ssize_t got = recv(raw, answer + filled, sizeof answer - filled, 0);
        if (got <= 0) fail("recv");
        filled += (size_t)got;
    }
    if (memcmp(answer, "HTTP/1.1 302 ", 13)) {
        fprintf(stderr, "guests: not a redirect: %.60s\n", answer);
        exit(1);
    }
    return now() - begun;
}

static int ascending(const void *one, const void *other) {
    double left = *(const double *)one, right = *(const double *)other;
    return (left > right) - (left < right);
}

/* Starts the program, asks as soon as it listens, and tells in milliseconds: from its start to the
 * first answer, the first request alone, and the slowest and middle of the first thousand. */
static void first(int port, const char *ids_path, char **program) {
    static double times[FIRST_MAX];
    static char ids[FIRST_MAX * (ID_BYTES + 1)];
    FILE *file = fopen(ids_path, "re");
    if (!file || fread(ids, 1, sizeof ids, file) != sizeof ids) fail(ids_path);
    fclose(file);
    double begun = now();
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(program[0], program);
        _exit(127);
    }
    int raw;
    while ((raw = connected(port, 0)) < 0) {
        if (now() - begun > 30 || waitpid(child, NULL, WNOHANG) == child) fail("no start");
        usleep(500);
    }
    for (int index = 0; index < FIRST_MAX; index++) {
        /* Every tenth over a new connection, the rest over the one before. */
        if (index > 0 && index % 10 == 0) {
            close(raw);
            if ((raw = connected(port, 0)) < 0) fail("connect");
        }
        times[index] = ask(raw, ids + index * (ID_BYTES + 1), (unsigned)index);
        if (index == 0) printf("start_ms=%.1f ", (now() - begun) * 1e3);
    }
    close(raw);
    double opening = times[0];
    qsort(times + 1, FIRST_MAX - 1, sizeof *times, ascending);
    printf("first_ms=%.3f p50_ms=%.3f p99_ms=%.3f slowest_ms=%.3f\n", opening * 1e3,
           times[FIRST_MAX / 2] * 1e3, times[FIRST_MAX * 99 / 100] * 1e3,
           times[FIRST_MAX - 1] * 1e3);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
}

/* Each second puts the one of two files in the place of the links that is not there. Two system
 * calls, as Ingest does it: programs started for it would be seen in the latency. */
static void publish(const char *links, char *const sides[2]) {
    char next[4096];
    if (snprintf(next, sizeof next, "%s.next", links) >= (int)sizeof next) fail("path too long");
    for (;;) {
        struct stat current, first;
        sleep(1); /* As often as the row of the table says: a pace, and nobody is waited for. */
        if (stat(links, &current) || stat(sides[0], &first)) fail("stat");
        if (link(sides[current.st_ino == first.st_ino], next)) fail("link");
        if (rename(next, links)) fail("rename");
    }
}

int main(int count, char **arguments) {
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (count == 5 && strcmp(arguments[1], "crowd") == 0) {
        int idle = atoi(arguments[3]), slow = atoi(arguments[4]);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (idle < 0 || slow < 0 || idle + slow > GUESTS_MAX) fail("too many guests");
        crowd(atoi(arguments[2]), idle, slow);
        return 0;
    }
    if (count > 4 && strcmp(arguments[1], "first") == 0) {
        first(atoi(arguments[2]), arguments[3], arguments + 4);
        return 0;
    }
    if (count == 5 && strcmp(arguments[1], "links") == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        publish(arguments[2], arguments + 3);
    }
    fputs("Usage: guests crowd PORT IDLE SLOW | guests first PORT IDS PROGRAM [ARGUMENT ...] | "
          "guests links FILE ONE OTHER\n",
          stderr);
    return 64;
}
