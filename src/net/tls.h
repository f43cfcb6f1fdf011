/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.2 and up, by OpenSSL: the certificates that a process shows and trusts, and the state of one connection.
 *
 * A tls_config belongs to one loop. It reads its files again when they change; open connections keep the certificates
 * that they began with. A tls_session has no socket: the transport moves the bytes between it, the wire and the
 * application.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

struct tls_options {
	const char *cert_file, *key_file; /* PEM, the chain after the certificate. A server needs both */
	/* PEM: the authorities to trust. NULL: a server asks for no certificate, a client trusts the system's. */
	const char *ca_file;
	bool http1_only; /* client: does not offer HTTP/2 */
};

struct tls_config;

/* Checks that a certificate and its key are given together, and that they are given if needed. */
int tls_check_certificate(const char *cert_file, const char *key_file, bool needed, struct error *err);

/* Copies the options. The error names the file that does not load. */
struct tls_config *tls_config_new(bool is_server, const struct tls_options *options, struct error *err);
struct tls_config *tls_config_ref(struct tls_config *config);
void tls_config_unref(struct tls_config *config);

/* Reads the files again if one has changed; checks at most once a second. Files that do not load are logged once, and
 * the old certificates stay in use. */
void tls_config_refresh(struct tls_config *config);

struct tls_session;

/* host: client only, the name or address that the peer's certificate must have; borrowed while the session lives. */
struct tls_session *tls_session_new(struct tls_config *config, const char *host);
void tls_session_free(struct tls_session *session);

/* Bytes from the wire. */
void tls_receive(struct tls_session *session, struct str wire);

enum tls_result { TLS_DONE, TLS_WANTS_MORE, TLS_ENDED, TLS_BROKEN };

enum tls_result tls_handshake(struct tls_session *session, struct error *err);
/* TLS_DONE: *ret_len bytes were read. TLS_ENDED: the peer has sent close_notify. */
enum tls_result tls_read(struct tls_session *session, char *ret_bytes, size_t max, size_t *ret_len, struct error *err);
int tls_write(struct tls_session *session, struct str bytes, struct error *err);
/* Sends close_notify. */
void tls_end(struct tls_session *session);

/* The bytes that wait for the wire; consume when they have been written. */
struct str tls_outgoing(struct tls_session *session);
void tls_outgoing_consume(struct tls_session *session);

/* After the handshake: "h2", "http/1.1" or "". */
struct str tls_protocol(const struct tls_session *session);
