/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the suite talks to the programs under test: on standard input and output, each message after its length.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"
#include "http/http.h"
#include "pb/types.h"
#include "rpc/rpc.h"

/* Reads the next message into buf. False: there is none. */
bool read_frame(int fd, struct buf *buf);
void write_frame(int fd, struct str message);

/* Writes bytes to a new file, for what wants its certificates in one. */
const char *temporary_file(struct str bytes);

/* A field of the wire format: the last one of that number. */
struct str field_bytes(struct str message, unsigned number);
uint64_t field_number(struct str message, unsigned number);
bool has_field(struct str message, unsigned number);

/* Adds messages of type Header to headers. */
void add_header_fields(struct http_headers *headers, struct arena *arena, struct str message, unsigned number);
/* Puts headers into a message, as fields of that number; a name that comes more than once is one field. */
void put_header_fields(struct buf *message, unsigned number, const struct http_headers *headers);
void put_any(struct buf *message, unsigned number, struct str type, struct str value);

/* For what must not fail here. */
void must(int result);

struct types *conformance_types_new(void);
