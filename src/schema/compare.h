/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The changes between two schemas of a module, and whom they break. docs/schema.md has the table of rules. The
 * structure of types decides, and their names do not.
 *
 * A change of a type narrows it when the new type refuses some value of the old one, and widens it when a reader of the
 * old type does not understand some value of the new one. Narrowing breaks senders and stored data; widening breaks
 * receivers.
 */
#pragma once

#include "base/buf.h"
#include "schema/schema.h"

enum { SCHEMA_CHANGES_MAX = 10000 };

struct schema_change {
	const char *path; /* "EchoRequest.name", "echo response", "Mood" */
	const char *text; /* "was String?, is now String" */
	bool breaks_callers; /* callers of an exported verb, or users of an exported type */
	bool breaks_data;
	struct schema_pos pos; /* in the new schema; in the old one if it was removed */
	const struct schema_decl *old_decl,
		*new_decl; /* the changed declaration; NULL: old of an added, new of a removed one */
	bool narrows, widens; /* of a type */
	bool breaks_verb; /* of a verb: every caller is broken */
};

struct schema_comparison {
	const struct schema_module *old_module, *new_module; /* borrowed */
	const struct schema_change *changes; /* the most breaking first */
	size_t count;
	size_t left_out; /* changes past SCHEMA_CHANGES_MAX */
	bool breaks_callers, breaks_data; /* whether any change does, including those left out */
};

/* Where the other modules are, whose types may take the place of the module's own. */
struct schema_others {
	const struct schema_module *(*find)(void *owner, const char *name); /* NULL: there is no such module */
	void *owner;
};

/* Both modules were checked and have the same name. others may be NULL: then a type of another module is only like
 * itself. The comparison is in arena, which needs SCHEMA_ARENA_MAX free bytes. */
void schema_compare(const struct schema_module *old_module, const struct schema_module *new_module,
		    const struct schema_others *others, struct arena *arena, struct schema_comparison *ret_comparison);

/* "unsafe for callers, stored data", … or "safe"; never NULL. */
const char *schema_change_effect(const struct schema_change *change);

/* A line for each change. -1: over the buffer's maximum. */
int schema_comparison_print(const struct schema_comparison *comparison, struct buf *buf) MUST_USE;
