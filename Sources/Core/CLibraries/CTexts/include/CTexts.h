// Texts of fixed form to numbers and back, all their bytes at once: in C for the shuffles of bytes
// that Swift's SIMD types do not have, by AVX2 where the processor has it and in loops elsewhere.
// Each touches the bytes of its text and no others; they need no alignment.
#ifndef CTEXTS_H
#define CTEXTS_H

#include <stdint.h>

/// Larger than any IPv4 address.
#define CTEXTS_NO_IPV4 ((uint64_t)1 << 32)

/// The same byte by byte, whatever the processor has.
int ctexts_uuid_36_by_byte(const void *at, uint64_t *words);
void ctexts_put_uuid_by_byte(uint64_t high, uint64_t low, void *at);
uint64_t ctexts_ipv4_by_byte(const void *at, long count);

/// What this processor does them by, chosen before `main` begins and never again.
extern int (*ctexts_chosen_uuid_36)(const void *, uint64_t *);
extern void (*ctexts_chosen_put_uuid)(uint64_t, uint64_t, void *);
extern uint64_t (*ctexts_chosen_ipv4)(const void *, long);

/// The 36 bytes at `at` as the text of a UUID, in either case. Returns 0 if they are none, and else
/// has put its two words into `words`, the upper one first. Says to Swift's compiler what it cannot
/// see, so that what it proves of the parser holds across this call.
__attribute__((swift_attr("@_noAllocation"), swift_attr("@_noLocks")))
static inline int ctexts_uuid_36(const void *at, uint64_t *words) {
    return ctexts_chosen_uuid_36(at, words);
}

/// Writes the 36 lower-case bytes of a UUID's text. Says the same to the compiler, for the proof of
/// an answer's writer.
__attribute__((swift_attr("@_noAllocation"), swift_attr("@_noLocks")))
static inline void ctexts_put_uuid(uint64_t high, uint64_t low, void *at) {
    ctexts_chosen_put_uuid(high, low, at);
}

/// The bytes as an IPv4 address, four numbers up to 255 without leading zeros, in host order;
/// CTEXTS_NO_IPV4 if they are none.
static inline uint64_t ctexts_ipv4(const void *at, long count) {
    return ctexts_chosen_ipv4(at, count);
}

#endif
