// CRC-32C (Castagnoli, RFC 3720 appendix B.4): the polynomial for which both x86-64 and aarch64
// have an instruction. In C, because Swift has no way to compile one function for a newer processor
// than the rest of the program.
#ifndef CCHECKSUM_H
#define CCHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// Continues `crc` (0 to begin) over `count` bytes; by the processor's instruction if it has one.
uint32_t cchecksum_crc32c(uint32_t crc, const void *bytes, size_t count);

/// The same by table, on any processor; the reference that the fast one is tested against.
uint32_t cchecksum_crc32c_portable(uint32_t crc, const void *bytes, size_t count);

/// 1 if `cchecksum_crc32c` uses the processor's instruction.
int cchecksum_has_instruction(void);

#endif
