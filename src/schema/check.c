/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/check.h"

#include <stdio.h>
#include <strings.h>

#include "base/map.h"
#include "base/nearest.h"
#include "schema/reach.h"
#include "schema/recursion.h"

/* Up to this many names are compared pairwise, which is faster than a map. */
enum { FEW_NAMES = 16 };

struct checker {
	const struct schema_module *module;
	struct schema_diagnostics *diagnostics;
	const struct schema_decl *decl; /* the declaration that is being checked; NULL: the module itself */
	const char *part; /* the field or variant that is being checked; NULL: the declaration itself */
	struct schema_pos pos; /* position of part, or of decl */
};

/* "EchoRequest.name: …", "EchoRequest: …" or "module echo: …" */
#define COMPLAIN(checker, at, hint, format, ...)                                                                       \
	schema_diagnose((checker)->diagnostics, (at).line ? (at) : (checker)->pos, hint, "%s%s%s%s: " format,          \
			(checker)->decl ? "" : "module ",                                                              \
			(checker)->decl ? (checker)->decl->name : (checker)->module->name, (checker)->part ? "." : "", \
			(checker)->part ? (checker)->part : "", __VA_ARGS__)

static void set_place(struct checker *checker, const char *part, struct schema_pos pos) {
	checker->part = part;
	checker->pos = pos.line ? pos : checker->decl->pos;
}

static bool is_own(const struct checker *checker, const struct schema_ref *ref) {
	return strcmp(ref->module, checker->module->name) == 0;
}

/* The FTL type for the name that other languages give it. */
static const char *familiar_type(const char *name) {
	static const char *const pairs[][2] = {
		{"integer", "Int"},   {"long", "Int"},      {"int64", "Int"},      {"int32", "Int"},
		{"number", "Float"},  {"double", "Float"},  {"str", "String"},     {"text", "String"},
		{"boolean", "Bool"},  {"float64", "Float"}, {"date", "Time"},      {"datetime", "Time"},
		{"object", "Any"},    {"void", "Unit"},     {"blob", "Bytes"},     {"float32", "Float"},
		{"decimal", "Float"}, {"json", "Any"},      {"timestamp", "Time"}, {"uint64", "Int"},
	};
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (strcasecmp(pairs[i][0], name) == 0)
			return pairs[i][1];
	return NULL;
}

/* The FTL syntax for what other languages write as a word. */
static const char *familiar_mark(const char *name) {
	static const char *const pairs[][2] = {
		{"list", "an array is written [String]"},      {"array", "an array is written [String]"},
		{"vec", "an array is written [String]"},       {"vector", "an array is written [String]"},
		{"set", "an array is written [String]"},       {"slice", "an array is written [String]"},
		{"map", "a map is written {String: Int}"},     {"dict", "a map is written {String: Int}"},
		{"hashmap", "a map is written {String: Int}"}, {"record", "a map is written {String: Int}"},
		{"optional", "an optional is written String?"}, {"option", "an optional is written String?"},
		{"maybe", "an optional is written String?"},   {"nullable", "an optional is written String?"},
	};
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (strcasecmp(pairs[i][0], name) == 0)
			return pairs[i][1];
	return NULL;
}

static const char *type_hint(const struct checker *checker, const char *name, char hint[NEAREST_HINT_MAX]) {
	struct nearest nearest;
	if (schema_diagnostics_are_full(checker->diagnostics))
		return NULL;
	nearest_init(&nearest, str_from(name));
	for (size_t i = 0; i < checker->module->decl_count; i++)
		if (checker->module->decls[i].kind != SCHEMA_VERB)
			nearest_offer(&nearest, checker->module->decls[i].name);
	for (int kind = SCHEMA_INT; schema_type_word((enum schema_type_kind)kind) != NULL; kind++)
		nearest_offer(&nearest, schema_type_word((enum schema_type_kind)kind));
	const char *familiar = familiar_type(name), *mark = familiar_mark(name);
	enum schema_type_kind kind_of_part;
	if (mark != NULL && nearest.distance > 0)
		return mark;
	if (nearest.name == NULL && checker->part != NULL &&
	    schema_type_from_word(str_from(checker->part), &kind_of_part))
		return "a field is written: name String";
	if (familiar != NULL && nearest.distance > 1)
		nearest.name = familiar;
	return nearest_hint(&nearest, hint);
}

static void check_arity(struct checker *checker, const struct schema_type *type, const struct schema_decl *decl) {
	size_t wanted = decl->kind == SCHEMA_DATA ? decl->data.param_count : 0;
	if (type->arg_count != wanted && !checker->module->in_part)
		COMPLAIN(checker, type->ref.pos, NULL, "\"%s\" takes %zu type argument%s, not %zu", decl->name, wanted,
			 wanted == 1 ? "" : "s", type->arg_count);
}

static void check_type_ref(struct checker *checker, const struct schema_type *type) {
	const struct schema_ref *ref = &type->ref;
	if (ref->module[0] == '\0' && type->arg_count > 0)
		COMPLAIN(checker, ref->pos, NULL, "the type parameter \"%s\" takes no arguments", ref->name);
	if (!is_own(checker, ref))
		return;
	const struct schema_decl *decl = schema_find_decl(checker->module, ref->name);
	char hint[NEAREST_HINT_MAX];
	if (decl == NULL)
		COMPLAIN(checker, ref->pos, type_hint(checker, ref->name, hint), "there is no type \"%s\"", ref->name);
	else if (decl->kind == SCHEMA_VERB)
		COMPLAIN(checker, ref->pos, NULL, "\"%s\" is a verb and not a type", ref->name);
	else
		check_arity(checker, type, decl);
}

static void check_verb_exists(struct checker *checker, const struct schema_ref *ref) {
	if (!is_own(checker, ref))
		return;
	const struct schema_decl *decl = schema_find_decl(checker->module, ref->name);
	if (decl != NULL && decl->kind == SCHEMA_VERB)
		return;
	char hint[NEAREST_HINT_MAX];
	bool full = schema_diagnostics_are_full(checker->diagnostics);
	struct nearest nearest = {.name = full ? NULL : schema_nearest_verb(checker->module, ref->name)};
	const char *meant = nearest_hint(&nearest, hint);
	COMPLAIN(checker, ref->pos, meant ? meant : "one of another module is written: module.verb",
		 "there is no verb \"%s\"", ref->name);
}

static bool may_be_key(const struct checker *checker, const struct schema_type *type) {
	type = schema_resolve(checker->module, type);
	if (type->kind != SCHEMA_REF)
		return type->kind == SCHEMA_STRING || type->kind == SCHEMA_INT;
	if (!is_own(checker, &type->ref))
		return type->ref.module[0] != '\0';
	const struct schema_decl *decl = schema_find_decl(checker->module, type->ref.name);
	return decl == NULL || decl->kind == SCHEMA_ENUM;
}

static void check_type(struct checker *checker, const struct schema_type *type) {
	if (type->kind == SCHEMA_OPTIONAL && schema_resolve(checker->module, type->element)->kind == SCHEMA_OPTIONAL)
		COMPLAIN(checker, type->ref.pos, "one '?' is enough", "%s", "an optional of an optional");
	if (type->kind == SCHEMA_REF)
		check_type_ref(checker, type);
	if (type->kind == SCHEMA_VERB_REF)
		check_verb_exists(checker, &type->ref);
	if (type->key != NULL) {
		check_type(checker, type->key);
		if (!may_be_key(checker, type->key))
			COMPLAIN(checker, type->key->ref.pos, "a key is String, Int or an enum of values", "%s",
				 "a map with keys of this type");
	}
	if (type->element != NULL)
		check_type(checker, type->element);
	for (size_t i = 0; i < type->arg_count; i++)
		check_type(checker, &type->args[i]);
}

static void check_metadata(struct checker *checker, const struct schema_metadata_list *list, bool of_verb) {
	for (size_t i = 0; i < list->count; i++) {
		const struct schema_metadata *metadata = &list->items[i];
		if (metadata->call_count > 0 && !of_verb)
			COMPLAIN(checker, metadata->pos, NULL, "%s", "+calls is for a verb");
		for (size_t j = 0; j < metadata->call_count; j++)
			check_verb_exists(checker, &metadata->calls[j]);
	}
}

/* A set of names that must differ. */
struct names {
	struct map many; /* in use past FEW_NAMES */
	const char *few[FEW_NAMES];
	size_t count;
};

static bool was_there(struct names *names, const char *name) {
	for (size_t i = 0; i < MIN(names->count, (size_t)FEW_NAMES); i++)
		if (strcmp(names->few[i], name) == 0)
			return true;
	if (names->count >= FEW_NAMES)
		return map_put(&names->many, str_from(name), names) != NULL;
	names->few[names->count++] = name;
	return false;
}

static void check_unique(const struct checker *checker, struct names *names, const char *name, const char *what) {
	if (was_there(names, name))
		COMPLAIN(checker, checker->pos, NULL, "a second %s \"%s\"", what, name);
}

static void check_params(struct checker *checker) {
	struct names seen = {.count = 0};
	for (size_t i = 0; i < checker->decl->data.param_count; i++) {
		const struct schema_param *param = &checker->decl->data.params[i];
		set_place(checker, NULL, param->pos);
		check_unique(checker, &seen, param->name, "type parameter");
		if (schema_is_reserved(str_from(param->name)))
			COMPLAIN(checker, param->pos, "choose another", "the name \"%s\" has a meaning already",
				 param->name);
		else if (schema_find_decl(checker->module, param->name) != NULL)
			COMPLAIN(checker, param->pos, "choose another",
				 "the type parameter \"%s\" is also a declaration of the module", param->name);
	}
	map_deinit(&seen.many);
}

static void check_data(struct checker *checker) {
	check_params(checker);
	struct names seen = {.count = 0};
	for (size_t i = 0; i < checker->decl->data.field_count; i++) {
		const struct schema_field *field = &checker->decl->data.fields[i];
		set_place(checker, field->name, field->pos);
		check_unique(checker, &seen, field->name, "field");
		check_type(checker, &field->type);
		check_metadata(checker, &field->metadata, false);
	}
	map_deinit(&seen.many);
}

static void check_enum(struct checker *checker) {
	const struct schema_decl *decl = checker->decl;
	struct names names = {.count = 0};
	struct map values;
	map_init(&values);
	if (decl->enumeration.variant_count == 0 && !checker->module->in_part)
		COMPLAIN(checker, decl->pos, NULL, "%s", "an enum without variants");
	for (size_t i = 0; i < decl->enumeration.variant_count; i++) {
		const struct schema_variant *variant = &decl->enumeration.variants[i];
		set_place(checker, variant->name, variant->pos);
		check_unique(checker, &names, variant->name, "variant");
		if (variant->type != NULL) {
			check_type(checker, variant->type);
			continue;
		}
		char number[32];
		snprintf(number, sizeof number, "%lld", (long long)variant->number);
		const char *value = variant->text ? variant->text : number;
		if (map_put(&values, str_from(value), checker) != NULL)
			COMPLAIN(checker, variant->pos, NULL, "a second variant with the value \"%s\"", value);
	}
	map_deinit(&names.many);
	map_deinit(&values);
}

static void check_verb(struct checker *checker) {
	set_place(checker, "request", checker->decl->pos);
	check_type(checker, &checker->decl->verb.request);
	set_place(checker, "response", checker->decl->pos);
	check_type(checker, &checker->decl->verb.response);
}

static void check_decl(struct checker *checker, const struct schema_decl *decl) {
	checker->decl = decl;
	set_place(checker, NULL, decl->pos);
	const struct schema_decl *first = schema_find_decl(checker->module, decl->name);
	if (first != decl)
		COMPLAIN(checker, decl->pos, NULL, "declared twice, first as a %s", schema_decl_word(first->kind));
	if (schema_is_reserved(str_from(decl->name)))
		COMPLAIN(checker, decl->pos, "choose another", "the name \"%s\" has a meaning already", decl->name);
	switch (decl->kind) {
	case SCHEMA_DATA:
		check_data(checker);
		break;
	case SCHEMA_VERB:
		check_verb(checker);
		break;
	case SCHEMA_ENUM:
	case SCHEMA_SUM:
		check_enum(checker);
		break;
	case SCHEMA_ALIAS:
		check_type(checker, &decl->alias.type);
		break;
	}
	set_place(checker, NULL, decl->pos);
	check_metadata(checker, &decl->metadata, decl->kind == SCHEMA_VERB);
}

int schema_check(const struct schema_module *module, struct schema_diagnostics *diagnostics) {
	struct checker checker = {.module = module, .diagnostics = diagnostics, .pos = module->pos};
	size_t known = diagnostics->count;
	if (schema_is_reserved(str_from(module->name)))
		COMPLAIN(&checker, module->pos, "choose another", "the name \"%s\" has a meaning already",
			 module->name);
	check_metadata(&checker, &module->metadata, false);
	for (size_t i = 0; i < module->decl_count; i++)
		check_decl(&checker, &module->decls[i]);
	if (!module->in_part)
		(void)schema_check_recursion(module, diagnostics);
	return diagnostics->count > known ? -1 : 0;
}
