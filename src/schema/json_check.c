/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk over text and type at once. Each value is read once, except the "value" of a sum type that stands before its
 * "name".
 */
#include "schema/json_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/reasons.h"
#include "base/timestamp.h"
#include "schema/json_keys.h"
#include "schema/json_refuse.h"
#include "schema/print.h"

/* Binds the type parameters of a generic data to its arguments. */
struct scope {
	const struct schema_decl *data;
	const struct schema_type *args; /* in terms of the parameters of outer */
	const struct scope *outer;
};

struct json_checker {
	const struct schema_json *json;
	struct json_source source;
	struct buf scratch; /* the last unescaped string */
	struct json_keys keys;
	uint64_t objects; /* maps, and objects within Any, entered so far */
};

static int check_value(struct json_checker *checker, const struct schema_type *type, const struct scope *scope,
		       const struct place *place);

static bool comes(struct json_checker *checker, enum scan_kind kind) {
	return scan_peek(&checker->source.scanner) == kind;
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
		return json_refuse_kind(&checker->source, expected, place);
	if (!scan_string(&checker->source.scanner, &raw, &escaped))
		return json_refuse_syntax(&checker->source, place);
	*ret_text = plain(checker, raw, escaped);
	return 0;
}

static int read_number(struct json_checker *checker, const char *expected, const struct place *place,
		       struct str *ret_digits) {
	if (!comes(checker, SCAN_NUMBER))
		return json_refuse_kind(&checker->source, expected, place);
	return scan_number(&checker->source.scanner, ret_digits) ? 0 : json_refuse_syntax(&checker->source, place);
}

static int check_int(struct json_checker *checker, const char *expected, const struct place *place,
		     int64_t *ret_number) {
	struct str digits;
	if (read_number(checker, expected, place, &digits) != 0)
		return -1;
	if (scan_to_int(digits, ret_number))
		return 0;
	const char *why = scan_is_whole(digits) ? ", which is over 64 bits" : "";
	digits.len = MIN(digits.len, (size_t)JSON_VALUE_MAX);
	return json_refuse(&checker->source, place, REASON_INVALID_VALUE, "expected %s, got %.*s%s", expected,
			   STR_ARG(digits), why);
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

static int check_float(struct json_checker *checker, const char *expected, const struct place *place) {
	struct str digits;
	if (read_number(checker, expected, place, &digits) != 0)
		return -1;
	double value = to_double(digits);
	digits.len = MIN(digits.len, (size_t)JSON_VALUE_MAX);
	if (value - value != 0)
		return json_refuse(&checker->source, place, REASON_INVALID_VALUE,
				   "expected %s, got %.*s, which is too large", expected, STR_ARG(digits));
	return 0;
}

static int check_string(struct json_checker *checker, const struct place *place) {
	struct str text;
	return read_string(checker, "String", place, &text);
}

static int check_time(struct json_checker *checker, const struct place *place) {
	static const char expected[] = "Time, as in \"2026-01-02T03:04:05Z\"";
	struct str text;
	char quoted[JSON_QUOTE_MAX];
	if (read_string(checker, expected, place, &text) != 0)
		return -1;
	if (!timestamp_parse(text, NULL))
		return json_refuse(&checker->source, place, REASON_INVALID_VALUE, "expected %s, got %s", expected,
				   json_quote(text, quoted));
	return 0;
}

static int check_bytes(struct json_checker *checker, const struct place *place) {
	struct str text;
	char quoted[JSON_QUOTE_MAX];
	if (read_string(checker, "Bytes in base64", place, &text) != 0)
		return -1;
	if (!base64_is_strict(text))
		return json_refuse(&checker->source, place, REASON_INVALID_VALUE, "expected Bytes in base64, got %s",
				   json_quote(text, quoted));
	return 0;
}

static int check_boolean(struct json_checker *checker, const struct place *place) {
	bool value;
	if (!comes(checker, SCAN_BOOLEAN))
		return json_refuse_kind(&checker->source, "Bool", place);
	return scan_boolean(&checker->source.scanner, &value) ? 0 : json_refuse_syntax(&checker->source, place);
}

/* Takes the value of a field that the schema lacks. */
static int skip_value(struct json_checker *checker, const struct place *place) {
	return scan_skip(&checker->source.scanner) ? 0 : json_refuse_syntax(&checker->source, place);
}

static int check_any(struct json_checker *checker, const struct place *place);

static int check_any_elements(struct json_checker *checker, const struct place *place) {
	struct place inner = {.outer = place};
	if (!scan_enter(&checker->source.scanner))
		return json_refuse_syntax(&checker->source, place);
	for (; scan_next(&checker->source.scanner, inner.index); inner.index++)
		if (check_any(checker, &inner) != 0)
			return -1;
	return checker->source.scanner.problem ? json_refuse_syntax(&checker->source, place) : 0;
}

static int check_any_members(struct json_checker *checker, const struct place *place) {
	struct place inner = {.outer = place};
	uint64_t object = ++checker->objects;
	bool escaped;
	if (!scan_enter(&checker->source.scanner))
		return json_refuse_syntax(&checker->source, place);
	for (size_t i = 0; scan_next_key(&checker->source.scanner, i, &inner.key, &escaped); i++) {
		if (!json_keys_add(&checker->keys, object, plain(checker, inner.key, escaped)))
			return json_refuse(&checker->source, &inner, REASON_DUPLICATE_KEY, "the key occurs twice");
		if (check_any(checker, &inner) != 0)
			return -1;
	}
	return checker->source.scanner.problem ? json_refuse_syntax(&checker->source, place) : 0;
}

/* Any JSON that every language reads alike: no key twice in an object, and no number that a Float cannot hold. */
static int check_any(struct json_checker *checker, const struct place *place) {
	switch (scan_peek(&checker->source.scanner)) {
	case SCAN_ARRAY:
		return check_any_elements(checker, place);
	case SCAN_OBJECT:
		return check_any_members(checker, place);
	case SCAN_NUMBER:
		return check_float(checker, "Any", place);
	case SCAN_NULL:
	case SCAN_BOOLEAN:
	case SCAN_STRING:
	case SCAN_INVALID:
		break;
	}
	return skip_value(checker, place);
}

static int check_verb_name(struct json_checker *checker, const struct schema_type *type, const struct place *place) {
	char expected[SCHEMA_TYPE_TEXT_MAX + 64], quoted[JSON_QUOTE_MAX];
	snprintf(expected, sizeof expected, "the name of a verb, as in \"%s.%s\"", type->ref.module, type->ref.name);
	struct str text, name;
	if (read_string(checker, expected, place, &text) != 0)
		return -1;
	struct str module = str_cut(text, '.', &name);
	if (!schema_is_name(module) || !schema_is_name(name))
		return json_refuse(&checker->source, place, REASON_INVALID_VALUE, "expected %s, got %s", expected,
				   json_quote(text, quoted));
	return 0;
}

static int check_array(struct json_checker *checker, const struct schema_type *type, const struct scope *scope,
		       const struct place *place) {
	char expected[SCHEMA_TYPE_TEXT_MAX];
	if (!comes(checker, SCAN_ARRAY))
		return json_refuse_kind(&checker->source, schema_type_text(type, expected), place);
	if (!scan_enter(&checker->source.scanner))
		return json_refuse_syntax(&checker->source, place);
	struct place inner = {.outer = place};
	for (; scan_next(&checker->source.scanner, inner.index); inner.index++)
		if (check_value(checker, type->element, scope, &inner) != 0)
			return -1;
	return checker->source.scanner.problem ? json_refuse_syntax(&checker->source, place) : 0;
}

static const struct schema_module *find_module(const struct json_checker *checker, const char *name) {
	if (strcmp(name, checker->json->module->name) == 0)
		return checker->json->module;
	if (checker->json->find != NULL)
		return checker->json->find(checker->json->owner, name);
	return checker->json->modules ? map_get(checker->json->modules, str_from(name)) : NULL;
}

/* Aliases followed from module to module; a longer chain is a circle, which a forced deploy can make. */
enum { ALIASES_MAX = 100 };

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

static int check_enum(struct json_checker *checker, const struct schema_decl *decl, const struct place *place) {
	char values[JSON_LIST_MAX];
	struct str text = {0};
	int64_t number = 0;
	if (!comes(checker, decl->enumeration.of_int ? SCAN_NUMBER : SCAN_STRING))
		return json_refuse_kind(&checker->source, json_list_values(decl, values), place);
	if (decl->enumeration.of_int ? check_int(checker, decl->name, place, &number) != 0
				     : read_string(checker, decl->name, place, &text) != 0)
		return -1;
	if (schema_find_variant(decl, text, number) != NULL)
		return 0;
	if (!decl->enumeration.of_int)
		return json_refuse_variant(&checker->source, decl, REASON_UNKNOWN_VARIANT, text, place);
	return json_refuse(&checker->source, place, REASON_UNKNOWN_VARIANT, "expected %s, got %lld",
			   json_list_values(decl, values), (long long)number);
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
	char quoted[JSON_QUOTE_MAX], canonical[32];
	if (of_int) {
		if (!scan_to_int(key, &number))
			return json_refuse(&checker->source, place, REASON_INVALID_KEY,
					   "expected a key that is an Int, got %s", json_quote(key, quoted));
		snprintf(canonical, sizeof canonical, "%lld", (long long)number);
		if (!str_eq_c(key, canonical))
			return json_refuse(&checker->source, place, REASON_INVALID_KEY,
					   "expected the key \"%s\", got %s", canonical, json_quote(key, quoted));
	}
	if (type->kind != SCHEMA_REF || schema_find_variant(decl, key, number) != NULL)
		return 0;
	if (!of_int)
		return json_refuse_variant(&checker->source, decl, REASON_INVALID_KEY, key, place);
	char values[JSON_LIST_MAX];
	return json_refuse(&checker->source, place, REASON_INVALID_KEY, "expected a key that is %s, got %s",
			   json_list_values(decl, values), json_quote(key, quoted));
}

static int check_map(struct json_checker *checker, const struct schema_type *type, const struct scope *scope,
		     const struct place *place) {
	char expected[SCHEMA_TYPE_TEXT_MAX];
	if (!comes(checker, SCAN_OBJECT))
		return json_refuse_kind(&checker->source, schema_type_text(type, expected), place);
	if (!scan_enter(&checker->source.scanner))
		return json_refuse_syntax(&checker->source, place);
	uint64_t map = ++checker->objects;
	struct place inner = {.outer = place};
	bool escaped;
	for (size_t i = 0; scan_next_key(&checker->source.scanner, i, &inner.key, &escaped); i++) {
		struct str key = plain(checker, inner.key, escaped);
		if (check_key(checker, type->key, key, place) != 0)
			return -1;
		if (!json_keys_add(&checker->keys, map, key))
			return json_refuse(&checker->source, &inner, REASON_DUPLICATE_KEY, "the key occurs twice");
		if (check_value(checker, type->element, scope, &inner) != 0)
			return -1;
	}
	return checker->source.scanner.problem ? json_refuse_syntax(&checker->source, place) : 0;
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
			return json_refuse(&checker->source, &inner, REASON_MISSING_FIELD,
					   "expected %s, but it is missing", schema_type_text(&field->type, text));
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
	for (size_t i = 0; scan_next_key(&checker->source.scanner, i, &raw, &escaped); i++) {
		struct str name = plain(checker, raw, escaped);
		index = find_field(data, name, index);
		if (index == count && !checker->json->skip_unknown)
			return json_refuse_field(&checker->source, data, name, place);
		if (index == count) {
			if (skip_value(checker, place) != 0)
				return -1;
			continue;
		}
		struct place inner = {.outer = place, .field = data->data.fields[index].name};
		if (!add_field(&seen, index))
			return json_refuse(&checker->source, &inner, REASON_DUPLICATE_KEY, "the field occurs twice");
		if (check_value(checker, &data->data.fields[index].type, scope, &inner) != 0)
			return -1;
		index++;
	}
	return checker->source.scanner.problem ? json_refuse_syntax(&checker->source, place)
					       : check_missing(checker, &seen, scope, place);
}

static int check_data(struct json_checker *checker, const struct scope *scope, const struct place *place) {
	if (!comes(checker, SCAN_OBJECT))
		return json_refuse_kind(&checker->source, scope->data->name, place);
	if (!scan_enter(&checker->source.scanner))
		return json_refuse_syntax(&checker->source, place);
	return check_fields(checker, scope, place);
}

static int check_unit(struct json_checker *checker, const struct place *place) {
	struct str raw;
	bool escaped;
	if (!comes(checker, SCAN_OBJECT))
		return json_refuse_kind(&checker->source, "Unit, which is {}", place);
	if (!scan_enter(&checker->source.scanner))
		return json_refuse_syntax(&checker->source, place);
	for (size_t i = 0; scan_next_key(&checker->source.scanner, i, &raw, &escaped); i++) {
		if (!checker->json->skip_unknown)
			return json_refuse_field(&checker->source, NULL, plain(checker, raw, escaped), place);
		if (skip_value(checker, place) != 0)
			return -1;
	}
	return checker->source.scanner.problem ? json_refuse_syntax(&checker->source, place) : 0;
}

/* The state of reading a sum type's object. */
struct sum {
	const struct schema_decl *decl;
	const struct schema_variant *variant; /* NULL: "name" has not come yet */
	bool has_value;
	struct scanner before_value; /* position of "value", if it came before "name" */
};

static int check_sum_name(struct json_checker *checker, struct sum *sum, const struct place *place) {
	char values[JSON_LIST_MAX];
	struct str text;
	if (sum->variant != NULL)
		return json_refuse(&checker->source, place, REASON_DUPLICATE_KEY, "the field occurs twice");
	if (!comes(checker, SCAN_STRING))
		return json_refuse_kind(&checker->source, json_list_values(sum->decl, values), place);
	if (read_string(checker, sum->decl->name, place, &text) != 0)
		return -1;
	sum->variant = schema_find_variant(sum->decl, text, 0);
	return sum->variant ? 0 : json_refuse_variant(&checker->source, sum->decl, REASON_UNKNOWN_VARIANT, text, place);
}

static int check_sum_value(struct json_checker *checker, struct sum *sum, const struct scope *scope,
			   const struct place *place) {
	if (sum->has_value)
		return json_refuse(&checker->source, place, REASON_DUPLICATE_KEY, "the field occurs twice");
	sum->has_value = true;
	if (sum->variant != NULL)
		return check_value(checker, sum->variant->type, scope, place);
	sum->before_value = checker->source.scanner;
	return skip_value(checker, place);
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
		struct scanner after = checker->source.scanner;
		checker->source.scanner = sum->before_value;
		int result = check_value(checker, sum->variant->type, scope, &value);
		if (result == 0)
			checker->source.scanner = after;
		return result;
	}
	if (str_eq(key, STR("value")))
		return check_sum_value(checker, sum, scope, &value);
	if (checker->json->skip_unknown)
		return skip_value(checker, place);
	char quoted[JSON_QUOTE_MAX];
	return json_refuse(&checker->source, place, REASON_UNKNOWN_FIELD,
			   "unknown field %s; a %s has \"name\" and \"value\"", json_quote(key, quoted),
			   sum->decl->name);
}

static int check_sum(struct json_checker *checker, const struct schema_decl *decl, const struct scope *scope,
		     const struct place *place) {
	char expected[SCHEMA_NAME_MAX + 64];
	snprintf(expected, sizeof expected, "%s, {\"name\": …, \"value\": …}", decl->name);
	if (!comes(checker, SCAN_OBJECT))
		return json_refuse_kind(&checker->source, expected, place);
	if (!scan_enter(&checker->source.scanner))
		return json_refuse_syntax(&checker->source, place);
	struct sum sum = {.decl = decl};
	struct str raw;
	bool escaped;
	for (size_t i = 0; scan_next_key(&checker->source.scanner, i, &raw, &escaped); i++)
		if (check_sum_field(checker, &sum, scope, plain(checker, raw, escaped), place) != 0)
			return -1;
	if (checker->source.scanner.problem != NULL)
		return json_refuse_syntax(&checker->source, place);
	if (sum.variant == NULL || !sum.has_value)
		return json_refuse(&checker->source, place, REASON_MISSING_FIELD, "expected %s, but \"%s\" is missing",
				   expected, sum.variant ? "value" : "name");
	return 0;
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
			return json_refuse_ref(&checker->source, type, "has other type parameters now", place);
		return check_data(checker, &inner, place);
	case SCHEMA_ENUM:
		return check_enum(checker, inner.data, place);
	case SCHEMA_SUM:
		return check_sum(checker, inner.data, &inner, place);
	case SCHEMA_ALIAS:
		return json_refuse_ref(&checker->source, type, "stands for itself", place);
	case SCHEMA_VERB:
		return json_refuse_ref(&checker->source, type, "is not there", place);
	}
	return 0;
}

static int check_optional(struct json_checker *checker, const struct schema_type *type, const struct scope *scope,
			  const struct place *place) {
	if (scan_peek(&checker->source.scanner) != SCAN_NULL)
		return check_value(checker, type->element, scope, place);
	return scan_null(&checker->source.scanner) ? 0 : json_refuse_syntax(&checker->source, place);
}

static int check_value(struct json_checker *checker, const struct schema_type *type, const struct scope *scope,
		       const struct place *place) {
	int64_t number;
	switch (type->kind) {
	case SCHEMA_INT:
		return check_int(checker, "Int", place, &number);
	case SCHEMA_FLOAT:
		return check_float(checker, "Float", place);
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
	struct json_checker checker = {.json = json, .source = {.root = json->root, .err = err}};
	struct scope scope = {0};
	buf_init(&checker.scratch, text.len);
	scan_start(&checker.source.scanner, text);
	int result = check_value(&checker, type, &scope, NULL);
	if (result == 0 && !scan_finish(&checker.source.scanner))
		result = json_refuse_syntax(&checker.source, NULL);
	json_keys_deinit(&checker.keys);
	buf_deinit(&checker.scratch);
	return result;
}
