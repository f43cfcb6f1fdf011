/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the verb of a CallRequest from the message's first bytes, without unpacking it.
 *
 * The fields of a message may come in any order (the protobuf encoding document), so the verb may follow the body.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"

enum verb_peek_result {
	VERB_PEEK_FOUND,
	VERB_PEEK_MORE, /* these bytes do not contain the verb: call again with *ret_need of them */
	VERB_PEEK_BAD, /* err is set */
};

enum { VERB_NAME_MAX = 255 };

struct verb_name {
	struct str module, name; /* views into the bytes */
};

/* bytes are the first of a message of size bytes. *ret_need is more than bytes.len and at most size. A message that is
 * whole and names no verb, or half of one, is BAD: InvalidArgument that names the missing field. */
enum verb_peek_result verb_peek(struct str bytes, size_t size, struct verb_name *ret_verb, size_t *ret_need,
				struct error *err);
