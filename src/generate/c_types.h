/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The types of a schema as C types: generic data instantiated, a name for each list and map, and the form of T? for
 * each T. include/ftl/types.h tells authors which C type each FTL type becomes.
 */
#pragma once

#include "base/map.h"
#include "generate/generate.h"

enum { C_TYPES_MAX = 20000 }; /* instances of generic data included */

enum c_kind {
	C_INT,
	C_FLOAT,
	C_STRING,
	C_BYTES,
	C_BOOL,
	C_TIME,
	C_ANY,
	C_UNIT,
	C_VERB,
	C_LIST,
	C_MAP,
	C_DATA,
	C_ENUM,
	C_SUM,
	C_NULLABLE, /* absent is the element's own NULL */
	C_OPTIONAL, /* a struct with present and value */
	C_POINTER, /* absent is NULL */
	C_BOX, /* a pointer that is never NULL, for a variant that would contain itself */
	C_ALIAS,
};

struct c_member {
	const char *name;      /* in the schema */
	const char *c_name; /* the member of a struct or union */
	const char *constant; /* of a variant */
	const char *type_text; /* of a field, in schema syntax */
	const struct schema_comments *comments;
	struct c_type *type; /* NULL: a value of an enum */
	const char *text;    /* of an enum of String, else NULL */
	int64_t number;
};

/* The arguments of the generic data that a type is written in. */
struct c_scope {
	const struct schema_module *module;
	const struct schema_decl *data; /* NULL: none */
	struct c_type *const *args;
};

struct c_type {
	enum c_kind kind;
	const char *key; /* the type as text; unique */
	const char *tag; /* "shop_Item", the prefix of names that belong to the type */
	const char *word; /* "Item", for the names of lists and maps of the type */
	const char *c;                  /* "struct shop_Item", "const char *" */
	const struct schema_decl *decl; /* of data, enums, sums and aliases */
	struct c_type *element; /* of lists, maps, optionals and aliases */
	struct c_type *map_key;
	struct c_member *members;
	size_t member_count;
	struct c_type *next; /* in the order of creation */
	bool declared, declaring; /* in the header */
	bool in_codec;
	struct c_scope scope; /* the scope of decl's members */
	size_t search; /* number of the last search that visited the type */
};

struct c_types {
	const struct generate_options *options;
	struct arena arena;
	struct map by_key; /* of struct c_type */
	struct map names; /* C names that are taken; the value says what for */
	struct c_type *first, *last, *filled;
	size_t count;
};

void c_types_init(struct c_types *types, const struct generate_options *options);
void c_types_deinit(struct c_types *types);

/* Adds a type of module, outside of generic data. -1: its module cannot be found, or C_TYPES_MAX is passed. */
int c_types_add(struct c_types *types, const struct schema_module *module, const struct schema_type *type,
		struct c_type **ret_type, struct error *err);

/* Adds all declarations of the module without type parameters. */
int c_types_add_all(struct c_types *types, const struct schema_module *module, struct error *err);

/* Called once all types are added: puts a pointer where a sum would contain itself. */
void c_types_box(struct c_types *types);

/* The type after following aliases. */
const struct c_type *c_type_base(const struct c_type *type);

/* Whether the type is a struct, which is passed by pointer. */
bool c_type_is_struct(const struct c_type *type);

/* The name, or another one where C gives the name a meaning. */
const char *c_types_global(struct c_types *types, const char *name);

/* Reserves a global name; -1: the name is taken, or belongs to FTL. */
int c_types_claim(struct c_types *types, const char *name, const char *what, struct error *err);
