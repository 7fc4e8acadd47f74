/* The least a server can do: receive, answer, nothing else. It parses nothing; it divides the bytes
 * that came by the length every request has, and sends that many copies of one fixed answer. What a
 * real server costs above this is its own work, and what this costs is the kernel's.
 *
 *   floor PORT REQUEST_BYTES ANSWER_FILE WORKERS keep-alive|close
 *
 * Loopback only. Each worker is a process with a listener of its own on the shared port, as the
 * edge's are threads. Ends on SIGTERM.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DESCRIPTORS_MAX = 65536, EVENTS_MAX = 512, COPIES_MAX = 64, INPUT_BYTES = 65536 };

static uint32_t carried[DESCRIPTORS_MAX]; /* bytes of a request that has not come whole yet */
static char input[INPUT_BYTES];
static char *answers; /* COPIES_MAX times the answer */
static size_t answer_bytes, request_bytes;
static int closes;

static void fail(const char *operation) {
    fprintf(stderr, "floor: %s: %s\n", operation, strerror(errno));
    exit(1);
}

static void read_answer(const char *path) {
    static char text[16384];
    FILE *file = fopen(path, "re");
    if (!file) fail(path);
    answer_bytes = fread(text, 1, sizeof text, file);
    fclose(file);
    if (answer_bytes < 16 || answer_bytes == sizeof text) {
        fprintf(stderr, "floor: %s is no answer\n", path);
        exit(1);
    }
    answers = malloc(answer_bytes * COPIES_MAX);
    if (!answers) fail("malloc");
    for (int copy = 0; copy < COPIES_MAX; copy++)
        memcpy(answers + (size_t)copy * answer_bytes, text, answer_bytes);
}

static int listen_on(int port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0) fail("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    /* Inherited by what is accepted, so that it costs no call for each connection. */
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address)) fail("bind");
    if (listen(listener, 4096)) fail("listen");
    return listener;
}

static void take_connections(int epoll, int listener) {
    for (int number = 0; number < 64; number++) {
        int raw = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (raw < 0) return;
        if (raw >= DESCRIPTORS_MAX) {
            close(raw);
            continue;
        }
        carried[raw] = 0;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = raw};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, raw, &event)) close(raw);
    }
}

static void serve(int raw) {
    ssize_t got = recv(raw, input, sizeof input, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) close(raw);
        return;
    }
    size_t bytes = carried[raw] + (size_t)got, whole = bytes / request_bytes;
    carried[raw] = (uint32_t)(bytes % request_bytes);
    while (whole > 0) {
        size_t copies = whole < COPIES_MAX ? whole : COPIES_MAX;
        /* A batch's answers fit every send buffer; a peer that does not read is no case here. */
        if (send(raw, answers, copies * answer_bytes, MSG_NOSIGNAL) < 0) break;
        whole -= copies;
        if (closes) {
            close(raw);
            return;
        }
    }
}

static void run(int port) {
    static struct epoll_event events[EVENTS_MAX];
    int listener = listen_on(port), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event)) fail("epoll");
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int number = 0; number < count; number++) {
            if (events[number].data.fd == listener)
                take_connections(epoll, listener);
            else
                serve(events[number].data.fd);
        }
    }
}

int main(int count, char **arguments) {
    if (count != 6) {
        fprintf(stderr, "Usage: floor PORT REQUEST_BYTES ANSWER_FILE WORKERS keep-alive|close\n");
        return 64;
    }
    int port = atoi(arguments[1]), workers = atoi(arguments[4]);
    request_bytes = (size_t)atoi(arguments[2]);
    closes = strcmp(arguments[5], "close") == 0;
    if (port <= 0 || request_bytes == 0 || workers < 1 || workers > 64) return 64;
    read_answer(arguments[3]);
    for (int worker = 1; worker < workers; worker++) {
        pid_t parent = getpid(), child = fork();
        if (child < 0) fail("fork");
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            if (getppid() != parent) return 0;
            break;
        }
    }
    run(port);
}
