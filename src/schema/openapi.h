/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas for tools of others: JSON Schema (2020-12) and OpenAPI (3.1).
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "schema/schema.h"

struct map;

/* Types written out, and the length of the name of an instance of a generic data. */
enum { SCHEMA_OPENAPI_TYPES_MAX = 200000, SCHEMA_OPENAPI_NAME_MAX = 500 };

struct schema_openapi {
	const struct schema_module *const *described; /* whose exported verbs are described */
	size_t described_count;
	const struct map *modules; /* to follow references into, by name; those described are among them */
	const char *title, *version;
	const char *description; /* NULL: not said */
	const char *server; /* URL; NULL: not said */
	const char *path_prefix; /* a verb is POST path_prefix + "module.verb" */
};

/* Appends JSON text. ResourceExhausted: more than the named limits or the buffer's maximum. */
int schema_openapi(const struct schema_openapi *options, struct buf *buf, struct error *err) MUST_USE;

/* The same for one type that is written in module, which is among modules. As a response it may have fields that it
 * does not name. */
int schema_json_schema(const struct schema_module *module, const struct map *modules, const struct schema_type *type,
		       bool is_response, struct buf *buf, struct error *err) MUST_USE;
