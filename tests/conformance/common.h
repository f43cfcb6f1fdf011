/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the programs under test. The suite sends them messages on standard input and reads standard output; each
 * message follows its length.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"
#include "http/http.h"
#include "pb/types.h"
#include "rpc/rpc.h"

/* Reads the next message into buf. False: the input has ended. */
bool read_frame(int fd, struct buf *buf);
void write_frame(int fd, struct str message);

/* Writes bytes to a new file: TLS reads certificates from files. */
const char *temporary_file(struct str bytes);

/* The last field of that number. */
struct str field_bytes(struct str message, unsigned number);
uint64_t field_number(struct str message, unsigned number);
bool has_field(struct str message, unsigned number);

/* Adds messages of type Header to headers. */
void add_header_fields(struct http_headers *headers, struct arena *arena, struct str message, unsigned number);
/* Adds headers to a message as fields of that number; headers of one name are one field. */
void put_header_fields(struct buf *message, unsigned number, const struct http_headers *headers);
void put_any(struct buf *message, unsigned number, struct str type, struct str value);

/* Aborts if result is not 0. */
void must(int result);

struct types *conformance_types_new(void);
