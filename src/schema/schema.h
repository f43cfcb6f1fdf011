/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model of a module's schema: what every other file of this folder works on.
 *
 * A model is a tree in an arena: parse.h makes one from text, proto.h from protobuf; after that it is only read.
 * All texts are terminated and in the same arena. No pointer in it is NULL unless it says so. References to the
 * module itself always carry its name; a reference without a module is to a type parameter.
 */
#pragma once

#include "base/arena.h"
#include "base/timestamp.h"

/* What a stranger may send. */
enum {
	SCHEMA_NAME_MAX = 64, /* bytes of a name */
	SCHEMA_DEPTH_MAX = 24, /* types in types: two messages each, and protobuf has 64 (pb/pb.h) */
	SCHEMA_DECLS_MAX = 4000,
	SCHEMA_MEMBERS_MAX = 4000, /* fields of a data, variants of an enum */
	SCHEMA_PARAMS_MAX = 16, /* of a generic data */
	SCHEMA_NODES_MAX = 50000, /* declarations, fields, variants, types, references, arguments and comment lines */
	SCHEMA_TEXT_MAX = 1 << 20, /* bytes of text, or of all the strings of a protobuf schema */
	SCHEMA_ARENA_MAX = 64 << 20, /* free room that an arena must have for one more schema within these limits */
};

struct schema_pos {
	const char *file;
	uint32_t line, column; /* counted from 1; line 0: unknown */
};

struct schema_ref {
	struct schema_pos pos;
	const char *module; /* "": a type parameter */
	const char *name;
};

enum schema_type_kind {
	SCHEMA_INT,
	SCHEMA_FLOAT,
	SCHEMA_STRING,
	SCHEMA_BYTES,
	SCHEMA_BOOL,
	SCHEMA_TIME,
	SCHEMA_ANY,
	SCHEMA_UNIT,
	SCHEMA_OPTIONAL,
	SCHEMA_ARRAY,
	SCHEMA_MAP,
	SCHEMA_REF, /* to a data, an enum, an alias or a type parameter */
	SCHEMA_VERB_REF,
};

struct schema_type {
	enum schema_type_kind kind;
	struct schema_type *element; /* of SCHEMA_OPTIONAL, SCHEMA_ARRAY and SCHEMA_MAP, else NULL */
	struct schema_type *key; /* of SCHEMA_MAP, else NULL */
	struct schema_ref ref; /* its pos is set for every kind */
	struct schema_type *args; /* of SCHEMA_REF to a generic data */
	size_t arg_count;
};

struct schema_comments {
	const char **lines; /* without the slashes and the blank after them */
	size_t count;
};

/* One "+name …". */
struct schema_metadata {
	struct schema_pos pos;
	const char *name;
	struct schema_ref *calls; /* of "calls" */
	size_t call_count;
	const char **args; /* of all others */
	size_t arg_count;
};

struct schema_metadata_list {
	struct schema_metadata *items;
	size_t count;
};

struct schema_field {
	struct schema_pos pos;
	const char *name;
	struct schema_comments comments;
	struct schema_type type;
	struct schema_metadata_list metadata;
};

struct schema_variant {
	struct schema_pos pos;
	const char *name;
	struct schema_comments comments;
	const char *text; /* in an enum of String, else NULL */
	int64_t number; /* in an enum of Int */
	struct schema_type *type; /* in a sum type, else NULL */
};

struct schema_param {
	struct schema_pos pos;
	const char *name;
};

enum schema_decl_kind {
	SCHEMA_DATA,
	SCHEMA_VERB,
	SCHEMA_ENUM, /* of values */
	SCHEMA_SUM, /* an enum of types */
	SCHEMA_ALIAS,
};

/* A hash index over many members; empty where a linear search does. */
struct schema_index {
	uint32_t *places; /* 0: free; otherwise index + 1 */
	size_t size; /* a power of two, or 0 */
};

struct schema_decl {
	enum schema_decl_kind kind;
	bool exported;
	struct schema_pos pos; /* of its name */
	const char *name;
	struct schema_comments comments;
	struct schema_metadata_list metadata;
	union {
		struct {
			struct schema_param *params;
			size_t param_count;
			struct schema_field *fields;
			size_t field_count;
			struct schema_index by_name;
			uint32_t *needed; /* indexes of the fields that may be required; NULL: all fields */
			size_t needed_count;
		} data;
		struct {
			struct schema_type request, response;
		} verb;
		struct {
			bool of_int; /* an enum of Int, otherwise of String; unused for SCHEMA_SUM */
			struct schema_variant *variants;
			size_t variant_count;
			struct schema_index by_value;
		} enumeration; /* SCHEMA_ENUM and SCHEMA_SUM */
		struct {
			struct schema_type type;
			/* The type after following aliases within this module. */
			const struct schema_type *end;
		} alias;
	};
};

struct schema_module {
	struct schema_pos pos;
	const char *name;
	struct schema_comments comments;
	struct schema_metadata_list metadata;
	struct schema_decl *decls;
	size_t decl_count;
	struct schema_index by_name;
	bool in_part; /* parsed from a text with errors: all names are there, but not all declarations are complete */

	/* How the module runs, which callers do not rely on. Empty: not set. */
	const char *language;
	const char *entry;
	const char *bind;
	bool has_create_time;
	struct timestamp create_time;
};

/* "Int" and so on for those kinds that are one word, else NULL. */
const char *schema_type_word(enum schema_type_kind kind);
bool schema_type_from_word(struct str word, enum schema_type_kind *ret_kind);

/* "data", "verb", "enum", "typealias": the word that declares it. */
const char *schema_decl_word(enum schema_decl_kind kind);

/* A letter or underscore, then letters, digits and underscores, at most SCHEMA_NAME_MAX. */
bool schema_is_name(struct str text);

/* Whether name is a keyword or a built-in type, which no module, declaration or type parameter may have as its name. */
bool schema_is_reserved(struct str name);

/* Builds the indexes. Called once a model is complete, with its arena. */
void schema_index(struct schema_module *module, struct arena *arena);

/* Exports everything if nothing is exported: a peer may not know `export`, which is an extension of FTL. */
void schema_export_by_default(struct schema_module *module);

/* The nesting depth of a type. */
size_t schema_type_height(const struct schema_type *type);

/* NULL: not found. Of two declarations with the same name the first is found. */
const struct schema_decl *schema_find_decl(const struct schema_module *module, const char *name);
const struct schema_decl *schema_find_verb(const struct schema_module *module, const char *name);
const struct schema_field *schema_find_field(const struct schema_decl *data, struct str name);

/* Finds a variant by its JSON: the text or number of an enum, the name in a sum type. NULL: not found. */
const struct schema_variant *schema_find_variant(const struct schema_decl *decl, struct str text, int64_t number);
/* The variant with the same JSON as like, which may belong to another enum of the same kind. */
const struct schema_variant *schema_same_variant(const struct schema_decl *decl, const struct schema_variant *like);

/* The declaration of this module that type refers to; NULL: not a reference, or of another module, or unknown. */
const struct schema_decl *schema_target(const struct schema_module *module, const struct schema_type *type);

/* Follows aliases of this module; returns type itself when it is none. For a circle of aliases returns one of them. */
const struct schema_type *schema_resolve(const struct schema_module *module, const struct schema_type *type);

/* Walks the verbs: start with NULL; NULL at the end. */
const struct schema_decl *schema_next_verb(const struct schema_module *module, const struct schema_decl *verb);

/* The verb whose name is nearest to name; NULL: none is near. */
const char *schema_nearest_verb(const struct schema_module *module, const char *name);

/* Whether "+calls" of verb names module.name. */
bool schema_verb_calls(const struct schema_decl *verb, const char *module, const char *name);

/* Walks the types of a declaration (of fields, variants, request and response, the alias): start with index 0; NULL at
 * the end. */
const struct schema_type *schema_decl_type(const struct schema_decl *decl, size_t index);

/* Calls visit for type and all types in it. */
void schema_walk_type(const struct schema_type *type, void (*visit)(const struct schema_type *type, void *context),
		      void *context);
