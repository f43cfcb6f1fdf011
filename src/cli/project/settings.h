/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TOML file with a fixed set of keys. Every error names file, line and column, and an unknown key the one that was
 * probably meant.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct settings {
	const char *path; /* borrowed */
	struct toml_document *document;
	struct arena *arena; /* borrowed; what is read stays in it */
};

enum { SETTINGS_FILE_MAX = 1 << 20 }; /* bytes */

/* NotFound: there is no such file. The keys are those of the top level. */
int settings_open(struct settings *settings, const char *path, const char *const *keys, size_t key_count,
		  struct arena *arena, struct error *err);
void settings_close(struct settings *settings);

/* A missing key leaves the outputs unchanged. Texts end with a NUL, and are not empty unless may_be_empty. */
int settings_get_text(const struct settings *settings, const char *key, bool may_be_empty, const char **ret_text,
		      struct error *err);
int settings_get_texts(const struct settings *settings, const char *key, const char *const **ret_texts,
		       size_t *ret_count, struct error *err);
