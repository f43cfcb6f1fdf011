/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The declarations of a Python stub file and their names: those of other modules get the module as a prefix, and a name
 * that is a keyword of Python or used by the file itself gets an underscore as a suffix.
 */
#pragma once

#include "base/map.h"
#include "generate/generate.h"

struct python_name {
	const char *word;                   /* in Python */
	const char *key;                    /* in the schema, "shop.Item"; ".T" of a type parameter */
	const struct schema_module *module; /* its home; NULL for a type parameter */
	const struct schema_decl *decl; /* NULL for a type parameter */
	struct python_name *next; /* in the order of discovery */
	bool written; /* an alias that the printer has written */
};

struct python_names {
	const struct generate_options *options;
	struct arena arena;
	struct map by_key; /* struct python_name; ".T" for a type parameter */
	struct map words; /* names that are taken, for members too, which would hide what their class needs */
	struct map globals; /* taken names of all globals */
	struct python_name *first, *last;
};

void python_names_init(struct python_names *names, const struct generate_options *options);
void python_names_deinit(struct python_names *names);

/* Collects all exported verbs and the types that they lead to. -1: a module or type cannot be found. */
int python_names_collect(struct python_names *names, struct error *err);

/* Finds a collected name. */
const struct python_name *python_names_find(const struct python_names *names, const char *module, const char *name);
const struct python_name *python_names_param(const struct python_names *names, const char *param);

/* The class name for a variant of a sum; NULL: the variant is a dataclass of the same name, which serves as its class.
 */
const char *python_names_variant(struct python_names *names, const struct python_name *sum, size_t index);

/* A unique Python name for a field or enum member of decl. */
const char *python_names_member(struct python_names *names, const struct schema_decl *decl, const char *name);
