/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content types and encodings of requests and responses, and what a response means that speaks no protocol of ours.
 */
#pragma once

#include "rpc/rpc.h"

/* Whether type is wanted, "wanted+proto" or either with parameters; for a wanted with "+json", just that. Media types
 * have no case (RFC 9110 section 8.3.1). */
bool content_is_type(struct str type, struct str wanted);

/* Reads the name of an encoding, which has no case: gzip, identity, or empty for none. False: another one. */
bool content_read_encoding(struct str name, bool *ret_gzip);

/* Whether a list as in Accept-Encoding takes gzip (RFC 9110 section 12.5.3). */
bool content_accepts_gzip(struct str list);

/* Codes as words and HTTP statuses, by Connect's protocol reference. A client reads 499 for a call that was cancelled.
 */
const char *content_code_word(enum code code); /* "not_found" */
enum code content_code_from_word(const char *word, enum code otherwise); /* word may be NULL */
unsigned content_http_status(enum code code);

/* The code of a response that is not the protocol's (gRPC's http-grpc-status-mapping document; Connect's is the same).
 */
enum code content_code_from_http(unsigned status);

/* Client: checks that the response has HTTP status 200 and the wanted type. The code of one that has not is Internal if
 * its type begins with family, as the peer speaks the protocol then. */
int content_check_response(const struct rpc_stream *stream, struct str wanted, struct str family, struct error *err);
/* The same, of the type only. */
int content_check_type(const struct rpc_stream *stream, struct str wanted, struct str family, struct error *err);

/* Client: reads the response's encoding from that header. Fails if it was not offered. */
int content_read_response_encoding(const struct rpc_stream *stream, struct str header, bool *ret_gzip,
				   struct error *err);
