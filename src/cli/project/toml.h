/* SPDX-License-Identifier: Apache-2.0 */
/*
 * toml++ for C: a text as a tree that is looked at. Uses nothing of ours, as it is compiled as C++; settings.h is
 * what the commands use.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct toml_document;

struct toml_error {
	unsigned line, column;
	char message[256];
};

/* NULL: it is no TOML, and *ret_error says why. The text may go. */
struct toml_document *toml_parse(const char *text, size_t len, struct toml_error *ret_error);
void toml_free(struct toml_document *document); /* takes NULL */

enum toml_kind { TOML_MISSING, TOML_STRING, TOML_ARRAY, TOML_OTHER };

/* Valid as long as the document. */
struct toml_value {
	enum toml_kind kind;
	unsigned line, column;
	const char *text; /* of a string, which may hold NUL */
	size_t len; /* bytes of a string, items of an array */
	const void *node;
};

/* key is dotted: "a.b". */
struct toml_value toml_find(const struct toml_document *document, const char *key);
struct toml_value toml_item(const struct toml_value *array, size_t index);

/* The keys of the top level: its name, with kind, line and column of the value; false: there are no more. */
bool toml_key(const struct toml_document *document, size_t index, const char **ret_name, struct toml_value *ret_value);

#ifdef __cplusplus
}
#endif
