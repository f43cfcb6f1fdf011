/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/json_refuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "base/reasons.h"
#include "base/text.h"
#include "schema/schema.h"

enum { PATH_TEXT_MAX = 400 };

const char *json_quote(struct str text, char ret_text[JSON_QUOTE_MAX]) {
	struct buf quoted = BUF_INIT(JSON_VALUE_MAX * sizeof "\\u0000");
	struct str shown = text_cut(text, JSON_VALUE_MAX);
	text_quote(&quoted, shown);
	while (buf_len(&quoted) > JSON_VALUE_MAX + strlen("\"\"")) {
		shown = text_cut(text, shown.len - 1); /* escapes need more room than what they stand for */
		buf_clear(&quoted);
		text_quote(&quoted, shown);
	}
	snprintf(ret_text, JSON_QUOTE_MAX, "%.*s%s\"", (int)buf_len(&quoted) - 1, buf_view(&quoted).ptr,
		 shown.len < text.len ? "…" : "");
	buf_deinit(&quoted);
	return ret_text;
}

static const char *quote_key(struct str raw, char ret_text[JSON_QUOTE_MAX]) {
	char *plain = mem_alloc(raw.len + 1);
	json_quote(str_new(plain, scan_unescape(raw, plain)), ret_text);
	free(plain);
	return ret_text;
}

/* A long path loses its beginning, as its end says more. */
static void print_path(const struct json_source *source, const struct place *place, char ret_text[PATH_TEXT_MAX]) {
	char *at = ret_text + PATH_TEXT_MAX - 1;
	*at = '\0';
	char step[SCHEMA_NAME_MAX + 16], quoted[JSON_QUOTE_MAX];
	for (;; place = place->outer) {
		if (place == NULL)
			snprintf(step, sizeof step, "%s", source->root);
		else if (place->field != NULL)
			snprintf(step, sizeof step, ".%s", place->field);
		else if (place->key.ptr != NULL)
			snprintf(step, sizeof step, "[%s]", quote_key(place->key, quoted));
		else
			snprintf(step, sizeof step, "[%zu]", place->index);
		size_t len = strlen(step);
		if ((size_t)(at - ret_text) < len + sizeof "…") {
			at -= sizeof "…" - 1;
			memcpy(at, "…", sizeof "…" - 1);
			break;
		}
		at -= len;
		memcpy(at, step, len);
		if (place == NULL)
			break;
	}
	memmove(ret_text, at, strlen(at) + 1);
}

int json_refuse(const struct json_source *source, const struct place *place, const char *reason, const char *format,
		...) {
	char path[PATH_TEXT_MAX], text[ERROR_TEXT_MAX - PATH_TEXT_MAX];
	print_path(source, place, path);
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	error_set(source->err, CODE_INVALID_ARGUMENT, "%s: %s", path, text);
	error_set_path(source->err, strlen(path));
	return error_set_reason(source->err, reason);
}

int json_refuse_syntax(const struct json_source *source, const struct place *place) {
	size_t line = 1, column = 1;
	for (size_t i = 0; i < source->scanner.at; i++) {
		column = source->scanner.text.ptr[i] == '\n' ? 1 : column + 1;
		line += source->scanner.text.ptr[i] == '\n';
	}
	return json_refuse(source, place, REASON_NOT_JSON, "not JSON at line %zu, column %zu: %s", line, column,
			   source->scanner.problem);
}

static const char *kind_word(enum scan_kind kind) {
	static const char *const words[] = {
		[SCAN_INVALID] = "nothing", [SCAN_NULL] = "null",     [SCAN_BOOLEAN] = "boolean",
		[SCAN_NUMBER] = "number",   [SCAN_STRING] = "string", [SCAN_ARRAY] = "array",
		[SCAN_OBJECT] = "object",
	};
	return words[kind];
}

int json_refuse_kind(struct json_source *source, const char *expected, const struct place *place) {
	enum scan_kind kind = scan_peek(&source->scanner);
	bool is_scalar = kind != SCAN_INVALID && kind != SCAN_ARRAY && kind != SCAN_OBJECT;
	if (kind == SCAN_INVALID || (is_scalar && (!scan_skip(&source->scanner) || !scan_is_at_end(&source->scanner))))
		return json_refuse_syntax(source, place);
	return json_refuse(source, place, REASON_WRONG_TYPE, "expected %s, got %s", expected, kind_word(kind));
}

const char *json_list_values(const struct schema_decl *decl, char ret_text[JSON_LIST_MAX]) {
	size_t used = 0, count = decl->enumeration.variant_count;
	for (size_t i = 0; i < count; i++) {
		const struct schema_variant *variant = &decl->enumeration.variants[i];
		char value[JSON_QUOTE_MAX];
		if (variant->type == NULL && variant->text == NULL)
			snprintf(value, sizeof value, "%lld", (long long)variant->number);
		else
			json_quote(str_from(variant->text ? variant->text : variant->name), value);
		if (used + strlen(value) + sizeof " or , …" > JSON_LIST_MAX) {
			snprintf(ret_text + used, JSON_LIST_MAX - used, ", …");
			break;
		}
		const char *separator = i == 0 ? "" : i + 1 == count ? " or " : ", ";
		used += (size_t)snprintf(ret_text + used, JSON_LIST_MAX - used, "%s%s", separator, value);
	}
	return ret_text;
}

static const char *nearest_variant(const struct schema_decl *decl, struct str text, char ret_hint[NEAREST_HINT_MAX]) {
	struct nearest nearest;
	nearest_init(&nearest, text);
	for (size_t i = 0; i < decl->enumeration.variant_count; i++) {
		const struct schema_variant *variant = &decl->enumeration.variants[i];
		nearest_offer(&nearest, variant->text ? variant->text : variant->name);
	}
	return nearest_hint(&nearest, ret_hint);
}

int json_refuse_variant(const struct json_source *source, const struct schema_decl *decl, const char *reason,
			struct str text, const struct place *place) {
	char values[JSON_LIST_MAX], quoted[JSON_QUOTE_MAX], hint[NEAREST_HINT_MAX];
	const char *found = nearest_variant(decl, text, hint);
	return json_refuse(source, place, reason, "expected %s, got %s%s%s", json_list_values(decl, values),
			   json_quote(text, quoted), found ? "; " : "", found ? found : "");
}

int json_refuse_field(const struct json_source *source, const struct schema_decl *data, struct str name,
		      const struct place *place) {
	struct nearest nearest;
	char hint[NEAREST_HINT_MAX], quoted[JSON_QUOTE_MAX];
	nearest_init(&nearest, name);
	for (size_t i = 0; data != NULL && i < data->data.field_count; i++)
		nearest_offer(&nearest, data->data.fields[i].name);
	const char *found = nearest_hint(&nearest, hint);
	return json_refuse(source, place, REASON_UNKNOWN_FIELD, "unknown field %s%s%s", json_quote(name, quoted),
			   found ? "; " : "", found ? found : "");
}

int json_refuse_ref(const struct json_source *source, const struct schema_type *type, const char *problem,
		    const struct place *place) {
	return json_refuse(source, place, REASON_INVALID_VALUE, "the type \"%s.%s\" %s", type->ref.module,
			   type->ref.name, problem);
}
