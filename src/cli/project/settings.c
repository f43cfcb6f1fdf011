/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/project/settings.h"

#include <stdlib.h>

#include "base/nearest.h"
#include "base/path.h"
#include "cli/project/toml.h"

static int parse(struct settings *settings, struct str text, struct error *err) {
	struct toml_error wrong;
	settings->document = toml_parse(text.ptr, text.len, &wrong);
	if (settings->document == NULL)
		return error_set(err, CODE_INVALID_ARGUMENT, "%s:%u:%u: %s", settings->path, wrong.line, wrong.column,
				 wrong.message);
	return 0;
}

static bool is_known(const char *name, const char *const *keys, size_t count) {
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, keys[i]) == 0)
			return true;
	return false;
}

/* Reports the unknown key that comes first in the file. */
static int refuse_unknown(const struct settings *settings, const char *const *keys, size_t count, struct error *err) {
	const char *name, *unknown = NULL;
	struct toml_value value, where = {.line = -1u};
	for (size_t i = 0; toml_key(settings->document, i, &name, &value); i++) {
		if (is_known(name, keys, count) || value.line > where.line)
			continue;
		unknown = name;
		where = value;
	}
	if (unknown == NULL)
		return 0;
	char hint[NEAREST_HINT_MAX];
	struct nearest nearest;
	nearest_init(&nearest, str_from(unknown));
	for (size_t i = 0; i < count; i++)
		nearest_offer(&nearest, keys[i]);
	const char *meant = nearest_hint(&nearest, hint);
	return error_set(err, CODE_INVALID_ARGUMENT, "%s:%u:%u: there is no setting \"%.60s\"%s%s", settings->path,
			 where.line, where.column, unknown, meant ? "; " : "", meant ? meant : "");
}

int settings_open(struct settings *settings, const char *path, const char *const *keys, size_t key_count,
		  struct arena *arena, struct error *err) {
	char *text;
	size_t len;
	if (file_read(path, SETTINGS_FILE_MAX, &text, &len, err) < 0)
		return -1;
	*settings = (struct settings){.path = path, .arena = arena};
	int result = parse(settings, str_new(text, len), err);
	free(text);
	if (result == 0 && refuse_unknown(settings, keys, key_count, err) < 0) {
		settings_close(settings);
		return -1;
	}
	return result;
}

void settings_close(struct settings *settings) {
	toml_free(settings->document);
	settings->document = NULL;
}

static int refuse(const struct settings *settings, const char *key, const struct toml_value *value, const char *what,
		  struct error *err) {
	return error_set(err, CODE_INVALID_ARGUMENT, "%s:%u:%u: \"%s\" must be %s", settings->path, value->line,
			 value->column, key, what);
}

static bool is_text(const struct toml_value *value, bool may_be_empty) {
	return value->kind == TOML_STRING && (may_be_empty || value->len > 0) &&
	       (value->len == 0 || memchr(value->text, '\0', value->len) == NULL);
}

int settings_get_text(const struct settings *settings, const char *key, bool may_be_empty, const char **ret_text,
		      struct error *err) {
	struct toml_value value = toml_find(settings->document, key);
	if (value.kind == TOML_MISSING)
		return 0;
	if (!is_text(&value, may_be_empty))
		return refuse(settings, key, &value, may_be_empty ? "a string" : "a string that is not empty", err);
	*ret_text = arena_strdup(settings->arena, str_new(value.text, value.len));
	return 0;
}

int settings_get_texts(const struct settings *settings, const char *key, const char *const **ret_texts,
		       size_t *ret_count, struct error *err) {
	static const char what[] = "an array of strings that are not empty";
	struct toml_value array = toml_find(settings->document, key);
	if (array.kind == TOML_MISSING)
		return 0;
	if (array.kind != TOML_ARRAY)
		return refuse(settings, key, &array, what, err);
	const char **texts = arena_alloc(settings->arena, (array.len + 1) * sizeof *texts);
	for (size_t i = 0; i < array.len; i++) {
		struct toml_value item = toml_item(&array, i);
		if (!is_text(&item, false))
			return refuse(settings, key, &item, what, err);
		texts[i] = arena_strdup(settings->arena, str_new(item.text, item.len));
	}
	texts[array.len] = NULL;
	*ret_texts = texts;
	*ret_count = array.len;
	return 0;
}
