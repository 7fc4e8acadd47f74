/* The load generator of the edge's benchmarks, see main.c. Times are nanoseconds of
 * CLOCK_MONOTONIC throughout. */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <stdint.h>

enum { CONNECTIONS_MAX = 20000, DEPTH_MAX = 64, PROCESSES_MAX = 64, CORES_MAX = 64 };

enum mode { KEEP_ALIVE, CLOSE, TLS_KEEP_ALIVE, TLS_HANDSHAKE, TLS_RESUME };

struct options {
    int port;
    enum mode mode;
    int connections;
    int depth;          /* requests sent at once on a connection, before any is answered */
    double rate;        /* requests a second, open loop; 0 for as fast as answers come */
    double seconds;     /* of the measured interval */
    double warmup;      /* before it */
    uint64_t count;     /* send exactly so many instead, all measured; 0 for by time */
    uint64_t seed;
    const char *ids;    /* file of UUIDs, one a line */
    int server[PROCESSES_MAX], servers;   /* process ids whose CPU and memory are the server's */
    int beside[PROCESSES_MAX], besides;   /* those of what the server leans on: databases */
    int core[CORES_MAX], cores;           /* where the server runs */
};

/* What a run came to. */
struct outcome {
    uint64_t answers;       /* within the measured interval */
    uint64_t answer_bytes;  /* of them */
    uint64_t errors;        /* wrong status, broken answer, connection lost under a request */
    uint64_t reconnects;    /* a kept connection that the server ended between requests */
    uint64_t resumed;       /* TLS handshakes that resumed a session, warm-up included */
    uint64_t started, ended;
};

/* Prints a sentence and exits. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
uint64_t clock_now(void);

/* requests.c: every request is REQUEST_BYTES long, so that a server that parses nothing can count
 * them. */
enum { REQUEST_BYTES = 576 };
void requests_prepare(const char *ids_path, uint64_t seed, int closes);
void requests_next(char *target);
uint64_t random_word(void);

/* histogram.c: 64 buckets for each power of two, so a value is known to 1.6 %. */
void histogram_clear(void);
void histogram_add(uint64_t value);
uint64_t histogram_quantile(double quantile);

/* process.c */
struct usage {
    uint64_t at;
    uint64_t server, beside;      /* CPU time of all threads, ended ones included */
    uint64_t core_busy;           /* of the server's cores, whoever used them */
};
struct memory {
    long rss_kilobytes, pss_file_kilobytes;
};
struct usage usage_read(const struct options *options);
struct memory memory_read(const struct options *options);

/* engine.c */
struct outcome engine_run(const struct options *options, void (*begin)(void), void (*end)(void));

#endif
