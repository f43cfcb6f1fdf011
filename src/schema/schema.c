/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/schema.h"

#include "schema/nearest.h"

static const char *const type_words[] = {
	[SCHEMA_INT] = "Int",
	[SCHEMA_FLOAT] = "Float",
	[SCHEMA_STRING] = "String",
	[SCHEMA_BYTES] = "Bytes",
	[SCHEMA_BOOL] = "Bool",
	[SCHEMA_TIME] = "Time",
	[SCHEMA_ANY] = "Any",
	[SCHEMA_UNIT] = "Unit",
};

static const char *const decl_words[] = {
	[SCHEMA_DATA] = "data", [SCHEMA_VERB] = "verb",	      [SCHEMA_ENUM] = "enum",
	[SCHEMA_SUM] = "enum",	[SCHEMA_ALIAS] = "typealias",
};

const char *schema_type_word(enum schema_type_kind kind) {
	return (size_t)kind < ARRAY_LEN(type_words) ? type_words[kind] : NULL;
}

bool schema_type_from_word(struct str word, enum schema_type_kind *ret_kind) {
	for (size_t i = 0; i < ARRAY_LEN(type_words); i++) {
		if (str_eq_c(word, type_words[i])) {
			*ret_kind = (enum schema_type_kind)i;
			return true;
		}
	}
	return false;
}

const char *schema_decl_word(enum schema_decl_kind kind) {
	return decl_words[kind];
}

static bool is_letter(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool schema_is_name(struct str text) {
	if (text.len == 0 || text.len > SCHEMA_NAME_MAX || !is_letter(text.ptr[0]))
		return false;
	for (size_t i = 1; i < text.len; i++)
		if (!is_letter(text.ptr[i]) && !(text.ptr[i] >= '0' && text.ptr[i] <= '9'))
			return false;
	return true;
}

bool schema_is_reserved(struct str name) {
	static const char *const words[] = {"module", "data", "verb", "enum", "typealias", "export"};
	enum schema_type_kind kind;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq_c(name, words[i]))
			return true;
	return schema_type_from_word(name, &kind);
}

const struct schema_decl *schema_find_decl(const struct schema_module *module, const char *name) {
	for (size_t i = 0; i < module->decl_count; i++)
		if (strcmp(module->decls[i].name, name) == 0)
			return &module->decls[i];
	return NULL;
}

const struct schema_decl *schema_find_verb(const struct schema_module *module, const char *name) {
	const struct schema_decl *decl = schema_find_decl(module, name);
	return decl != NULL && decl->kind == SCHEMA_VERB ? decl : NULL;
}

const struct schema_field *schema_find_field(const struct schema_decl *data, const char *name) {
	for (size_t i = 0; i < data->data.field_count; i++)
		if (strcmp(data->data.fields[i].name, name) == 0)
			return &data->data.fields[i];
	return NULL;
}

const struct schema_decl *schema_next_verb(const struct schema_module *module, const struct schema_decl *verb) {
	size_t next = verb == NULL ? 0 : (size_t)(verb - module->decls) + 1;
	for (; next < module->decl_count; next++)
		if (module->decls[next].kind == SCHEMA_VERB)
			return &module->decls[next];
	return NULL;
}

const char *schema_nearest_verb(const struct schema_module *module, const char *name) {
	struct nearest nearest;
	nearest_init(&nearest, str_from(name));
	for (const struct schema_decl *verb = NULL; (verb = schema_next_verb(module, verb)) != NULL;)
		nearest_offer(&nearest, verb->name);
	return nearest.name;
}

bool schema_verb_calls(const struct schema_decl *verb, const char *module, const char *name) {
	for (size_t i = 0; i < verb->metadata.count; i++) {
		const struct schema_metadata *metadata = &verb->metadata.items[i];
		for (size_t j = 0; j < metadata->call_count; j++)
			if (strcmp(metadata->calls[j].name, name) == 0 && strcmp(metadata->calls[j].module, module) == 0)
				return true;
	}
	return false;
}

const struct schema_type *schema_innermost(const struct schema_type *type) {
	while (type->element != NULL)
		type = type->element;
	return type;
}
