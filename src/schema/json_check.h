/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks whether a JSON text is a value of a type. docs/schema.md says how each type is written.
 */
#pragma once

#include "base/error.h"
#include "schema/schema.h"

struct map;

struct schema_json {
	const struct schema_module *module; /* the module in which the type is written */
	const struct map *modules; /* other modules by name, for references; NULL: none */
	/* Instead of modules: looks a module up; NULL: not available. The module is borrowed until the check ends. */
	const struct schema_module *(*find)(void *owner, const char *name);
	void *owner;
	const char *root; /* the first step of paths in errors: "request" */
	bool skip_unknown; /* ignore unknown fields: for a response, whose module may be newer */
};

/* InvalidArgument, with a path and a reason: "request.items[3].name: expected String, got number", "WRONG_TYPE". A
 * value of a module that is not available may be any JSON. All modules were checked before. */
int schema_check_json(const struct schema_json *json, const struct schema_type *type, struct str text,
		      struct error *err) MUST_USE;
