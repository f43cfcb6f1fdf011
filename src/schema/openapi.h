/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exports schemas as JSON Schema (2020-12) and OpenAPI (3.1).
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "schema/schema.h"

struct map;

/* Limits: types in a document, and the length of a component's name. */
enum { SCHEMA_OPENAPI_TYPES_MAX = 200000, SCHEMA_OPENAPI_NAME_MAX = 500 };

struct schema_openapi {
	const struct schema_module *const *described; /* modules whose exported verbs are described */
	size_t described_count;
	const struct map *modules; /* all modules by name, for references */
	const char *title, *version;
	const char *description; /* NULL: left out */
	const char *server; /* URL; NULL: left out */
	const char *path_prefix; /* a verb is POST path_prefix + "module.verb" */
};

/* Appends JSON text. ResourceExhausted: more than the named limits or the buffer's maximum. */
int schema_openapi(const struct schema_openapi *options, struct buf *buf, struct error *err) MUST_USE;

/* The JSON Schema of one type of module, which is among modules. As a response it allows additional properties. */
int schema_json_schema(const struct schema_module *module, const struct map *modules, const struct schema_type *type,
		       bool is_response, struct buf *buf, struct error *err) MUST_USE;
