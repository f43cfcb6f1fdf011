/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The types of a schema as C needs them: every generic data with its arguments put in, a name for each list and map,
 * and what T? is for each T. include/ftl/types.h tells authors which C type each one is.
 */
#pragma once

#include "base/map.h"
#include "generate/generate.h"

enum { C_TYPES_MAX = 20000 }; /* arguments may multiply */

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
	C_POINTER,  /* absent is NULL */
	C_BOX,      /* a pointer that is never NULL: a variant that would contain itself */
	C_ALIAS,
};

struct c_member {
	const char *name;      /* in the schema */
	const char *c_name;    /* in a struct or union; of an enum the whole constant */
	const char *type_text; /* of a field, as it is written */
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
	const char *key;                /* the whole type as text; no two types have the same */
	const char *tag;                /* "shop_Item", for the names of what belongs to it */
	const char *word;               /* "Item", for the names of lists and maps of it */
	const char *c;                  /* "struct shop_Item", "const char *" */
	const struct schema_decl *decl; /* of data, enums, sums and aliases */
	struct c_type *element;         /* of lists, maps, all that is optional, aliases */
	struct c_type *map_key;
	struct c_member *members;
	size_t member_count;
	struct c_type *next;      /* in the order of their making */
	bool declared, declaring; /* in the header */
	bool in_codec;
	struct c_scope scope; /* of what decl consists of */
	size_t search;        /* the last one that came here */
};

struct c_types {
	const struct generate_options *options;
	struct arena arena;
	struct map by_key; /* of struct c_type */
	struct map names;  /* C names that are taken; of what for, as text */
	struct c_type *first, *last, *filled;
	size_t count;
};

void c_types_init(struct c_types *types, const struct generate_options *options);
void c_types_deinit(struct c_types *types);

/* The type that is written in module, outside of any generic data. -1: it is of a module that cannot be found, or there
 * are too many. */
int c_types_add(struct c_types *types, const struct schema_module *module, const struct schema_type *type,
		struct c_type **ret_type, struct error *err);

/* All declarations of the module that have no parameters. */
int c_types_add_all(struct c_types *types, const struct schema_module *module, struct error *err);

/* To be called once all are there: puts a pointer where a sum would contain itself. */
void c_types_box(struct c_types *types);

/* What an alias stands for, or the type itself. */
const struct c_type *c_type_base(const struct c_type *type);

/* It is a struct, which is passed by pointer. */
bool c_type_is_struct(const struct c_type *type);

/* A global name that nothing else has; -1: it is taken, or FTL's own. */
int c_types_claim(struct c_types *types, const char *name, const char *what, struct error *err);
