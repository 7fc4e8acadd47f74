/* One thread, one epoll. Closed loop: each connection sends its next batch when the last is
 * answered whole. Open loop (paced): requests fall due at random moments of a fixed rate, whatever
 * the server does; one that finds no free connection waits, and its latency counts from when it was
 * due, so a server that stalls cannot hide it (coordinated omission). */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 256, ERRORS_MAX = 100, SOURCES = 1000 };
enum { PATIENCE_SECONDS = 10 };

enum phase { IDLE, HANDSHAKE, WAITING, ENDING };

struct connection {
    int raw;
    enum phase phase;
    int outstanding;
    SSL *ssl;
    uint64_t since; /* when the batch was sent, its connection begun, or its request due */
    size_t filled;
    char *input;
};

static const struct options *options;
static struct outcome outcome;
static struct connection *connections;
static size_t input_bytes;
static char *batch;
static int epoll_raw, is_measuring;
static uint64_t last_answer_at, budget, in_flight;
static SSL_CTX *tls;
static SSL_SESSION *session;
/* What the last answer's head and body came to; the next is probably alike. */
static size_t usual_head, usual_bytes;
/* Connections free to send, in turn, for the open loop. */
static int *idle_ring;
static size_t idle_first, idle_count;

static void open_connection(struct connection *connection, uint64_t since);

static int is_short_lived(void) {
    return options->mode == CLOSE || options->mode == TLS_HANDSHAKE || options->mode == TLS_RESUME;
}

static int keep_session(SSL *ssl, SSL_SESSION *fresh) {
    (void)ssl;
    SSL_SESSION_free(session);
    session = fresh;
    return 1;
}

static void prepare_tls(void) {
    tls = SSL_CTX_new(TLS_client_method());
    if (!tls) fail("OpenSSL does not start");
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL); /* a certificate made for the run */
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (options->mode == TLS_RESUME) SSL_CTX_sess_set_new_cb(tls, keep_session);
}

/* Ends a connection, for good or before it is opened again. */
static void drop(struct connection *connection) {
    if (connection->ssl) {
        /* Else OpenSSL takes the session for a broken one, and it is never resumed. */
        SSL_set_shutdown(connection->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(connection->ssl);
    }
    connection->ssl = NULL;
    close(connection->raw);
    in_flight -= (uint64_t)connection->outstanding;
    connection->outstanding = 0;
}

static void count_error(const char *what, const char *bytes, size_t count) {
    if (outcome.errors == 0) {
        size_t shown = strcspn(bytes, "\r\n");
        fprintf(stderr, "load: %s: \"%.*s\"\n", what, (int)(shown < count ? shown : count), bytes);
    }
    if (++outcome.errors > ERRORS_MAX) fail("more than %d errors", ERRORS_MAX);
}

/* The length of the answer at the start of the bytes, 0 if it is not whole yet. */
static size_t answer_length(const char *bytes, size_t count) {
    if (usual_bytes && count >= usual_bytes && memcmp(bytes, "HTTP/1.1 302 ", 13) == 0 &&
        memcmp(bytes + usual_head - 4, "\r\n\r\n", 4) == 0)
        return usual_bytes;
    const char *end = memmem(bytes, count, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - bytes) + 4, body = 0;
    int has_length = 0;
    for (const char *line = bytes; line < end; line = (const char *)memchr(line, '\n', count) + 1) {
        if (strncasecmp(line, "content-length:", 15) == 0) {
            body = (size_t)strtoul(line + 15, NULL, 10);
            has_length = 1;
        }
    }
    if (strncmp(bytes, "HTTP/1.1 302 ", 13) != 0) count_error("not a redirect", bytes, count);
    else if (!has_length) count_error("no Content-Length", bytes, count);
    if (count < head + body) return 0;
    usual_head = head;
    usual_bytes = head + body;
    return head + body;
}

static void send_whole(struct connection *connection, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = connection->ssl ? SSL_write(connection->ssl, bytes, (int)count)
                                       : send(connection->raw, bytes, count,
                                              MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes += sent;
            count -= (size_t)sent;
            continue;
        }
        if (!connection->ssl && errno != EAGAIN) return; /* the read that follows tells */
        /* A batch fits an empty send buffer, so this is rare enough to wait in place. */
        struct pollfd wait = {.fd = connection->raw, .events = POLLOUT};
        if (poll(&wait, 1, 1000) <= 0) return;
    }
}

/* Sends the next batch, if the budget has one. */
static void submit(struct connection *connection, uint64_t since) {
    size_t depth = (size_t)options->depth;
    if (options->count) {
        if (budget == 0) {
            connection->phase = IDLE;
            return;
        }
        if (depth > budget) depth = (size_t)budget;
        budget -= depth;
    }
    for (size_t index = 0; index < depth; index++) requests_next(batch + index * REQUEST_BYTES);
    connection->phase = WAITING;
    connection->outstanding = (int)depth;
    in_flight += depth;
    connection->since = since;
    send_whole(connection, batch, depth * REQUEST_BYTES);
}

static void become_free(struct connection *connection) {
    connection->phase = IDLE;
    idle_ring[(idle_first + idle_count++) % (size_t)options->connections] =
        (int)(connection - connections);
}

/* The connection stands, encrypted if it is to be. */
static void begin(struct connection *connection) {
    if (options->rate > 0) become_free(connection);
    else submit(connection, is_short_lived() ? connection->since : clock_now());
}

static void shake_hands(struct connection *connection) {
    int result = SSL_do_handshake(connection->ssl);
    if (result == 1) {
        outcome.resumed += (uint64_t)SSL_session_reused(connection->ssl);
        begin(connection);
        return;
    }
    int error = SSL_get_error(connection->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
    fail("TLS handshake: %s", ERR_reason_error_string(ERR_get_error()));
}

static void open_connection(struct connection *connection, uint64_t since) {
    static unsigned next_source;
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET};
    connection->raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->raw < 0) fail("socket: %s", strerror(errno));
    setsockopt(connection->raw, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    /* From many addresses, lest closed connections use up the ports of one. */
    setsockopt(connection->raw, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    unsigned source = next_source++ % SOURCES;
    address.sin_addr.s_addr =
        htonl(INADDR_LOOPBACK + ((1 + source / 250) << 8) + source % 250);
    if (bind(connection->raw, (struct sockaddr *)&address, sizeof address))
        fail("bind: %s", strerror(errno));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)options->port);
    if (connect(connection->raw, (struct sockaddr *)&address, sizeof address))
        fail("connect: %s", strerror(errno));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll_raw, EPOLL_CTL_ADD, connection->raw, &event))
        fail("epoll_ctl: %s", strerror(errno));
    connection->filled = 0;
    connection->since = since;
    connection->outstanding = 0;
    if (!tls) return begin(connection);
    fcntl(connection->raw, F_SETFL, O_NONBLOCK);
    connection->ssl = SSL_new(tls);
    if (!connection->ssl || !SSL_set_fd(connection->ssl, connection->raw)) fail("SSL_new");
    SSL_set_connect_state(connection->ssl);
    if (session) SSL_set_session(connection->ssl, session);
    connection->phase = HANDSHAKE;
    shake_hands(connection);
}

/* Bytes read; 0 at the end of the stream, -1 if there is nothing now. */
static ssize_t take(struct connection *connection) {
    char *room = connection->input + connection->filled;
    size_t bytes = input_bytes - connection->filled;
    if (!connection->ssl) {
        ssize_t got = recv(connection->raw, room, bytes, MSG_DONTWAIT);
        if (got >= 0) return got;
        return errno == EAGAIN ? -1 : 0;
    }
    int got = SSL_read(connection->ssl, room, (int)bytes);
    if (got > 0) return got;
    int error = SSL_get_error(connection->ssl, got);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

/* Counts the whole answers that have come and moves the rest to the front. */
static void read_answers(struct connection *connection, uint64_t now) {
    size_t offset = 0;
    while (connection->outstanding > 0) {
        size_t length =
            answer_length(connection->input + offset, connection->filled - offset);
        if (length == 0) break;
        offset += length;
        connection->outstanding--;
        in_flight--;
        last_answer_at = now;
        if (!is_measuring) continue;
        outcome.answers++;
        outcome.answer_bytes += length;
        /* A request that was due before the interval began belongs to the warm-up. */
        if (connection->since >= outcome.started || options->rate == 0)
            histogram_add(now - connection->since);
    }
    connection->filled -= offset;
    memmove(connection->input, connection->input + offset, connection->filled);
    if (connection->filled == input_bytes)
        fail("an answer is longer than %zu bytes", input_bytes);
    if (connection->outstanding == 0 && connection->filled > 0) {
        count_error("bytes nobody asked for", connection->input, connection->filled);
        connection->filled = 0;
    }
}

static void end_of_stream(struct connection *connection) {
    if (connection->outstanding > 0) {
        outcome.errors += (uint64_t)connection->outstanding;
        count_error("connection lost under a request", "", 0);
    } else if (!is_short_lived()) {
        outcome.reconnects++;
        if (connection->phase == IDLE && options->rate > 0) fail("an idle connection was closed");
    }
    drop(connection);
    if (options->count && budget == 0) {
        connection->raw = -1;
        return;
    }
    open_connection(connection, clock_now());
}

static void handle(struct connection *connection) {
    if (connection->phase == HANDSHAKE) return shake_hands(connection);
    do {
        ssize_t got = take(connection);
        if (got < 0) return;
        if (got == 0) return end_of_stream(connection);
        connection->filled += (size_t)got;
        uint64_t now = clock_now();
        read_answers(connection, now);
        if (connection->phase != WAITING || connection->outstanding > 0) continue;
        if (is_short_lived()) {
            connection->phase = ENDING;
        } else if (options->rate > 0) {
            become_free(connection);
        } else {
            submit(connection, now);
        }
        /* Bytes that OpenSSL has read already would wake no epoll. */
    } while (connection->ssl && SSL_pending(connection->ssl) > 0);
}

/* Nanoseconds to the next request of a Poisson stream. */
static uint64_t interval(void) {
    double uniform = ((double)(random_word() >> 11) + 0.5) / 9007199254740992.0;
    return (uint64_t)(-log(uniform) * 1e9 / options->rate);
}

/* Sends what has fallen due, and returns when the next does. */
static uint64_t send_due(uint64_t due, uint64_t now) {
    while (due <= now && idle_count > 0) {
        struct connection *connection = &connections[idle_ring[idle_first]];
        idle_first = (idle_first + 1) % (size_t)options->connections;
        idle_count--;
        submit(connection, due);
        due += interval();
    }
    return due;
}

static int wait_for_events(struct epoll_event *events, uint64_t due) {
    struct timespec wait = {.tv_nsec = 100000000};
    if (options->rate > 0 && idle_count > 0) {
        uint64_t now = clock_now(), left = due > now ? due - now : 0;
        if (left < 100000000) wait.tv_nsec = (long)left;
    }
    return epoll_pwait2(epoll_raw, events, EVENTS_MAX, &wait, NULL);
}

static void prepare(void) {
    connections = calloc((size_t)options->connections, sizeof *connections);
    idle_ring = calloc((size_t)options->connections, sizeof *idle_ring);
    batch = malloc((size_t)options->depth * REQUEST_BYTES);
    input_bytes = 4096 + (size_t)options->depth * 1024;
    epoll_raw = epoll_create1(EPOLL_CLOEXEC);
    if (!connections || !idle_ring || !batch || epoll_raw < 0) fail("no memory");
    if (options->mode >= TLS_KEEP_ALIVE) prepare_tls();
    budget = options->count;
    for (int index = 0; index < options->connections; index++) {
        connections[index].input = malloc(input_bytes);
        if (!connections[index].input) fail("no memory");
        open_connection(&connections[index], clock_now());
    }
}

struct outcome engine_run(const struct options *wanted, void (*begin_interval)(void),
                          void (*end_interval)(void)) {
    static struct epoll_event events[EVENTS_MAX];
    options = wanted;
    is_measuring = options->count > 0;
    if (is_measuring) {
        begin_interval();
        outcome.started = clock_now();
    }
    prepare();
    uint64_t now = clock_now(), due = now;
    uint64_t begins = now + (uint64_t)(options->warmup * 1e9);
    uint64_t ends = begins + (uint64_t)(options->seconds * 1e9);
    last_answer_at = now;
    for (;;) {
        now = clock_now();
        if (options->count ? budget == 0 && in_flight == 0 : now >= ends) break;
        if (!is_measuring && now >= begins) {
            begin_interval();
            is_measuring = 1;
            outcome.started = clock_now();
        }
        if (now - last_answer_at > PATIENCE_SECONDS * 1000000000ull)
            fail("no answer for %d s", PATIENCE_SECONDS);
        if (options->rate > 0) due = send_due(due, now);
        int count = wait_for_events(events, due);
        for (int index = 0; index < count; index++) handle(events[index].data.ptr);
    }
    outcome.ended = clock_now();
    end_interval();
    return outcome;
}
