// Texts of fixed form to numbers, all their bytes at once: in C for the masks of bytes that Swift's
// SIMD types do not have, with SSE2, which every x86-64 has. Other processors take the loops at the
// end. Each reads the bytes of its text and no others; they need no alignment.
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

/// The bytes as an IPv4 address, four numbers up to 255 without leading zeros, in host order;
/// CTEXTS_NO_IPV4 if they are none.
static inline uint64_t ctexts_ipv4(const void *at, long count) {
    const char *text = (const char *)at;
    if (count < 7 || count > 15) return CTEXTS_NO_IPV4;
    __m128i bytes;
    if (count >= 8) {
        // The last eight bytes, less those that the first eight have.
        __m128i last = _mm_srl_epi64(_mm_loadl_epi64((const __m128i *)(text + count - 8)),
                                     _mm_cvtsi32_si128((int)(128 - 8 * count)));
        bytes = _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)text), last);
    } else {
        uint32_t first, last;
        __builtin_memcpy(&first, text, 4);
        __builtin_memcpy(&last, text + 3, 4);
        bytes = _mm_cvtsi64_si128((int64_t)(first | (uint64_t)last << 24));
    }
    __m128i numbers = _mm_sub_epi8(bytes, ctexts_all('0'));
    uint32_t digits = (uint32_t)_mm_movemask_epi8(
        _mm_cmpeq_epi8(_mm_min_epu8(numbers, ctexts_all(9)), numbers));
    uint32_t zeros = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, ctexts_all('0')));
    uint32_t dots = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, ctexts_all('.')));
    uint32_t starts = dots << 1 | 1;
    uint32_t dots_after_1 = dots & (dots - 1), dots_after_2 = dots_after_1 & (dots_after_1 - 1);
    // Of other bytes, numbers that are empty, of four digits, or begin with a zero; and the dots.
    uint32_t pairs = digits & digits >> 1;
    uint32_t faults = ((digits | dots) ^ ((1u << count) - 1)) | (starts & ~digits) |
                      (pairs & pairs >> 2) | (starts & zeros & digits >> 1) |
                      (dots_after_2 & (dots_after_2 - 1));
    if (faults != 0 || dots_after_2 == 0) return CTEXTS_NO_IPV4;
    int ends[4] = {__builtin_ctz(dots), __builtin_ctz(dots_after_1),
                   __builtin_ctz(dots_after_2), (int)count};
    uint32_t parts[4];
    for (int index = 0; index < 4; index++) {
        int start = index == 0 ? 0 : ends[index - 1] + 1;
        int length = ends[index] - start;
        uint32_t part;
        // Four bytes that lie in the text: those from the start, later those up to the end.
        __builtin_memcpy(&part, index < 2 ? text + start : text + ends[index] - 4, 4);
        parts[index] = (index < 2 ? part : part >> (8 * (4 - length))) << (8 * (3 - length));
    }
    // Of each the lowest three bytes, hundreds first.
    __m128i four = _mm_set_epi32((int)parts[3], (int)parts[2], (int)parts[1], (int)parts[0]);
    __m128i outer = _mm_and_si128(four, _mm_set1_epi32(0x000F000F));
    __m128i tens = _mm_and_si128(_mm_srli_epi32(four, 8), _mm_set1_epi32(0xF));
    __m128i values = _mm_add_epi32(_mm_madd_epi16(outer, _mm_set1_epi32(100 | 1 << 16)),
                                   _mm_madd_epi16(tens, _mm_set1_epi32(10)));
    if (_mm_movemask_epi8(_mm_cmpgt_epi32(values, _mm_set1_epi32(255))) != 0) {
        return CTEXTS_NO_IPV4;
    }
    __m128i words = _mm_packs_epi32(values, values);
    return __builtin_bswap32((uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(words, words)));
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

/// The bytes as an IPv4 address, four numbers up to 255 without leading zeros, in host order;
/// CTEXTS_NO_IPV4 if they are none.
static inline uint64_t ctexts_ipv4(const void *at, long count) {
    const uint8_t *text = (const uint8_t *)at;
    uint32_t value = 0, number = 0;
    int digits = 0, dots = 0;
    for (long index = 0; index < count; index++) {
        if (text[index] == '.') {
            if (digits == 0 || ++dots > 3) return CTEXTS_NO_IPV4;
            value = value << 8 | number;
            number = 0;
            digits = 0;
        } else if ((uint8_t)(text[index] - '0') <= 9 && (digits == 0 || number != 0)) {
            number = number * 10 + (text[index] - '0');
            digits++;
            if (number > 255) return CTEXTS_NO_IPV4;
        } else {
            return CTEXTS_NO_IPV4;
        }
    }
    return dots == 3 && digits > 0 ? (uint64_t)(value << 8 | number) : CTEXTS_NO_IPV4;
}

#endif
#endif
