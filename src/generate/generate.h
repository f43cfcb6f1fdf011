/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code from schemas. Texts only: whoever calls it reads and writes the files.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "schema/schema.h"

/* Bytes of a text that is made. */
#define GENERATE_TEXT_MAX MIB(64)

struct generate_options {
	const struct schema_module *module; /* checked */
	const char *file;                   /* what the texts say that they are made of: "echo.ftl" */
	const char *header;                 /* how the source includes the header: "echo.ftl.h" */
	/* Another module that the schema names, checked; NULL: there is none, and err is set. */
	const struct schema_module *(*find)(void *owner, const char *name, struct error *err);
	void *owner;
};

/* A header with the types, the verbs that the author writes and those that are called; a source with the rest. */
int generate_c(const struct generate_options *options, struct buf *header, struct buf *source,
	       struct error *err) MUST_USE;

/* A Python module with the types and exported verbs of options->module, for those that call it. header is not used. */
int generate_python(const struct generate_options *options, struct buf *stubs, struct error *err) MUST_USE;
