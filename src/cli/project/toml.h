/* SPDX-License-Identifier: Apache-2.0 */
/*
 * toml++ behind a C interface: parses a text and looks values up. Compiled as C++, so it includes no other header of
 * the project. Commands use settings.h.
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

/* NULL: the text is no TOML, and *ret_error says why. text is not needed afterwards. */
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

/* The key number index of the top level, with kind, line and column of its value; false: there are fewer. */
bool toml_key(const struct toml_document *document, size_t index, const char **ret_name, struct toml_value *ret_value);

#ifdef __cplusplus
}
#endif
