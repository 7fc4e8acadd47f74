// Server-side TLS over memory: what of it is macros or callbacks in OpenSSL.
#ifndef COPENSSL_TLS_H
#define COPENSSL_TLS_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

/// Where the sessions of one thread read and write: what has been received and is to be taken, and
/// room for what is to be sent. Many sessions share one, in turn.
typedef struct {
    const unsigned char *input;
    size_t input_count;
    unsigned char *output;
    size_t output_count;
    size_t output_max;
} copenssl_wire;

static int copenssl_wire_read(BIO *bio, char *target, size_t max, size_t *got) {
    copenssl_wire *wire = (copenssl_wire *)BIO_get_data(bio);
    size_t count = wire->input_count < max ? wire->input_count : max;
    BIO_clear_retry_flags(bio);
    *got = count;
    if (count == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(target, wire->input, count);
    wire->input += count;
    wire->input_count -= count;
    return 1;
}

/// Takes all or, without room, nothing: that ends the session, since no retry is asked for.
static int copenssl_wire_write(BIO *bio, const char *source, size_t count, size_t *taken) {
    copenssl_wire *wire = (copenssl_wire *)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *taken = 0;
    if (count > wire->output_max - wire->output_count) return 0;
    memcpy(wire->output + wire->output_count, source, count);
    wire->output_count += count;
    *taken = count;
    return 1;
}

static long copenssl_wire_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

/// Made once for a process. NULL without memory.
static inline BIO_METHOD *copenssl_wire_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    if (!method) return NULL;
    BIO_meth_set_read_ex(method, copenssl_wire_read);
    BIO_meth_set_write_ex(method, copenssl_wire_write);
    BIO_meth_set_ctrl(method, copenssl_wire_control);
    return method;
}

/// HTTP/1.1 or nothing: a client that offers other protocols only could not talk to us anyway, and
/// RFC 7301 has it told so.
static int copenssl_choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_count,
                                    const unsigned char *offered, unsigned int count, void *none) {
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    (void)ssl, (void)none;
    int found = SSL_select_next_proto(&chosen, out_count, ours, sizeof ours - 1, offered, count);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// A key behind a passphrase is refused: OpenSSL would ask for it at the terminal.
static int copenssl_no_passphrase(char *room, int max, int is_writing, void *none) {
    (void)room, (void)max, (void)is_writing, (void)none;
    return -1;
}

/// A server's context without certificate and key. NULL if OpenSSL refuses a setting.
static inline SSL_CTX *copenssl_context_new(void) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context) return NULL;
    SSL_CTX_set_default_passwd_cb(context, copenssl_no_passphrase);
    SSL_CTX_set_alpn_select_cb(context, copenssl_choose_protocol, NULL);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    // Sessions live in tickets alone: no memory of ours, no lock between workers.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    // The one ticket of a TLS 1.3 session goes with its first answer; see copenssl_add_ticket.
    SSL_CTX_set_num_tickets(context, 0);
    // Each BIO_read is a copy from memory here: one for a record, not one more for its head.
    SSL_CTX_set_read_ahead(context, 1);
    int is_set =
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) &&
        // Of TLS 1.2 only what has forward secrecy and authenticates while it encrypts.
        SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") &&
        SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
    if (is_set) return context;
    SSL_CTX_free(context);
    return NULL;
}

/// Has `newer` open the tickets that `older` gave.
static inline int copenssl_take_ticket_keys(SSL_CTX *newer, SSL_CTX *older) {
    unsigned char keys[256];
    long bytes = SSL_CTX_get_tlsext_ticket_keys(older, NULL, 0);
    if (bytes <= 0 || bytes > (long)sizeof keys) return 0;
    int is_done = SSL_CTX_get_tlsext_ticket_keys(older, keys, bytes) == 1 &&
                  SSL_CTX_set_tlsext_ticket_keys(newer, keys, bytes) == 1;
    OPENSSL_cleanse(keys, sizeof keys);
    return is_done;
}

/// When the certificate of a context ends, in Unix seconds; 0 if that cannot be told.
static inline long long copenssl_expiry(SSL_CTX *context) {
    struct tm parts;
    X509 *certificate = SSL_CTX_get0_certificate(context);
    if (!certificate) return 0;
    return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) ? timegm(&parts) : 0;
}

/// A session that awaits a client's hello on the wire. NULL without memory.
static inline SSL *copenssl_session_new(SSL_CTX *context, BIO_METHOD *method, copenssl_wire *wire) {
    BIO *bio = BIO_new(method);
    SSL *ssl = bio ? SSL_new(context) : NULL;
    if (!ssl) {
        BIO_free(bio);
        return NULL;
    }
    BIO_set_data(bio, wire);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    return ssl;
}

/// In TLS 1.3: the next record written is preceded by a ticket. Else nothing.
static inline void copenssl_add_ticket(SSL *ssl) {
    if (SSL_version(ssl) >= TLS1_3_VERSION) SSL_new_session_ticket(ssl);
}

/// Whether received bytes wait inside, or on the wire, that a further read could use.
static inline int copenssl_has_more(const SSL *ssl, const copenssl_wire *wire) {
    return wire->input_count > 0 || SSL_has_pending(ssl);
}

/// What went wrong first, in OpenSSL's words; what follows is who was told. Empties its list.
static inline const char *copenssl_reason(int *number) {
    unsigned long error = ERR_peek_error();
    const char *text = ERR_reason_error_string(error);
    *number = ERR_GET_REASON(error);
    ERR_clear_error();
    return text ? text : "no reason given";
}

#endif
