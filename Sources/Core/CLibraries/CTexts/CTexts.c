#include "CTexts.h"

int ctexts_uuid_36_by_byte(const void *at, uint64_t *words) {
    uint64_t read[2] = {0, 0};
    int digits = 0;
    for (int index = 0; index < 36; index++) {
        uint8_t byte = ((const uint8_t *)at)[index];
        if (index == 8 || index == 13 || index == 18 || index == 23) {
            if (byte != '-') return 0;
            continue;
        }
        uint8_t number = byte - '0', letter = (byte | 0x20) - 'a';
        if (number > 9 && letter > 5) return 0;
        read[digits / 16] = read[digits / 16] << 4 | (number <= 9 ? number : letter + 10);
        digits++;
    }
    words[0] = read[0];
    words[1] = read[1];
    return 1;
}

void ctexts_put_uuid_by_byte(uint64_t high, uint64_t low, void *at) {
    char *text = (char *)at;
    for (int digit = 0; digit < 32; digit++) {
        if (digit == 8 || digit == 12 || digit == 16 || digit == 20) *text++ = '-';
        uint64_t word = digit < 16 ? high : low;
        *text++ = "0123456789abcdef"[word >> (60 - digit % 16 * 4) & 0xF];
    }
}

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

int (*ctexts_chosen_uuid_36)(const void *, uint64_t *) = ctexts_uuid_36_by_byte;
void (*ctexts_chosen_put_uuid)(uint64_t, uint64_t, void *) = ctexts_put_uuid_by_byte;
uint64_t (*ctexts_chosen_ipv4)(const void *, long) = ctexts_ipv4_by_byte;

#if defined(__x86_64__)
#include <string.h>
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m128i load_16(const void *at) {
    return _mm_loadu_si128((const __m128i *)at);
}

// A row for each upper half of a byte, a column for each lower one: a digit's have a bit in common.
#define ROWS 0, 0, 0, 1, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define COLUMNS 1, 3, 3, 3, 3, 3, 3, 1, 1, 1, 0, 0, 0, 0, 0, 0
// What a letter's lower half lacks.
#define LACKS 0, 0, 0, 0, 9, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0

AVX2 static int uuid_36(const void *at, uint64_t *words) {
    const char *text = (const char *)at;
    // From offset 8: the digits 9 to 12, 14 to 17 and 19 to 22, and behind them the hyphens.
    const __m128i order = _mm_setr_epi8(1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 0, 5, 10, 15);
    __m128i middle = _mm_shuffle_epi8(load_16(text + 8), order);
    __m128i first = _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)text), middle);
    // The last sixteen bytes, whose first four end with a hyphen and give way to 19 to 22.
    __m128i second = _mm_blend_epi32(load_16(text + 20), _mm_srli_si128(middle, 8), 1);
    __m256i bytes = _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
    __m256i half = _mm256_set1_epi8(0x0F);
    __m256i lower = _mm256_and_si256(bytes, half);
    __m256i upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);
    __m256i common =
        _mm256_and_si256(_mm256_shuffle_epi8(_mm256_setr_epi8(ROWS, ROWS), upper),
                         _mm256_shuffle_epi8(_mm256_setr_epi8(COLUMNS, COLUMNS), lower));
    int others = _mm256_movemask_epi8(_mm256_cmpeq_epi8(common, _mm256_setzero_si256()));
    if (others != 0 || _mm_extract_epi32(middle, 3) != 0x2D2D2D2D) return 0;
    __m256i values = _mm256_add_epi8(
        lower, _mm256_shuffle_epi8(_mm256_setr_epi8(LACKS, LACKS), upper));
    // Two digits are a number of 16 bits; the eight lower halves of a word's, the last one first.
    __m256i pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi16(1 << 8 | 16));
    const __m256i reversed =
        _mm256_set_epi64x(-1, 0x00020406080A0C0E, -1, 0x00020406080A0C0E);
    __m256i both = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(pairs, reversed), 2 << 2);
    _mm_storeu_si128((__m128i *)words, _mm256_castsi256_si128(both));
    return 1;
}

AVX2 static void put_uuid(uint64_t high, uint64_t low, void *at) {
    char *text = (char *)at;
    __m128i words = _mm_set_epi64x((int64_t)__builtin_bswap64(low),
                                   (int64_t)__builtin_bswap64(high));
    __m128i half = _mm_set1_epi8(0x0F), lower = _mm_and_si128(words, half);
    __m128i upper = _mm_and_si128(_mm_srli_epi16(words, 4), half);
    __m128i digits = load_16("0123456789abcdef");
    __m128i first = _mm_shuffle_epi8(digits, _mm_unpacklo_epi8(upper, lower));
    __m128i second = _mm_shuffle_epi8(digits, _mm_unpackhi_epi8(upper, lower));
    // Up to offset 16: the digits 1 to 14; up to 32: 15 to 28; the last four.
    const __m128i start = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -1, 8, 9, 10, 11, -1, 12, 13);
    const __m128i middle = _mm_setr_epi8(0, 1, -1, 2, 3, 4, 5, -1, 6, 7, 8, 9, 10, 11, 12, 13);
    const __m128i in_start = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, '-', 0, 0, 0, 0, '-', 0, 0);
    const __m128i in_middle = _mm_setr_epi8(0, 0, '-', 0, 0, 0, 0, '-', 0, 0, 0, 0, 0, 0, 0, 0);
    __m128i between = _mm_alignr_epi8(second, first, 14);
    int last = _mm_extract_epi32(second, 3);
    _mm_storeu_si128((__m128i *)text, _mm_or_si128(_mm_shuffle_epi8(first, start), in_start));
    _mm_storeu_si128((__m128i *)(text + 16),
                     _mm_or_si128(_mm_shuffle_epi8(between, middle), in_middle));
    memcpy(text + 32, &last, 4);
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

AVX2 static uint64_t ipv4(const void *at, long count) {
    const char *text = (const char *)at;
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

__attribute__((constructor)) static void choose(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2")) return;
    ctexts_chosen_uuid_36 = uuid_36;
    ctexts_chosen_put_uuid = put_uuid;
    ctexts_chosen_ipv4 = ipv4;
}
#endif
