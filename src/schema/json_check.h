/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a JSON text is a value of a type. docs/schema.md says how each type is written.
 */
#pragma once

#include "base/error.h"
#include "schema/schema.h"

struct map;

struct schema_json {
	const struct schema_module *module; /* that the type is written in */
	const struct map *modules; /* the others by name, to follow references into; NULL: none */
	/* In place of modules: one of the others, or NULL; lent until the check ends. */
	const struct schema_module *(*find)(void *owner, const char *name);
	void *owner;
	const char *root; /* how an error calls the value: "request" */
	bool skip_unknown; /* fields that the schema does not have: for a response, whose module may be newer */
};

/* InvalidArgument names the place and what was expected there: "request.items[3].name: expected String, got number".
 * What belongs to a module that is not there may be any JSON. The modules were checked. */
int schema_check_json(const struct schema_json *json, const struct schema_type *type, struct str text,
		      struct error *err) MUST_USE;
