// Texts of fixed form to numbers, all their bytes at once: in C for the masks and shuffles of bytes
// that Swift's SIMD types do not have. A UUID takes SSE2, which every x86-64 has, and is inlined;
// an IPv4 address takes AVX2 where the processor has it. Others take loops. Each reads the bytes of
// its text and no others; they need no alignment.
#ifndef CTEXTS_H
#define CTEXTS_H

#include <stdint.h>

/// A UUID's two words, if its text was one.
struct ctexts_uuid {
    uint64_t high, low;
    int is_valid;
};

/// Larger than any IPv4 address.
#define CTEXTS_NO_IPV4 ((uint64_t)1 << 32)

/// The bytes as an IPv4 address, four numbers up to 255 without leading zeros, in host order;
/// CTEXTS_NO_IPV4 if they are none.
uint64_t ctexts_ipv4(const void *at, long count);

/// The same byte by byte, whatever the processor has.
uint64_t ctexts_ipv4_by_byte(const void *at, long count);

#if defined(__SSE2__)
#include <emmintrin.h>

static inline __m128i ctexts_all(int byte) { return _mm_set1_epi8((char)byte); }

/// The values of sixteen hexadecimal digits, and in `digits` which of them are digits.
static inline __m128i ctexts_hexadecimal(__m128i bytes, __m128i *digits) {
    __m128i number = _mm_sub_epi8(bytes, ctexts_all('0'));
    __m128i letter = _mm_sub_epi8(_mm_or_si128(bytes, ctexts_all(0x20)), ctexts_all('a'));
    __m128i is_number = _mm_cmpeq_epi8(_mm_min_epu8(number, ctexts_all(9)), number);
    __m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, ctexts_all(5)), letter);
    *digits = _mm_or_si128(is_number, is_letter);
    __m128i letters = _mm_and_si128(is_letter, _mm_add_epi8(letter, ctexts_all(10)));
    __m128i values = _mm_or_si128(_mm_and_si128(is_number, number), letters);
    // Two digits become one byte, in the low half of each pair.
    __m128i pairs = _mm_or_si128(_mm_slli_epi16(values, 4), _mm_srli_epi16(values, 8));
    return _mm_and_si128(pairs, _mm_set1_epi16(0xFF));
}

/// The 36 bytes at `at` as the text of a UUID, in either case.
static inline struct ctexts_uuid ctexts_uuid_36(const void *at) {
    struct ctexts_uuid none = {0, 0, 0};
    const char *text = (const char *)at;
    if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return none;
    __m128i first = _mm_unpacklo_epi64(
        _mm_loadl_epi64((const __m128i *)text),
        _mm_unpacklo_epi32(_mm_loadu_si32(text + 9), _mm_loadu_si32(text + 14)));
    __m128i second = _mm_unpacklo_epi64(
        _mm_unpacklo_epi32(_mm_loadu_si32(text + 19), _mm_loadu_si32(text + 24)),
        _mm_loadl_epi64((const __m128i *)(text + 28)));
    __m128i first_digits, second_digits;
    __m128i bytes = _mm_packus_epi16(ctexts_hexadecimal(first, &first_digits),
                                     ctexts_hexadecimal(second, &second_digits));
    if (_mm_movemask_epi8(_mm_and_si128(first_digits, second_digits)) != 0xFFFF) return none;
    struct ctexts_uuid uuid = {
        __builtin_bswap64((uint64_t)_mm_cvtsi128_si64(bytes)),
        __builtin_bswap64((uint64_t)_mm_cvtsi128_si64(_mm_srli_si128(bytes, 8))), 1};
    return uuid;
}

#else

/// The 36 bytes at `at` as the text of a UUID, in either case.
static inline struct ctexts_uuid ctexts_uuid_36(const void *at) {
    struct ctexts_uuid none = {0, 0, 0};
    uint64_t words[2] = {0, 0};
    int digits = 0;
    for (int index = 0; index < 36; index++) {
        uint8_t byte = ((const uint8_t *)at)[index];
        if (index == 8 || index == 13 || index == 18 || index == 23) {
            if (byte != '-') return none;
            continue;
        }
        uint8_t number = byte - '0', letter = (byte | 0x20) - 'a';
        if (number > 9 && letter > 5) return none;
        words[digits / 16] = words[digits / 16] << 4 | (number <= 9 ? number : letter + 10);
        digits++;
    }
    struct ctexts_uuid uuid = {words[0], words[1], 1};
    return uuid;
}

#endif
#endif
