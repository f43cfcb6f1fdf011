/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk over text and type at once. Each value is read once, except the "value" of a sum type that stands before its
 * "name".
 */
#include "schema/json_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "base/reasons.h"
#include "base/timestamp.h"
#include "schema/json_scan.h"
#include "schema/print.h"

/* The path to a value, innermost step first; each step lives on the stack of the function that took it. */
struct place {
	const struct place *outer;
	const char *field; /* a field; NULL: key or index */
	struct str key; /* key of a map; empty view: index */
	size_t index;
};

/* Binds the type parameters of a generic data to its arguments. */
struct scope {
	const struct schema_decl *data;
	const struct schema_type *args; /* in terms of the parameters of outer */
	const struct scope *outer;
};

/* The keys of all maps so far, as 64-bit hashes of map and key under a random seed. A collision would report a false
 * duplicate; it is less likely than a hardware fault. */
struct key_set {
	uint64_t *hashes; /* 0: free slot */
	size_t len, capacity;
};

struct json_checker {
	const struct schema_json *json;
	struct scanner scanner;
	struct buf scratch; /* the last unescaped string */
	struct key_set keys;
	uint64_t maps; /* maps entered so far */
	struct error *err;
};

static int check_value(struct json_checker *checker, const struct schema_type *type, const struct scope *scope,
		       const struct place *place);

enum {
	PATH_TEXT_MAX = 400,
	VALUE_TEXT_MAX = 60,
	LIST_TEXT_MAX = 240,
	ALIASES_MAX = 100, /* aliases followed from module to module; a longer chain is a circle, which a forced deploy
			      can make */
};

/* Quotes a text for a message, cut to VALUE_TEXT_MAX. */
static const char *quote(struct str text, char ret_text[VALUE_TEXT_MAX + 8]) {
	size_t len = MIN(text.len, (size_t)VALUE_TEXT_MAX);
	while (len < text.len && len > 0 && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
		len--;
	snprintf(ret_text, VALUE_TEXT_MAX + 8, "\"%.*s%s\"", (int)len, text.ptr, len < text.len ? "…" : "");
	for (char *c = ret_text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7F)
			*c = '?';
	return ret_text;
}

/* A long path loses its beginning, as its end says more. */
static void print_path(const struct json_checker *checker, const struct place *place, char ret_text[PATH_TEXT_MAX]) {
	char *at = ret_text + PATH_TEXT_MAX - 1;
	*at = '\0';
	char step[SCHEMA_NAME_MAX + 16], quoted[VALUE_TEXT_MAX + 8];
	for (;; place = place->outer) {
		if (place == NULL)
			snprintf(step, sizeof step, "%s", checker->json->root);
		else if (place->field != NULL)
			snprintf(step, sizeof step, ".%s", place->field);
		else if (place->key.ptr != NULL)
			snprintf(step, sizeof step, "[%s]", quote(place->key, quoted));
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

static int refuse(const struct json_checker *checker, const struct place *place, const char *reason, const char *format,
		  ...) PRINTF_LIKE(4, 5);

static int refuse(const struct json_checker *checker, const struct place *place, const char *reason, const char *format,
		  ...) {
	char path[PATH_TEXT_MAX], text[ERROR_TEXT_MAX - PATH_TEXT_MAX];
	print_path(checker, place, path);
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	error_set(checker->err, CODE_INVALID_ARGUMENT, "%s: %s", path, text);
	error_set_path(checker->err, strlen(path));
	return error_set_reason(checker->err, reason);
}

static int refuse_syntax(const struct json_checker *checker, const struct place *place) {
	size_t line = 1, column = 1;
	for (size_t i = 0; i < checker->scanner.at; i++) {
		column = checker->scanner.text.ptr[i] == '\n' ? 1 : column + 1;
		line += checker->scanner.text.ptr[i] == '\n';
	}
	return refuse(checker, place, REASON_NOT_JSON, "not JSON at line %zu, column %zu: %s", line, column, checker->scanner.problem);
}

static const char *kind_word(enum scan_kind kind) {
	static const char *const words[] = {
		[SCAN_INVALID] = "nothing", [SCAN_NULL] = "null",     [SCAN_BOOLEAN] = "boolean",
		[SCAN_NUMBER] = "number",   [SCAN_STRING] = "string", [SCAN_ARRAY] = "array",
		[SCAN_OBJECT] = "object",
	};
	return words[kind];
}

/* Reports another kind of value than expected; a syntax error takes precedence. */
static int refuse_kind(struct json_checker *checker, const char *expected, const struct place *place) {
	enum scan_kind kind = scan_peek(&checker->scanner);
	if (kind == SCAN_INVALID)
		return refuse_syntax(checker, place);
	return refuse(checker, place, REASON_WRONG_TYPE, "expected %s, got %s", expected, kind_word(kind));
}

static bool comes(struct json_checker *checker, enum scan_kind kind) {
	return scan_peek(&checker->scanner) == kind;
}

/* The unescaped text; valid until the next call. */
static struct str plain(struct json_checker *checker, struct str raw, bool escaped) {
	if (!escaped)
		return raw;
	buf_clear(&checker->scratch);
	char *room = buf_reserve(&checker->scratch, raw.len);
	return str_new(room, scan_unescape(raw, room));
}

static int read_string(struct json_checker *checker, const char *expected, const struct place *place,
		       struct str *ret_text) {
	struct str raw;
	bool escaped;
	if (!comes(checker, SCAN_STRING))
		return refuse_kind(checker, expected, place);
	if (!scan_string(&checker->scanner, &raw, &escaped))
		return refuse_syntax(checker, place);
	*ret_text = plain(checker, raw, escaped);
	return 0;
}

static int read_number(struct json_checker *checker, const char *expected, const struct place *place,
		       struct str *ret_digits) {
	if (!comes(checker, SCAN_NUMBER))
		return refuse_kind(checker, expected, place);
	return scan_number(&checker->scanner, ret_digits) ? 0 : refuse_syntax(checker, place);
}

static int check_int(struct json_checker *checker, const char *expected, const struct place *place,
		     int64_t *ret_number) {
	struct str digits;
	if (read_number(checker, expected, place, &digits) != 0)
		return -1;
	if (scan_to_int(digits, ret_number))
		return 0;
	const char *why = scan_is_whole(digits) ? ", which is over 64 bits" : "";
	digits.len = MIN(digits.len, (size_t)VALUE_TEXT_MAX);
	return refuse(checker, place, REASON_INVALID_VALUE, "expected %s, got %.*s%s", expected, STR_ARG(digits), why);
}

static double to_double(struct str digits) {
	char small[64] = "";
	if (digits.len < sizeof small) {
		memcpy(small, digits.ptr, digits.len);
		return strtod(small, NULL);
	}
	char *copy = mem_strndup(digits.ptr, digits.len);
	double value = strtod(copy, NULL);
	free(copy);
	return value;
}

static int check_float(struct json_checker *checker, const struct place *place) {
	struct str digits;
	if (read_number(checker, "Float", place, &digits) != 0)
		return -1;
	double value = to_double(digits);
	digits.len = MIN(digits.len, (size_t)VALUE_TEXT_MAX);
	if (value - value != 0)
		return refuse(checker, place, REASON_INVALID_VALUE, "expected Float, got %.*s, which is too large", STR_ARG(digits));
	return 0;
}

static int check_string(struct json_checker *checker, const struct place *place) {
	struct str text;
	return read_string(checker, "String", place, &text);
}

static int check_time(struct json_checker *checker, const struct place *place) {
	static const char expected[] = "Time, as in \"2026-01-02T03:04:05Z\"";
	struct str text;
	char quoted[VALUE_TEXT_MAX + 8];
	if (read_string(checker, expected, place, &text) != 0)
		return -1;
	if (!timestamp_parse(text, NULL))
		return refuse(checker, place, REASON_INVALID_VALUE, "expected %s, got %s", expected, quote(text, quoted));
	return 0;
}

static int base64_digit(char c) {
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648, section 4: padded, and without stray bits in the last digit. */
static bool is_base64(struct str text) {
	size_t digits = text.len;
	while (digits > 0 && text.len - digits < 2 && text.ptr[digits - 1] == '=')
		digits--;
	for (size_t i = 0; i < digits; i++)
		if (base64_digit(text.ptr[i]) < 0)
			return false;
	int last = digits > 0 ? base64_digit(text.ptr[digits - 1]) : 0;
	size_t padding = text.len - digits;
	return text.len % 4 == 0 && (padding == 0 || (padding == 1 ? last % 4 == 0 : last % 16 == 0));
}

static int check_bytes(struct json_checker *checker, const struct place *place) {
	struct str text;
	char quoted[VALUE_TEXT_MAX + 8];
	if (read_string(checker, "Bytes in base64", place, &text) != 0)
		return -1;
	if (!is_base64(text))
		return refuse(checker, place, REASON_INVALID_VALUE, "expected Bytes in base64, got %s", quote(text, quoted));
	return 0;
}

static int check_boolean(struct json_checker *checker, const struct place *place) {
	bool value;
	if (!comes(checker, SCAN_BOOLEAN))
		return refuse_kind(checker, "Bool", place);
	return scan_boolean(&checker->scanner, &value) ? 0 : refuse_syntax(checker, place);
}

static int check_any(struct json_checker *checker, const struct place *place) {
	return scan_skip(&checker->scanner) ? 0 : refuse_syntax(checker, place);
}

static int check_verb_name(struct json_checker *checker, const struct schema_type *type, const struct place *place) {
	char expected[SCHEMA_TYPE_TEXT_MAX + 64], quoted[VALUE_TEXT_MAX + 8];
	snprintf(expected, sizeof expected, "the name of a verb, as in \"%s.%s\"", type->ref.module, type->ref.name);
	struct str text, name;
	if (read_string(checker, expected, place, &text) != 0)
		return -1;
	struct str module = str_cut(text, '.', &name);
	if (!schema_is_name(module) || !schema_is_name(name))
		return refuse(checker, place, REASON_INVALID_VALUE, "expected %s, got %s", expected, quote(text, quoted));
	return 0;
}

static int check_array(struct json_checker *checker, const struct schema_type *type, const struct scope *scope,
		       const struct place *place) {
	char expected[SCHEMA_TYPE_TEXT_MAX];
	if (!comes(checker, SCAN_ARRAY))
		return refuse_kind(checker, schema_type_text(type, expected), place);
	if (!scan_enter(&checker->scanner))
		return refuse_syntax(checker, place);
	struct place inner = {.outer = place};
	for (; scan_next(&checker->scanner, inner.index); inner.index++)
		if (check_value(checker, type->element, scope, &inner) != 0)
			return -1;
	return checker->scanner.problem ? refuse_syntax(checker, place) : 0;
}

static bool put_hash(struct key_set *set, uint64_t hash) {
	for (size_t i = hash & (set->capacity - 1);; i = (i + 1) & (set->capacity - 1)) {
		if (set->hashes[i] == hash)
			return false;
		if (set->hashes[i] == 0) {
			set->hashes[i] = hash;
			return true;
		}
	}
}

/* Adds a key of a map; false: a duplicate. */
static bool add_key(struct json_checker *checker, uint64_t map, struct str key) {
	struct key_set *set = &checker->keys;
	if (set->len * 2 >= set->capacity) {
		struct key_set old = *set;
		set->capacity = MAX(old.capacity * 2, (size_t)64);
		set->hashes = mem_zalloc(set->capacity * sizeof *set->hashes);
		for (size_t i = 0; i < old.capacity; i++)
			if (old.hashes[i] != 0)
				(void)put_hash(set, old.hashes[i]);
		free(old.hashes);
	}
	uint64_t parts[] = {map, str_hash(key)};
	uint64_t hash = str_hash(str_new(parts, sizeof parts));
	bool is_new = put_hash(set, hash == 0 ? 1 : hash);
	set->len += is_new;
	return is_new;
}

static const struct schema_module *find_module(const struct json_checker *checker, const char *name) {
	if (strcmp(name, checker->json->module->name) == 0)
		return checker->json->module;
	if (checker->json->find != NULL)
		return checker->json->find(checker->json->owner, name);
	return checker->json->modules ? map_get(checker->json->modules, str_from(name)) : NULL;
}

/* Follows aliases across modules. For a reference also returns its declaration and that one's module; NULL: not
 * available. */
static const struct schema_type *resolve(const struct json_checker *checker, const struct schema_type *type,
					 const struct schema_module **ret_module, const struct schema_decl **ret_decl) {
	*ret_module = NULL;
	*ret_decl = NULL;
	for (size_t i = 0; i < ALIASES_MAX && type->kind == SCHEMA_REF && type->ref.module[0] != '\0'; i++) {
		*ret_module = find_module(checker, type->ref.module);
		*ret_decl = *ret_module ? schema_find_decl(*ret_module, type->ref.name) : NULL;
		if (*ret_decl == NULL || (*ret_decl)->kind != SCHEMA_ALIAS)
			break;
		type = (*ret_decl)->alias.end;
	}
	return type;
}

/* "\"happy\" or \"sad\"", as many as fit. */
static const char *list_values(const struct schema_decl *decl, char ret_text[LIST_TEXT_MAX]) {
	size_t used = 0, count = decl->enumeration.variant_count;
	for (size_t i = 0; i < count; i++) {
		const struct schema_variant *variant = &decl->enumeration.variants[i];
		char value[VALUE_TEXT_MAX + 8];
		if (variant->type == NULL && variant->text == NULL)
			snprintf(value, sizeof value, "%lld", (long long)variant->number);
		else
			quote(str_from(variant->text ? variant->text : variant->name), value);
		if (used + strlen(value) + sizeof " or , …" > LIST_TEXT_MAX) {
			snprintf(ret_text + used, LIST_TEXT_MAX - used, ", …");
			break;
		}
		const char *separator = i == 0 ? "" : i + 1 == count ? " or " : ", ";
		used += (size_t)snprintf(ret_text + used, LIST_TEXT_MAX - used, "%s%s", separator, value);
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

static int refuse_variant(const struct json_checker *checker, const struct schema_decl *decl, const char *reason,
			  struct str text, const struct place *place) {
	char values[LIST_TEXT_MAX], quoted[VALUE_TEXT_MAX + 8], hint[NEAREST_HINT_MAX];
	const char *found = nearest_variant(decl, text, hint);
	return refuse(checker, place, reason, "expected %s, got %s%s%s", list_values(decl, values), quote(text, quoted),
		      found ? "; " : "", found ? found : "");
}

static int check_enum(struct json_checker *checker, const struct schema_decl *decl, const struct place *place) {
	char values[LIST_TEXT_MAX];
	struct str text = {0};
	int64_t number = 0;
	if (!comes(checker, decl->enumeration.of_int ? SCAN_NUMBER : SCAN_STRING))
		return refuse_kind(checker, list_values(decl, values), place);
	if (decl->enumeration.of_int ? check_int(checker, decl->name, place, &number) != 0
				     : read_string(checker, decl->name, place, &text) != 0)
		return -1;
	if (schema_find_variant(decl, text, number) != NULL)
		return 0;
	if (!decl->enumeration.of_int)
		return refuse_variant(checker, decl, REASON_UNKNOWN_VARIANT, text, place);
	return refuse(checker, place, REASON_UNKNOWN_VARIANT, "expected %s, got %lld", list_values(decl, values), (long long)number);
}

/* Checks a map's key, which is a JSON string whatever its type. */
static int check_key(struct json_checker *checker, const struct schema_type *type, struct str key,
		     const struct place *place) {
	const struct schema_module *module;
	const struct schema_decl *decl;
	type = resolve(checker, type, &module, &decl);
	if (type->kind == SCHEMA_REF && (decl == NULL || decl->kind != SCHEMA_ENUM))
		return 0; /* its module is not available */
	bool of_int = type->kind == SCHEMA_INT || (type->kind == SCHEMA_REF && decl->enumeration.of_int);
	int64_t number = 0;
	char quoted[VALUE_TEXT_MAX + 8], canonical[32];
	if (of_int) {
		if (!scan_to_int(key, &number))
			return refuse(checker, place, REASON_INVALID_KEY, "expected a key that is an Int, got %s", quote(key, quoted));
		snprintf(canonical, sizeof canonical, "%lld", (long long)number);
		if (!str_eq_c(key, canonical))
			return refuse(checker, place, REASON_INVALID_KEY, "expected the key \"%s\", got %s", canonical, quote(key, quoted));
	}
	if (type->kind != SCHEMA_REF || schema_find_variant(decl, key, number) != NULL)
		return 0;
	if (!of_int)
		return refuse_variant(checker, decl, REASON_INVALID_KEY, key, place);
	char values[LIST_TEXT_MAX];
	return refuse(checker, place, REASON_INVALID_KEY, "expected a key that is %s, got %s", list_values(decl, values),
		      quote(key, quoted));
}

static int check_map(struct json_checker *checker, const struct schema_type *type, const struct scope *scope,
		     const struct place *place) {
	char expected[SCHEMA_TYPE_TEXT_MAX];
	if (!comes(checker, SCAN_OBJECT))
		return refuse_kind(checker, schema_type_text(type, expected), place);
	if (!scan_enter(&checker->scanner))
		return refuse_syntax(checker, place);
	uint64_t map = ++checker->maps;
	struct place inner = {.outer = place};
	bool escaped;
	for (size_t i = 0; scan_next_key(&checker->scanner, i, &inner.key, &escaped); i++) {
		struct str key = plain(checker, inner.key, escaped);
		if (check_key(checker, type->key, key, place) != 0)
			return -1;
		if (!add_key(checker, map, key))
			return refuse(checker, &inner, REASON_DUPLICATE_KEY, "the key is there twice");
		if (check_value(checker, type->element, scope, &inner) != 0)
			return -1;
	}
	return checker->scanner.problem ? refuse_syntax(checker, place) : 0;
}

static int refuse_field(struct json_checker *checker, const struct schema_decl *data, struct str name,
			const struct place *place) {
	struct nearest nearest;
	char hint[NEAREST_HINT_MAX], quoted[VALUE_TEXT_MAX + 8];
	nearest_init(&nearest, name);
	for (size_t i = 0; data != NULL && i < data->data.field_count; i++)
		nearest_offer(&nearest, data->data.fields[i].name);
	const char *found = nearest_hint(&nearest, hint);
	return refuse(checker, place, REASON_UNKNOWN_FIELD, "unknown field %s%s%s", quote(name, quoted), found ? "; " : "",
		      found ? found : "");
}

/* Fields usually come in the order of the schema, so the one after the last found is tried first. */
static size_t find_field(const struct schema_decl *data, struct str name, size_t next) {
	if (next < data->data.field_count && str_eq_c(name, data->data.fields[next].name))
		return next;
	const struct schema_field *field = schema_find_field(data, name);
	return field ? (size_t)(field - data->data.fields) : data->data.field_count;
}

struct field_set {
	uint64_t bits[(SCHEMA_MEMBERS_MAX + 63) / 64];
};

static bool add_field(struct field_set *set, size_t index) {
	uint64_t bit = UINT64_C(1) << index % 64;
	bool is_new = (set->bits[index / 64] & bit) == 0;
	set->bits[index / 64] |= bit;
	return is_new;
}

static const struct schema_type *argument_of(const struct scope *scope, const struct schema_type *param) {
	size_t i = 0;
	while (strcmp(scope->data->data.params[i].name, param->ref.name) != 0)
		i++;
	return &scope->args[i];
}

static bool is_param(const struct schema_type *type) {
	return type->kind == SCHEMA_REF && type->ref.module[0] == '\0';
}

static bool may_be_missing(const struct json_checker *checker, const struct schema_type *type,
			   const struct scope *scope) {
	const struct schema_module *module;
	const struct schema_decl *decl;
	for (; is_param(type); scope = scope->outer)
		type = argument_of(scope, type);
	type = resolve(checker, type, &module, &decl);
	return type->kind == SCHEMA_REF ? module == NULL : type->kind == SCHEMA_OPTIONAL;
}

static int check_missing(const struct json_checker *checker, const struct field_set *seen, const struct scope *scope,
			 const struct place *place) {
	const struct schema_decl *data = scope->data;
	size_t count = data->data.needed ? data->data.needed_count : data->data.field_count;
	for (size_t n = 0; n < count; n++) {
		size_t i = data->data.needed ? data->data.needed[n] : n;
		const struct schema_field *field = &data->data.fields[i];
		char text[SCHEMA_TYPE_TEXT_MAX];
		struct place inner = {.outer = place, .field = field->name};
		if ((seen->bits[i / 64] >> i % 64 & 1) == 0 && !may_be_missing(checker, &field->type, scope))
			return refuse(checker, &inner, REASON_MISSING_FIELD, "expected %s, but it is missing",
				      schema_type_text(&field->type, text));
	}
	return 0;
}

static int check_fields(struct json_checker *checker, const struct scope *scope, const struct place *place) {
	const struct schema_decl *data = scope->data;
	struct field_set seen;
	memset(&seen, 0, (data->data.field_count + 63) / 64 * sizeof seen.bits[0]);
	size_t index = 0, count = data->data.field_count;
	struct str raw;
	bool escaped;
	for (size_t i = 0; scan_next_key(&checker->scanner, i, &raw, &escaped); i++) {
		struct str name = plain(checker, raw, escaped);
		index = find_field(data, name, index);
		if (index == count && !checker->json->skip_unknown)
			return refuse_field(checker, data, name, place);
		if (index == count) {
			if (check_any(checker, place) != 0)
				return -1;
			continue;
		}
		struct place inner = {.outer = place, .field = data->data.fields[index].name};
		if (!add_field(&seen, index))
			return refuse(checker, &inner, REASON_DUPLICATE_KEY, "the field is there twice");
		if (check_value(checker, &data->data.fields[index].type, scope, &inner) != 0)
			return -1;
		index++;
	}
	return checker->scanner.problem ? refuse_syntax(checker, place) : check_missing(checker, &seen, scope, place);
}

static int check_data(struct json_checker *checker, const struct scope *scope, const struct place *place) {
	if (!comes(checker, SCAN_OBJECT))
		return refuse_kind(checker, scope->data->name, place);
	if (!scan_enter(&checker->scanner))
		return refuse_syntax(checker, place);
	return check_fields(checker, scope, place);
}

static int check_unit(struct json_checker *checker, const struct place *place) {
	struct str raw;
	bool escaped;
	if (!comes(checker, SCAN_OBJECT))
		return refuse_kind(checker, "Unit, which is {}", place);
	if (!scan_enter(&checker->scanner))
		return refuse_syntax(checker, place);
	for (size_t i = 0; scan_next_key(&checker->scanner, i, &raw, &escaped); i++) {
		if (!checker->json->skip_unknown)
			return refuse_field(checker, NULL, plain(checker, raw, escaped), place);
		if (check_any(checker, place) != 0)
			return -1;
	}
	return checker->scanner.problem ? refuse_syntax(checker, place) : 0;
}

/* The state of reading a sum type's object. */
struct sum {
	const struct schema_decl *decl;
	const struct schema_variant *variant; /* NULL: "name" has not come yet */
	bool has_value;
	struct scanner before_value; /* position of "value", if it came before "name" */
};

static int check_sum_name(struct json_checker *checker, struct sum *sum, const struct place *place) {
	char values[LIST_TEXT_MAX];
	struct str text;
	if (sum->variant != NULL)
		return refuse(checker, place, REASON_DUPLICATE_KEY, "the field is there twice");
	if (!comes(checker, SCAN_STRING))
		return refuse_kind(checker, list_values(sum->decl, values), place);
	if (read_string(checker, sum->decl->name, place, &text) != 0)
		return -1;
	sum->variant = schema_find_variant(sum->decl, text, 0);
	return sum->variant ? 0 : refuse_variant(checker, sum->decl, REASON_UNKNOWN_VARIANT, text, place);
}

static int check_sum_value(struct json_checker *checker, struct sum *sum, const struct scope *scope,
			   const struct place *place) {
	if (sum->has_value)
		return refuse(checker, place, REASON_DUPLICATE_KEY, "the field is there twice");
	sum->has_value = true;
	if (sum->variant != NULL)
		return check_value(checker, sum->variant->type, scope, place);
	sum->before_value = checker->scanner;
	return check_any(checker, place);
}

static int check_sum_field(struct json_checker *checker, struct sum *sum, const struct scope *scope, struct str key,
			   const struct place *place) {
	struct place name = {.outer = place, .field = "name"}, value = {.outer = place, .field = "value"};
	if (str_eq(key, STR("name"))) {
		bool waiting = sum->has_value;
		if (check_sum_name(checker, sum, &name) != 0)
			return -1;
		if (!waiting)
			return 0;
		struct scanner after = checker->scanner;
		checker->scanner = sum->before_value;
		int result = check_value(checker, sum->variant->type, scope, &value);
		if (result == 0)
			checker->scanner = after;
		return result;
	}
	if (str_eq(key, STR("value")))
		return check_sum_value(checker, sum, scope, &value);
	if (checker->json->skip_unknown)
		return check_any(checker, place);
	char quoted[VALUE_TEXT_MAX + 8];
	return refuse(checker, place, REASON_UNKNOWN_FIELD, "unknown field %s; a %s has \"name\" and \"value\"", quote(key, quoted),
		      sum->decl->name);
}

static int check_sum(struct json_checker *checker, const struct schema_decl *decl, const struct scope *scope,
		     const struct place *place) {
	char expected[SCHEMA_NAME_MAX + 64];
	snprintf(expected, sizeof expected, "%s, {\"name\": …, \"value\": …}", decl->name);
	if (!comes(checker, SCAN_OBJECT))
		return refuse_kind(checker, expected, place);
	if (!scan_enter(&checker->scanner))
		return refuse_syntax(checker, place);
	struct sum sum = {.decl = decl};
	struct str raw;
	bool escaped;
	for (size_t i = 0; scan_next_key(&checker->scanner, i, &raw, &escaped); i++)
		if (check_sum_field(checker, &sum, scope, plain(checker, raw, escaped), place) != 0)
			return -1;
	if (checker->scanner.problem != NULL)
		return refuse_syntax(checker, place);
	if (sum.variant == NULL || !sum.has_value)
		return refuse(checker, place, REASON_MISSING_FIELD, "expected %s, but \"%s\" is missing", expected,
			      sum.variant ? "value" : "name");
	return 0;
}

/* A forced deploy can leave references that do not fit the module as it is now. */
static int refuse_ref(const struct json_checker *checker, const struct schema_type *type, const char *problem,
		      const struct place *place) {
	return refuse(checker, place, REASON_INVALID_VALUE, "the type \"%s.%s\" %s", type->ref.module, type->ref.name, problem);
}

static int check_ref(struct json_checker *checker, const struct schema_type *type, const struct scope *scope,
		     const struct place *place) {
	struct scope inner = {.outer = scope};
	const struct schema_module *module;
	if (is_param(type))
		return check_value(checker, argument_of(scope, type), scope->outer, place);
	type = resolve(checker, type, &module, &inner.data);
	if (type->kind != SCHEMA_REF)
		return check_value(checker, type, scope, place);
	if (module == NULL)
		return check_any(checker, place);
	switch (inner.data ? inner.data->kind : SCHEMA_VERB) {
	case SCHEMA_DATA:
		inner.args = type->args;
		if (type->arg_count != inner.data->data.param_count)
			return refuse_ref(checker, type, "has other type parameters now", place);
		return check_data(checker, &inner, place);
	case SCHEMA_ENUM:
		return check_enum(checker, inner.data, place);
	case SCHEMA_SUM:
		return check_sum(checker, inner.data, &inner, place);
	case SCHEMA_ALIAS:
		return refuse_ref(checker, type, "stands for itself", place);
	case SCHEMA_VERB:
		return refuse_ref(checker, type, "is not there", place);
	}
	return 0;
}

static int check_optional(struct json_checker *checker, const struct schema_type *type, const struct scope *scope,
			  const struct place *place) {
	if (scan_peek(&checker->scanner) != SCAN_NULL)
		return check_value(checker, type->element, scope, place);
	return scan_null(&checker->scanner) ? 0 : refuse_syntax(checker, place);
}

static int check_value(struct json_checker *checker, const struct schema_type *type, const struct scope *scope,
		       const struct place *place) {
	int64_t number;
	switch (type->kind) {
	case SCHEMA_INT:
		return check_int(checker, "Int", place, &number);
	case SCHEMA_FLOAT:
		return check_float(checker, place);
	case SCHEMA_STRING:
		return check_string(checker, place);
	case SCHEMA_BYTES:
		return check_bytes(checker, place);
	case SCHEMA_BOOL:
		return check_boolean(checker, place);
	case SCHEMA_TIME:
		return check_time(checker, place);
	case SCHEMA_ANY:
		return check_any(checker, place);
	case SCHEMA_UNIT:
		return check_unit(checker, place);
	case SCHEMA_OPTIONAL:
		return check_optional(checker, type, scope, place);
	case SCHEMA_ARRAY:
		return check_array(checker, type, scope, place);
	case SCHEMA_MAP:
		return check_map(checker, type, scope, place);
	case SCHEMA_REF:
		return check_ref(checker, type, scope, place);
	case SCHEMA_VERB_REF:
		return check_verb_name(checker, type, place);
	}
	return -1;
}

int schema_check_json(const struct schema_json *json, const struct schema_type *type, struct str text,
		      struct error *err) {
	struct json_checker checker = {.json = json, .err = err};
	struct scope scope = {0};
	buf_init(&checker.scratch, text.len);
	scan_start(&checker.scanner, text);
	int result = check_value(&checker, type, &scope, NULL);
	if (result == 0 && !scan_finish(&checker.scanner))
		result = refuse_syntax(&checker, NULL);
	free(checker.keys.hashes);
	buf_deinit(&checker.scratch);
	return result;
}
