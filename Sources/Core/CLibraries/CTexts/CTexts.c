#include "CTexts.h"

uint64_t ctexts_ipv4_by_byte(const void *at, long count) {
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

#if defined(__x86_64__)
#include <string.h>
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m128i load_16(const void *at) {
    return _mm_loadu_si128((const __m128i *)at);
}

/// How an address is read whose dots stand at certain places.
struct form {
    /// For each number its ones, tens and hundreds, and nothing: where they stand, 128 for nowhere.
    uint8_t digits[16];
    /// The least that each number can be without a leading zero.
    int32_t least[4];
    /// A bit for each dot, and one behind the end.
    uint32_t ends;
};

// Puts the 81 forms, of numbers of one to three digits, into 256 places, each into one of its own:
// found by trying multipliers.
#define PLACE(ends) ((uint32_t)((ends) * 0x372DA969u) >> 24)
#define ENDS(a, b, c, d)                                                                         \
    (1u << (a) | 1u << ((a) + (b) + 1) | 1u << ((a) + (b) + (c) + 2) |                           \
     1u << ((a) + (b) + (c) + (d) + 3))
#define DIGITS(start, count)                                                                     \
    (start) + (count)-1, (count) > 1 ? (start) + (count)-2 : 128, (count) > 2 ? (start) : 128, 128
#define LEAST(count) (count) == 1 ? 0 : (count) == 2 ? 10 : 100
#define FORM(a, b, c, d)                                                                         \
    [PLACE(ENDS(a, b, c, d))] = {                                                                \
        {DIGITS(0, a), DIGITS((a) + 1, b), DIGITS((a) + (b) + 2, c),                             \
         DIGITS((a) + (b) + (c) + 3, d)},                                                        \
        {LEAST(a), LEAST(b), LEAST(c), LEAST(d)},                                                \
        ENDS(a, b, c, d),                                                                        \
    },
#define FORMS_3(a, b, c) FORM(a, b, c, 1) FORM(a, b, c, 2) FORM(a, b, c, 3)
#define FORMS_2(a, b) FORMS_3(a, b, 1) FORMS_3(a, b, 2) FORMS_3(a, b, 3)
#define FORMS_1(a) FORMS_2(a, 1) FORMS_2(a, 2) FORMS_2(a, 3)

static const struct form forms[256] = {FORMS_1(1) FORMS_1(2) FORMS_1(3)};

/// The bytes of a text of 7 to 15, and zeros.
AVX2 static inline __m128i load_7_to_15(const char *text, long count) {
    if (count >= 8) {
        // The last eight bytes, less those that the first eight have.
        __m128i last = _mm_srl_epi64(_mm_loadl_epi64((const __m128i *)(text + count - 8)),
                                     _mm_cvtsi32_si128((int)(128 - 8 * count)));
        return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)text), last);
    }
    uint32_t first, last;
    memcpy(&first, text, 4);
    memcpy(&last, text + 3, 4);
    return _mm_cvtsi64_si128((int64_t)(first | (uint64_t)last << 24));
}

AVX2 static uint64_t ipv4(const char *text, long count) {
    if (count < 7 || count > 15) return CTEXTS_NO_IPV4;
    __m128i bytes = load_7_to_15(text, count);
    int dots = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('.')));
    uint32_t ends = (uint32_t)dots | 1u << count;
    const struct form *form = &forms[PLACE(ends)];
    if (form->ends != ends) return CTEXTS_NO_IPV4;
    __m128i digits =
        _mm_shuffle_epi8(_mm_sub_epi8(bytes, _mm_set1_epi8('0')), load_16(form->digits));
    __m128i are_digits = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
    // Tens with ones, and hundreds, in words of 16 bits, which are then added up.
    __m128i parts = _mm_maddubs_epi16(digits, _mm_set1_epi32(100 << 16 | 10 << 8 | 1));
    __m128i values = _mm_madd_epi16(parts, _mm_set1_epi16(1));
    __m128i outside = _mm_or_si128(_mm_cmpgt_epi32(values, _mm_set1_epi32(255)),
                                   _mm_cmpgt_epi32(load_16(form->least), values));
    if (_mm_movemask_epi8(_mm_andnot_si128(outside, are_digits)) != 0xFFFF) {
        return CTEXTS_NO_IPV4;
    }
    const __m128i lowest = _mm_cvtsi32_si128(0x0004080C);
    return (uint32_t)_mm_cvtsi128_si32(_mm_shuffle_epi8(values, lowest));
}

// A load and a test: the processor was asked when the process began.
#define IF_AVX2(call) if (__builtin_cpu_supports("avx2")) return call
#else
#define IF_AVX2(call)
#endif

uint64_t ctexts_ipv4(const void *at, long count) {
    IF_AVX2(ipv4((const char *)at, count));
    return ctexts_ipv4_by_byte(at, count);
}
