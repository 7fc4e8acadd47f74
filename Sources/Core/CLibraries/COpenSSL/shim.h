// OpenSSL for Swift. What its headers have as macros is here as functions, since macros with
// arguments do not import.
#ifndef COPENSSL_SHIM_H
#define COPENSSL_SHIM_H

// SHA256_* are "deprecated" in 3.0 in favour of EVP, whose contexts live on the heap and whose
// copies allocate each time (3.0's EVP_MD_CTX_copy_ex duplicates the provider's context). A MAC for
// every request must not allocate.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#include "tls.h"

/// HMAC-SHA-256 (RFC 2104) with the key's two blocks already hashed. Plain bytes, copied freely.
typedef struct {
    SHA256_CTX inner;
    SHA256_CTX outer;
} copenssl_hmac_key;

static inline copenssl_hmac_key copenssl_hmac_prepare(const void *key, size_t bytes) {
    copenssl_hmac_key prepared;
    unsigned char block[SHA256_CBLOCK] = {0};
    unsigned char padded[SHA256_CBLOCK];
    if (bytes > sizeof block) {
        SHA256((const unsigned char *)key, bytes, block);
    } else if (bytes > 0) {
        memcpy(block, key, bytes);
    }
    for (size_t i = 0; i < sizeof block; i++) padded[i] = block[i] ^ 0x36;
    SHA256_Init(&prepared.inner);
    SHA256_Update(&prepared.inner, padded, sizeof padded);
    for (size_t i = 0; i < sizeof block; i++) padded[i] = block[i] ^ 0x5C;
    SHA256_Init(&prepared.outer);
    SHA256_Update(&prepared.outer, padded, sizeof padded);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(padded, sizeof padded);
    return prepared;
}

/// Writes the 32 bytes of the code.
static inline void copenssl_hmac(
    const copenssl_hmac_key *key, const void *bytes, size_t count, unsigned char *code
) {
    SHA256_CTX state = key->inner;
    SHA256_Update(&state, bytes, count);
    SHA256_Final(code, &state);
    state = key->outer;
    SHA256_Update(&state, code, SHA256_DIGEST_LENGTH);
    SHA256_Final(code, &state);
}

#endif
