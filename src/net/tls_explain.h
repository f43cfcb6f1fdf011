/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says in words why TLS failed: which certificate, authority or name is wrong, and on which side.
 */
#pragma once

#include <openssl/ssl.h>

#include "base/error.h"

/* What this side was given. The strings are borrowed. */
struct tls_side {
	const char *cert_file; /* NULL: this side shows no certificate */
	const char *ca_file; /* NULL: the authorities of the system */
	const char *host; /* client: the name or address that the peer's certificate must have */
};

/* Sets err, with a reason, to what OpenSSL's queue of errors and the state of the session say; empties the queue. */
void tls_explain(SSL *ssl, const struct tls_side *side, struct error *err);

/* Why a PEM file could not be loaded, from OpenSSL's queue of errors, which it empties. what: "could not load the TLS
 * key". */
int tls_explain_file(const char *what, const char *file, struct error *err);
