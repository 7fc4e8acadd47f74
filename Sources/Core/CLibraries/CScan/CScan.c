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

static inline uint64_t not_label_64(const uint8_t *at) {
    return cscan_not_label_16(at) | cscan_not_label_16(at + 16) << 16 |
           (uint64_t)(cscan_not_label_16(at + 32) | cscan_not_label_16(at + 48) << 16) << 32;
}

static void mark_text_stops(const uint8_t *base, size_t from, size_t to, uint64_t *stops) {
    MARK_TEXT_STOPS(not_text_64)
}

void cscan_mark_head_by_16(const uint8_t *base, size_t to, struct cscan_marks *marks) {
    marks->label_stops = not_label_64(base);
    mark_text_stops(base, 0, to, marks->text_stops);
}

static int may_hold_token(const uint8_t *at, size_t bytes) { return 1; }

void (*cscan_chosen_mark_text_stops)(const uint8_t *, size_t, size_t, uint64_t *) =
    mark_text_stops;
void (*cscan_chosen_mark_head)(const uint8_t *, size_t, struct cscan_marks *) =
    cscan_mark_head_by_16;
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

/// Bytes that are no labels as 0xFF. A row for each upper half of a byte and a column for each
/// lower one; bytes with the highest bit find no column.
AVX2 static inline __m256i not_labels_32(__m256i bytes) {
    const __m128i columns =
        _mm_setr_epi8(0x2A, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3C, 0x14,
                      0x14, 0x15, 0x14, 0x1C);
    const __m128i rows = _mm_setr_epi8(0, 0, 1, 2, 4, 8, 0x10, 0x20, 0, 0, 0, 0, 0, 0, 0, 0);
    __m256i upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), all_32(0x0F));
    __m256i row = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(rows), upper);
    __m256i column = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(columns), bytes);
    return _mm256_cmpeq_epi8(_mm256_and_si256(row, column), _mm256_setzero_si256());
}

AVX2 static void mark_text_stops_avx2(const uint8_t *base, size_t from, size_t to,
                                      uint64_t *stops) {
    MARK_TEXT_STOPS(not_text_64_avx2)
}

AVX2 static void mark_head_avx2(const uint8_t *base, size_t to, struct cscan_marks *marks) {
    marks->label_stops = mask_64(not_labels_32(load_32(base)), not_labels_32(load_32(base + 32)));
    mark_text_stops_avx2(base, 0, to, marks->text_stops);
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
    cscan_chosen_mark_head = mark_head_avx2;
    cscan_chosen_may_hold_token = may_hold_token_avx2;
}
#endif
