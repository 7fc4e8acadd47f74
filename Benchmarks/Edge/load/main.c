/* Loads one server on 127.0.0.1 and tells, on one line of name=value, how many requests it
 * answered, how fast, and what that cost its processes. Every answer must be a whole 302. Bounded
 * in time and number; exits 1 if anything went wrong. `load --help` lists the options. */
#include "load.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

static struct options options = {.connections = 64, .depth = 1, .seconds = 2, .seed = 1};
static struct usage usage_begun, usage_ended;
static const char *const modes[] = {"keep-alive", "close", "tls-keep-alive", "tls-handshake",
                                    "tls-resume"};

void fail(const char *format, ...) {
    va_list values;
    va_start(values, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(1);
}

uint64_t clock_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void usage(void) {
    printf("Usage: load --port PORT --ids FILE [option ...]\n\n"
           "  --mode MODE         keep-alive (default), close, tls-keep-alive, tls-handshake or\n"
           "                      tls-resume; all but the kept ones send one request a connection\n"
           "  --connections N     1 to %d, default 64\n"
           "  --depth N           requests sent at once on a connection, 1 to %d, default 1\n"
           "  --rate N            requests a second, open loop; default as fast as answers come\n"
           "  --seconds N         measured, at most 60, default 2\n"
           "  --warmup N          seconds before it, at most 60, default 0\n"
           "  --count N           so many requests instead, no warm-up\n"
           "  --seed N            of everything random\n"
           "  --server PID,...    processes whose CPU time and memory are the server's\n"
           "  --beside PID,...    those of databases behind it\n"
           "  --cores N,...       the server's, to see whether anyone else used them\n"
           "  --request-bytes     only prints how long every request is\n",
           CONNECTIONS_MAX, DEPTH_MAX);
    exit(0);
}

static double number(const char *text, double least, double most) {
    char *end;
    double value = strtod(text, &end);
    if (*text == 0 || *end != 0 || !(value >= least && value <= most))
        fail("\"%s\" is no number from %g to %g", text, least, most);
    return value;
}

static int list(const char *text, int *values, int most) {
    char copy[1024], *rest = copy, *word;
    int count = 0;
    snprintf(copy, sizeof copy, "%s", text);
    while ((word = strsep(&rest, ",")) && *word) {
        if (count == most) fail("\"%s\" has more than %d numbers", text, most);
        values[count++] = (int)number(word, 0, 1 << 30);
    }
    return count;
}

static enum mode mode_of(const char *name) {
    for (int index = 0; index < 5; index++)
        if (strcmp(name, modes[index]) == 0) return (enum mode)index;
    fail("unknown mode \"%s\"", name);
}

static void set(int letter, const char *value) {
    switch (letter) {
    case 'p': options.port = (int)number(value, 1, 65535); break;
    case 'i': options.ids = value; break;
    case 'm': options.mode = mode_of(value); break;
    case 'c': options.connections = (int)number(value, 1, CONNECTIONS_MAX); break;
    case 'd': options.depth = (int)number(value, 1, DEPTH_MAX); break;
    case 'r': options.rate = number(value, 1, 1e6); break;
    case 's': options.seconds = number(value, 0.01, 60); break;
    case 'w': options.warmup = number(value, 0, 60); break;
    case 'n': options.count = (uint64_t)number(value, 1, 1e8); break;
    case 'e': options.seed = (uint64_t)number(value, 0, 1e15); break;
    case 'S': options.servers = list(value, options.server, PROCESSES_MAX); break;
    case 'B': options.besides = list(value, options.beside, PROCESSES_MAX); break;
    case 'C': options.cores = list(value, options.core, CORES_MAX); break;
    case 'b': printf("%d\n", REQUEST_BYTES); exit(0);
    case 'h': usage(); break;
    default: fail("load --help lists the options");
    }
}

static void read_options(int count, char **arguments) {
    static const struct option names[] = {
        {"port", 1, 0, 'p'},    {"ids", 1, 0, 'i'},           {"mode", 1, 0, 'm'},
        {"depth", 1, 0, 'd'},   {"connections", 1, 0, 'c'},   {"rate", 1, 0, 'r'},
        {"seconds", 1, 0, 's'}, {"warmup", 1, 0, 'w'},        {"count", 1, 0, 'n'},
        {"seed", 1, 0, 'e'},    {"server", 1, 0, 'S'},        {"beside", 1, 0, 'B'},
        {"cores", 1, 0, 'C'},   {"request-bytes", 0, 0, 'b'}, {"help", 0, 0, 'h'},
        {0, 0, 0, 0}};
    int letter;
    while ((letter = getopt_long(count, arguments, "", names, NULL)) != -1) set(letter, optarg);
    if (optind != count) fail("unknown argument \"%s\"", arguments[optind]);
    if (!options.port || !options.ids) fail("--port and --ids are needed");
    int is_kept = options.mode == KEEP_ALIVE || options.mode == TLS_KEEP_ALIVE;
    if (options.depth > 1 && (!is_kept || options.rate > 0))
        fail("only kept connections without a rate have a depth");
    if (options.rate > 0 && !is_kept) fail("only kept connections have a rate");
}

static void begin_interval(void) {
    histogram_clear();
    usage_begun = usage_read(&options);
}

static void end_interval(void) { usage_ended = usage_read(&options); }

static void print(const struct outcome *outcome) {
    double seconds = (double)(outcome->ended - outcome->started) / 1e9;
    double answers = (double)outcome->answers;
    double server = (double)(usage_ended.server - usage_begun.server);
    double beside = (double)(usage_ended.beside - usage_begun.beside);
    double wall = (double)(usage_ended.at - usage_begun.at);
    double cores = options.cores > 0 ? options.cores : 1;
    double busy = server / wall / cores;
    double others = (double)(usage_ended.core_busy - usage_begun.core_busy) / wall / cores - busy;
    struct memory memory = memory_read(&options);
    printf("answers=%lu errors=%lu reconnects=%lu resumed=%lu seconds=%.3f rate=%.0f ",
           outcome->answers, outcome->errors, outcome->reconnects, outcome->resumed, seconds,
           answers / seconds);
    printf("cpu_us=%.3f beside_us=%.3f busy=%.3f others=%.3f ", server / answers / 1e3,
           beside / answers / 1e3, busy, others > 0 ? others : 0);
    printf("p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f ",
           (double)histogram_quantile(0.5) / 1e3, (double)histogram_quantile(0.99) / 1e3,
           (double)histogram_quantile(0.999) / 1e3, (double)histogram_quantile(1) / 1e3);
    printf("answer_bytes=%.0f rss_kb=%ld pss_file_kb=%ld\n",
           (double)outcome->answer_bytes / answers, memory.rss_kilobytes,
           memory.pss_file_kilobytes);
}

int main(int count, char **arguments) {
    read_options(count, arguments);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1); /* waits of the open loop end on time */
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    requests_prepare(options.ids, options.seed,
                     options.mode != KEEP_ALIVE && options.mode != TLS_KEEP_ALIVE);
    struct outcome outcome = engine_run(&options, begin_interval, end_interval);
    if (outcome.answers == 0) fail("nothing was answered within the interval");
    print(&outcome);
    return outcome.errors > 0;
}
