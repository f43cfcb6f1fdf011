/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generates code from schemas, as texts: callers read and write the files.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "schema/schema.h"

/* Maximum size of a generated text. */
#define GENERATE_TEXT_MAX MIB(64)

struct generate_options {
	const struct schema_module *module; /* checked */
	const char *file; /* the schema's file, named in the generated texts: "echo.ftl" */
	const char *header;                 /* how the source includes the header: "echo.ftl.h" */
	/* Looks up another module that the schema refers to, checked; NULL: not found, and err is set. */
	const struct schema_module *(*find)(void *owner, const char *name, struct error *err);
	void *owner;
};

/* Writes a header with the types, the verbs to implement and the verbs that are called, and a source with the rest. */
int generate_c(const struct generate_options *options, struct buf *header, struct buf *source,
	       struct error *err) MUST_USE;

/* Writes a Python module with the types and exported verbs of options->module, for its callers. header is unused. */
int generate_python(const struct generate_options *options, struct buf *stubs, struct error *err) MUST_USE;
