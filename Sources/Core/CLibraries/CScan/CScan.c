#include "CScan.h"

// Three blocks a turn, since the turn itself costs half a block. The last block of all overlaps the
// one before, so that nothing is read at or behind `to`.
#define MARK_TEXT_STOPS(not_text_64)                                                             \
    const uint8_t *at = base + from, *last = base + to - 64;                                     \
    uint64_t *next = stops;                                                                      \
    for (; last - at >= 128; at += 192, next += 3) {                                             \
        next[0] = not_text_64(at);                                                               \
        next[1] = not_text_64(at + 64);                                                          \
        next[2] = not_text_64(at + 128);                                                         \
    }                                                                                            \
    for (; at <= last; at += 64) *next++ = not_text_64(at);                                      \
    if (at < last + 64) *next = not_text_64(last) >> (at - last);                                \
    stops[(to - from - 2) / 64] |= (uint64_t)1 << ((to - from - 2) % 64);

static inline uint64_t not_text_64(const uint8_t *at) {
    return cscan_not_text_32(at) | (uint64_t)cscan_not_text_32(at + 32) << 32;
}

void cscan_mark_text_stops_by_16(const uint8_t *base, size_t from, size_t to, uint64_t *stops) {
    MARK_TEXT_STOPS(not_text_64)
}

static int may_hold_token(const uint8_t *at, size_t bytes) { return 1; }

void (*cscan_chosen_mark_text_stops)(const uint8_t *, size_t, size_t, uint64_t *) =
    cscan_mark_text_stops_by_16;
int (*cscan_chosen_may_hold_token)(const uint8_t *, size_t) = may_hold_token;

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i load_32(const uint8_t *at) {
    return _mm256_loadu_si256((const __m256i *)at);
}

AVX2 static inline __m256i all_32(int byte) { return _mm256_set1_epi8((char)byte); }

/// As `cscan_between`.
AVX2 static inline __m256i between_32(__m256i bytes, int low, int high) {
    return _mm256_cmpgt_epi8(_mm256_add_epi8(bytes, all_32(0x7F - high)),
                             all_32(0x7F - high + low - 1));
}

AVX2 static inline uint64_t mask_64(__m256i low, __m256i high) {
    return (uint32_t)_mm256_movemask_epi8(low) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

AVX2 static inline uint64_t not_text_64_avx2(const uint8_t *at) {
    return mask_64(between_32(load_32(at), 0x7F, 0x1F), between_32(load_32(at + 32), 0x7F, 0x1F));
}

AVX2 static void mark_text_stops_avx2(const uint8_t *base, size_t from, size_t to,
                                      uint64_t *stops) {
    MARK_TEXT_STOPS(not_text_64_avx2)
}

/// 0xFF where an underscore stands and, six bytes behind it, an equals sign.
AVX2 static inline __m256i like_token_32(const uint8_t *at) {
    return _mm256_and_si256(_mm256_cmpeq_epi8(load_32(at), all_32('_')),
                            _mm256_cmpeq_epi8(load_32(at + 6), all_32('=')));
}

AVX2 static int may_hold_token_avx2(const uint8_t *at, size_t bytes) {
    if (bytes < 38) return 1;
    // The last block overlaps the one before, so that nothing is read behind the bytes.
    const uint8_t *last = at + bytes - 38;
    __m256i found = like_token_32(last);
    for (; at < last; at += 32) found = _mm256_or_si256(found, like_token_32(at));
    return !_mm256_testz_si256(found, found);
}

__attribute__((constructor)) static void choose(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2")) return;
    cscan_chosen_mark_text_stops = mark_text_stops_avx2;
    cscan_chosen_may_hold_token = may_hold_token_avx2;
}
#endif
