/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The errors of a JSON text that is no value of its type: the path to the value, what was expected and what came
 * instead. A text that is right calls nothing of this file.
 */
#pragma once

#include "base/macros.h"
#include "schema/json_scan.h"

struct error;
struct schema_decl;
struct schema_type;

enum {
	JSON_VALUE_MAX = 60, /* bytes of a value that a message shows */
	JSON_QUOTE_MAX = JSON_VALUE_MAX + 8,
	JSON_LIST_MAX = 240,
};

/* The text under check, and the error to set. */
struct json_source {
	struct scanner scanner;
	const char *root; /* the first step of paths */
	struct error *err;
};

/* The path to a value, innermost step first; each step lives on the stack of the function that took it. */
struct place {
	const struct place *outer;
	const char *field; /* a field; NULL: key or index */
	struct str key; /* a map's key as the text has it, escapes included; empty view: index */
	size_t index;
};

/* Quotes a text for a message, cut to JSON_VALUE_MAX. */
const char *json_quote(struct str text, char ret_text[JSON_QUOTE_MAX]);

/* Lists the variants of an enum, as many as fit: "\"happy\" or \"sad\"". */
const char *json_list_values(const struct schema_decl *decl, char ret_text[JSON_LIST_MAX]);

/* Each sets the error, with the path of place, and returns -1. */
int json_refuse(const struct json_source *source, const struct place *place, const char *reason, const char *format,
		...) PRINTF_LIKE(4, 5);
int json_refuse_syntax(const struct json_source *source, const struct place *place);

/* Another kind of value came than expected; a syntax error takes precedence. */
int json_refuse_kind(struct json_source *source, const char *expected, const struct place *place);
int json_refuse_variant(const struct json_source *source, const struct schema_decl *decl, const char *reason,
			struct str text, const struct place *place);

/* data: whose fields the hint offers; NULL: none. */
int json_refuse_field(const struct json_source *source, const struct schema_decl *data, struct str name,
		      const struct place *place);

/* A forced deploy can leave references that do not fit the module as it is now. */
int json_refuse_ref(const struct json_source *source, const struct schema_type *type, const char *problem,
		    const struct place *place);
