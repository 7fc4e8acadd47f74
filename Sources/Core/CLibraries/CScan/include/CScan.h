// Functions that look at many bytes at once, and many small ones.
//
// The small ones look at sixteen or thirty-two bytes: which of them are of a class, one bit each,
// the first byte's the lowest. In C, because Swift's SIMD types have no way to turn a comparison
// into a mask but by a loop over lanes; inlined into Swift, each is some ten instructions of SSE2,
// which every x86-64 has. Other processors take the loops at the end. Each of them reads exactly as
// many bytes at `at` as its name says; they need no alignment.
#ifndef CSCAN_H
#define CSCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/// Of bytes that are marked at once.
#define CSCAN_SLICE_BYTES_MAX 576

/// A bit for each of them.
struct cscan_marks {
    uint64_t words[CSCAN_SLICE_BYTES_MAX / 64];
};

/// What this processor does the functions below by, chosen before `main` begins and never again:
/// thirty-two bytes at once where it has AVX2.
extern void (*cscan_chosen_mark_text_stops)(const uint8_t *, size_t, size_t, uint64_t *);
extern int (*cscan_chosen_may_hold_token)(const uint8_t *, size_t);

/// Sets a bit for each byte from `from` to before `to`, the first byte's the lowest of the first
/// word: for what is not printable ASCII or a space, and for the last byte but one whatever it is.
/// They are 2 to CSCAN_SLICE_BYTES_MAX bytes; `to` is at least 64, and nothing outside of `base` to
/// `to` is read.
static inline void cscan_mark_text_stops(const uint8_t *base, size_t from, size_t to,
                                         uint64_t *stops) {
    cscan_chosen_mark_text_stops(base, from, to, stops);
}

/// The same without AVX2, whatever the processor has.
void cscan_mark_text_stops_by_16(const uint8_t *base, size_t from, size_t to, uint64_t *stops);

/// Whether so many bytes at `at` may hold `access_token=`. 0 is certain; of few bytes, and without
/// AVX2, it says 1. Reads no other bytes. Says to Swift's compiler what it cannot see.
__attribute__((swift_attr("@_noAllocation"), swift_attr("@_noLocks")))
static inline int cscan_may_hold_token(const uint8_t *at, size_t bytes) {
    return cscan_chosen_may_hold_token(at, bytes);
}

/// The first `byte` of so many at `at`, or null.
static inline const void *cscan_find(const void *at, size_t bytes, uint8_t byte) {
    return memchr(at, byte, bytes);
}

/// Whether a byte is of the class; what the masks are made of, byte by byte.
static inline int cscan_is_name(uint8_t byte) {
    uint8_t folded = byte | 0x20;
    return (folded >= 'a' && folded <= 'z') || byte == '-';
}

static inline int cscan_is_label(uint8_t byte) {
    return cscan_is_name(byte) || (byte >= '0' && byte <= '9') || byte == '_';
}

static inline int cscan_is_text(uint8_t byte) { return byte >= 0x20 && byte < 0x7F; }

static inline int cscan_is_target(uint8_t byte) {
    return byte > 0x20 && byte < 0x7F && byte != '"' && byte != '#' && byte != '<' &&
           byte != '>' && byte != '?';
}

#if defined(__SSE2__)
#include <emmintrin.h>

static inline __m128i cscan_load(const void *at) { return _mm_loadu_si128((const __m128i *)at); }

static inline __m128i cscan_all(int byte) { return _mm_set1_epi8((char)byte); }

/// Bytes from `low` to `high`, around the end of the range of bytes if `low` is the greater: moved
/// so that `high` is the greatest signed byte, they are those above a bound.
static inline __m128i cscan_between(__m128i bytes, int low, int high) {
    return _mm_cmpgt_epi8(_mm_add_epi8(bytes, cscan_all(0x7F - high)),
                          cscan_all(0x7F - high + low - 1));
}

static inline __m128i cscan_names(__m128i bytes) {
    __m128i folded = _mm_or_si128(bytes, cscan_all(0x20));
    return _mm_or_si128(cscan_between(folded, 'a', 'z'), _mm_cmpeq_epi8(bytes, cscan_all('-')));
}

/// Flags what is no ASCII letter and no `-`.
static inline uint32_t cscan_not_name_16(const void *at) {
    return (uint32_t)_mm_movemask_epi8(cscan_names(cscan_load(at))) ^ 0xFFFF;
}

/// Flags what is no ASCII letter or digit, no `-` and no `_`.
static inline uint32_t cscan_not_label_16(const void *at) {
    __m128i bytes = cscan_load(at);
    __m128i others = _mm_or_si128(cscan_between(bytes, '0', '9'),
                                  _mm_cmpeq_epi8(bytes, cscan_all('_')));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(cscan_names(bytes), others)) ^ 0xFFFF;
}

/// Flags what is no ASCII letter or digit, no `-` and no `.`, of bytes that are all text; of others
/// it flags some.
static inline uint32_t cscan_not_host_text_16(const void *at) {
    __m128i bytes = cscan_load(at);
    __m128i letters = cscan_between(_mm_or_si128(bytes, cscan_all(0x20)), 'a', 'z');
    __m128i others = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, cscan_all('/')),
                                      cscan_between(bytes, '-', '9'));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(letters, others)) ^ 0xFFFF;
}

/// Flags what is not printable ASCII or a space.
static inline uint32_t cscan_not_text_32(const void *at) {
    __m128i low = cscan_between(cscan_load(at), 0x7F, 0x1F);
    __m128i high = cscan_between(cscan_load((const char *)at + 16), 0x7F, 0x1F);
    return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
}

/// Flags what is not printable ASCII, and `"`, `#`, `<`, `>` and `?`.
static inline uint32_t cscan_not_target_16(const void *at) {
    __m128i bytes = cscan_load(at);
    // " and # differ in the lowest bit, < and > in the one above.
    __m128i quote = _mm_cmpeq_epi8(_mm_and_si128(bytes, cscan_all(0xFE)), cscan_all(0x22));
    __m128i angle = _mm_cmpeq_epi8(_mm_and_si128(bytes, cscan_all(0xFD)), cscan_all(0x3C));
    __m128i mark = _mm_cmpeq_epi8(bytes, cscan_all('?'));
    __m128i stops = _mm_or_si128(_mm_or_si128(quote, angle),
                                 _mm_or_si128(mark, cscan_between(bytes, 0x7F, 0x20)));
    return (uint32_t)_mm_movemask_epi8(stops);
}

/// Flags the bytes that are `byte`.
static inline uint32_t cscan_equal_32(const void *at, uint8_t byte) {
    __m128i wanted = cscan_all(byte);
    __m128i low = _mm_cmpeq_epi8(cscan_load(at), wanted);
    __m128i high = _mm_cmpeq_epi8(cscan_load((const char *)at + 16), wanted);
    return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
}

#else

#define CSCAN_LOOP(count, test)                                                                  \
    const uint8_t *bytes = (const uint8_t *)at;                                                  \
    uint32_t mask = 0;                                                                           \
    for (int index = 0; index < count; index++) {                                                \
        uint8_t next = bytes[index];                                                             \
        mask |= (uint32_t)(test) << index;                                                       \
    }                                                                                            \
    return mask;

static inline uint32_t cscan_not_name_16(const void *at) { CSCAN_LOOP(16, !cscan_is_name(next)) }
static inline uint32_t cscan_not_label_16(const void *at) { CSCAN_LOOP(16, !cscan_is_label(next)) }
static inline uint32_t cscan_not_host_text_16(const void *at) {
    CSCAN_LOOP(16, next == '_' || !(cscan_is_label(next) || next == '.'))
}
static inline uint32_t cscan_not_text_32(const void *at) { CSCAN_LOOP(32, !cscan_is_text(next)) }
static inline uint32_t cscan_not_target_16(const void *at) {
    CSCAN_LOOP(16, !cscan_is_target(next))
}
static inline uint32_t cscan_equal_32(const void *at, uint8_t byte) {
    CSCAN_LOOP(32, next == byte)
}

#undef CSCAN_LOOP
#endif
#endif
