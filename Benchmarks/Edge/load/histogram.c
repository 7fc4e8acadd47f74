#include "load.h"

#include <string.h>

enum { SUB_BITS = 6, SUBS = 1 << SUB_BITS, BUCKETS = SUBS * (64 - SUB_BITS + 1) };

static uint64_t counts[BUCKETS];
static uint64_t total;

static int bucket_of(uint64_t value) {
    if (value < SUBS) return (int)value;
    int shift = 63 - __builtin_clzll(value) - SUB_BITS;
    return (shift + 1) * SUBS + (int)(value >> shift) - SUBS;
}

/* The highest value that falls into a bucket. */
static uint64_t bucket_top(int bucket) {
    if (bucket < SUBS) return (uint64_t)bucket;
    int shift = bucket / SUBS - 1;
    uint64_t first = (uint64_t)(bucket % SUBS + SUBS) << shift;
    return first + ((uint64_t)1 << shift) - 1;
}

void histogram_clear(void) {
    memset(counts, 0, sizeof counts);
    total = 0;
}

void histogram_add(uint64_t value) {
    counts[bucket_of(value)]++;
    total++;
}

uint64_t histogram_quantile(double quantile) {
    uint64_t rank = (uint64_t)(quantile * (double)total), seen = 0;
    if (total == 0) return 0;
    if (rank >= total) rank = total - 1;
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        seen += counts[bucket];
        if (seen > rank) return bucket_top(bucket);
    }
    return 0;
}
