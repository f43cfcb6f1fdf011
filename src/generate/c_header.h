/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "generate/c_types.h"
#include "generate/text.h"

/* A verb of the module, or one that it calls. */
struct c_verb {
	const struct schema_decl *decl;
	const char *module;
	const char *function;
	const struct c_type *request, *response; /* NULL: Unit */
};

struct c_verbs {
	struct c_verb *items;
	size_t count;
};

struct c_module {
	const struct schema_module *module;
	struct c_verbs own, called;
	const char *start, *stop; /* the author's functions; NULL: none */
};

void c_header_write(const struct c_types *types, const struct c_module *module, struct text *out);

/* "int echo_echo(struct ftl_context *ftl, …)" */
void c_write_prototype(const struct c_verb *verb, struct text *out);

/* A variable of that type: "const char *name". */
void c_write_variable(const struct c_type *type, const char *name, struct text *out);
