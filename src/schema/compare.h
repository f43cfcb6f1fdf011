/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changed between two schemas of a module, and whom it hurts. docs/schema.md has the table of rules.
 *
 * There are two questions about each change of a type. Does it narrow: are there values of the old type that the new
 * one refuses? Does it widen: are there values of the new type that a reader of the old one does not understand?
 * Narrowing hurts those who send it, and whatever is stored of it; widening hurts those who receive it.
 */
#pragma once

#include "base/buf.h"
#include "schema/schema.h"

enum { SCHEMA_CHANGES_MAX = 10000 };

struct schema_change {
	const char *path; /* "EchoRequest.name", "echo response", "Mood" */
	const char *text; /* "was String?, is now String" */
	bool breaks_callers; /* of an exported verb, or users of an exported type */
	bool breaks_data;
	struct schema_pos pos; /* in the new schema; in the old one of what is gone */
	const struct schema_decl *old_decl, *new_decl; /* what it belongs to; NULL: added or gone */
	bool narrows, widens; /* a type */
	bool breaks_verb; /* a verb: its callers, if it has any */
};

struct schema_comparison {
	const struct schema_module *old_module, *new_module; /* borrowed */
	const struct schema_change *changes; /* those that break most come first */
	size_t count;
	size_t left_out; /* past SCHEMA_CHANGES_MAX */
	bool breaks_callers, breaks_data; /* any, those left out as well */
};

/* Both were checked and have one name. *ret_comparison is in arena, which has SCHEMA_ARENA_MAX room. */
void schema_compare(const struct schema_module *old_module, const struct schema_module *new_module, struct arena *arena,
		    struct schema_comparison *ret_comparison);

/* "unsafe for callers, stored data", … or "safe"; never NULL. */
const char *schema_change_effect(const struct schema_change *change);

/* A line for each change. -1: over the buffer's maximum. */
int schema_comparison_print(const struct schema_comparison *comparison, struct buf *buf) MUST_USE;
