/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/schema.h"

#include "base/map.h"
#include "schema/nearest.h"

static const char *const type_words[] = {
	[SCHEMA_INT] = "Int",   [SCHEMA_FLOAT] = "Float", [SCHEMA_STRING] = "String", [SCHEMA_BYTES] = "Bytes",
	[SCHEMA_BOOL] = "Bool", [SCHEMA_TIME] = "Time",   [SCHEMA_ANY] = "Any",       [SCHEMA_UNIT] = "Unit",
};

static const char *const decl_words[] = {
	[SCHEMA_DATA] = "data", [SCHEMA_VERB] = "verb",       [SCHEMA_ENUM] = "enum",
	[SCHEMA_SUM] = "enum",  [SCHEMA_ALIAS] = "typealias",
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

/* The place of name in the index: where it is, or the free one where it belongs. There is a free one. */
static uint32_t *find_place(const struct schema_module *module, const char *name) {
	size_t mask = module->index_size - 1;
	for (size_t i = str_hash(str_from(name)) & mask;; i = (i + 1) & mask) {
		uint32_t *place = &module->index[i];
		if (*place == 0 || strcmp(module->decls[*place - 1].name, name) == 0)
			return place;
	}
}

void schema_index(struct schema_module *module, struct arena *arena) {
	module->index_size = 2;
	while (module->index_size < module->decl_count * 2)
		module->index_size *= 2;
	module->index = arena_alloc(arena, module->index_size * sizeof *module->index);
	memset(module->index, 0, module->index_size * sizeof *module->index);
	for (size_t i = 0; i < module->decl_count; i++) {
		uint32_t *place = find_place(module, module->decls[i].name);
		if (*place == 0)
			*place = (uint32_t)i + 1;
	}
}

const struct schema_decl *schema_find_decl(const struct schema_module *module, const char *name) {
	uint32_t place = *find_place(module, name);
	return place == 0 ? NULL : &module->decls[place - 1];
}

size_t schema_type_height(const struct schema_type *type) {
	size_t below = type->element ? schema_type_height(type->element) : 0;
	if (type->key != NULL)
		below = MAX(below, schema_type_height(type->key));
	for (size_t i = 0; i < type->arg_count; i++)
		below = MAX(below, schema_type_height(&type->args[i]));
	return below + 1;
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
			if (strcmp(metadata->calls[j].name, name) == 0 &&
			    strcmp(metadata->calls[j].module, module) == 0)
				return true;
	}
	return false;
}

const struct schema_type *schema_decl_type(const struct schema_decl *decl, size_t index) {
	switch (decl->kind) {
	case SCHEMA_DATA:
		return index < decl->data.field_count ? &decl->data.fields[index].type : NULL;
	case SCHEMA_VERB:
		return index == 0 ? &decl->verb.request : index == 1 ? &decl->verb.response : NULL;
	case SCHEMA_SUM:
		return index < decl->enumeration.variant_count ? decl->enumeration.variants[index].type : NULL;
	case SCHEMA_ALIAS:
		return index == 0 ? &decl->alias.type : NULL;
	case SCHEMA_ENUM:
		return NULL;
	}
	return NULL;
}

void schema_walk_type(const struct schema_type *type, void (*visit)(const struct schema_type *type, void *context),
		      void *context) {
	visit(type, context);
	if (type->key != NULL)
		schema_walk_type(type->key, visit, context);
	if (type->element != NULL)
		schema_walk_type(type->element, visit, context);
	for (size_t i = 0; i < type->arg_count; i++)
		schema_walk_type(&type->args[i], visit, context);
}

void schema_export_by_default(struct schema_module *module) {
	for (size_t i = 0; i < module->decl_count; i++)
		if (module->decls[i].exported)
			return;
	for (size_t i = 0; i < module->decl_count; i++)
		module->decls[i].exported = true;
}
