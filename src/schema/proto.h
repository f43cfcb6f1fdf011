/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Converts between the model and its protobuf form, Schema__Module of schema.pb-c.h.
 */
#pragma once

#include "base/buf.h"
#include "schema/diagnostics.h"

struct Schema__Module;

/*
 * What a peer sent, as a model in arena that keeps nothing of message. Whatever the protobuf form can hold and the
 * model cannot (a declaration of no kind, a verb without a request, text that is not UTF-8, …) is an error that names
 * the place; all of them are found in one run. Returns -1 when there were any: *ret_module is untouched then.
 *
 * What it makes is well-formed and no more: schema_check tells whether it means something.
 */
int schema_from_proto(const struct Schema__Module *message, struct arena *arena, struct schema_module **ret_module,
		      struct schema_diagnostics *diagnostics) MUST_USE;

/* The message is in arena and borrows its texts from module. protobuf-c must not free it. */
struct Schema__Module *schema_to_proto(const struct schema_module *module, struct arena *arena);

/* The bytes that stand for a schema: its packed protobuf form without positions and without the time of its creation,
 * the rest in its own order. Equal schemas give equal bytes, in every version of FTL. -1: over the buffer's maximum. */
int schema_canonical(const struct schema_module *module, struct buf *buf) MUST_USE;
