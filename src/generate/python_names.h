/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file of Python stubs declares, and how each thing is called there: names of other modules get the module in
 * front, and what would be a word of Python or of the file itself gets an underscore behind.
 */
#pragma once

#include "base/map.h"
#include "generate/generate.h"

struct python_name {
	const char *word;                   /* in Python */
	const char *key;                    /* in the schema, "shop.Item"; ".T" of a type parameter */
	const struct schema_module *module; /* that it is declared in; NULL of a type parameter */
	const struct schema_decl *decl;     /* NULL of a type parameter */
	struct python_name *next;           /* in the order of their finding */
	bool written;                       /* an alias: the printer's mark */
};

struct python_names {
	const struct generate_options *options;
	struct arena arena;
	struct map by_key;  /* of struct python_name; of a type parameter ".T" */
	struct map words;   /* taken; a member cannot be called so, as it would hide what its class needs */
	struct map globals; /* taken by what is no type too */
	struct python_name *first, *last;
};

void python_names_init(struct python_names *names, const struct generate_options *options);
void python_names_deinit(struct python_names *names);

/* All exported verbs, and what their types lead to. -1: it leads to a module or a type that cannot be found. */
int python_names_collect(struct python_names *names, struct error *err);

/* Of what was collected. */
const struct python_name *python_names_find(const struct python_names *names, const char *module, const char *name);
const struct python_name *python_names_param(const struct python_names *names, const char *param);

/* A class of its own for the variant of a sum; NULL: it is a dataclass of the same name, which does for one. */
const char *python_names_variant(struct python_names *names, const struct python_name *sum, size_t index);

/* A field, or a member of an enum, with a name that no other member of decl has. */
const char *python_names_member(struct python_names *names, const struct schema_decl *decl, const char *name);
