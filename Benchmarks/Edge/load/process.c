/* What the kernel knows of the server's processes. */
#include "load.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A process's CPU-time clock is the scheduler's own sum over its threads, exact to the nanosecond;
 * utime and stime of /proc are the same sum, split by sampling. */
static uint64_t cpu_of(int pid) {
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &time))
        fail("process %d has ended", pid);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t core_busy(int core) {
    char line[512], name[16];
    uint64_t user, nice, system, idle, wait, irq, softirq, busy = 0;
    FILE *file = fopen("/proc/stat", "re");
    if (!file) return 0;
    snprintf(name, sizeof name, "cpu%d ", core);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name))) continue;
        if (sscanf(line + strlen(name), "%lu %lu %lu %lu %lu %lu %lu", &user, &nice, &system, &idle,
                   &wait, &irq, &softirq) == 7)
            busy = user + nice + system + irq + softirq;
    }
    fclose(file);
    return busy * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

struct usage usage_read(const struct options *options) {
    struct usage usage = {.at = clock_now()};
    for (int index = 0; index < options->servers; index++)
        usage.server += cpu_of(options->server[index]);
    for (int index = 0; index < options->besides; index++)
        usage.beside += cpu_of(options->beside[index]);
    for (int index = 0; index < options->cores; index++)
        usage.core_busy += core_busy(options->core[index]);
    return usage;
}

static long field_of(int pid, const char *file_name, const char *field) {
    char path[64], line[256];
    long value = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file_name);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0) sscanf(line + strlen(field), "%ld", &value);
    fclose(file);
    return value;
}

struct memory memory_read(const struct options *options) {
    struct memory memory = {0};
    for (int index = 0; index < options->servers; index++) {
        memory.rss_kilobytes += field_of(options->server[index], "status", "VmRSS:");
        memory.pss_file_kilobytes += field_of(options->server[index], "smaps_rollup", "Pss_File:");
    }
    return memory;
}
