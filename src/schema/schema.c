/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/schema.h"

#include "base/map.h"
#include "base/nearest.h"

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

/* --- searching ---------------------------------------------------------------------------------------------------- */

/* Up to this many members are searched linearly. */
enum { FEW_MEMBERS = 8 };

/* The key of the item at an index. */
typedef struct str key_function(const void *owner, size_t place);

/* The slot of key, or the free slot where it belongs. The table always has a free slot. */
static inline uint32_t *find_slot(const struct schema_index *index, struct str key, key_function *key_of,
				  const void *owner) {
	size_t mask = index->size - 1;
	for (size_t i = str_hash(key) & mask;; i = (i + 1) & mask) {
		uint32_t *slot = &index->places[i];
		if (*slot == 0 || str_eq(key_of(owner, *slot - 1), key))
			return slot;
	}
}

/* Of two items with the same key the first is indexed. */
static inline void make_index(struct schema_index *index, size_t count, key_function *key_of, const void *owner,
			      struct arena *arena) {
	index->size = 2;
	while (index->size < count * 2)
		index->size *= 2;
	index->places = arena_alloc(arena, index->size * sizeof *index->places);
	memset(index->places, 0, index->size * sizeof *index->places);
	for (size_t i = 0; i < count; i++) {
		uint32_t *slot = find_slot(index, key_of(owner, i), key_of, owner);
		if (*slot == 0)
			*slot = (uint32_t)i + 1;
	}
}

/* The index of key; count: not found. */
static inline size_t search(const struct schema_index *index, size_t count, struct str key, key_function *key_of,
			    const void *owner) {
	if (index->size > 0) {
		uint32_t slot = *find_slot(index, key, key_of, owner);
		return slot == 0 ? count : slot - 1;
	}
	size_t i = 0;
	while (i < count && !str_eq(key_of(owner, i), key))
		i++;
	return i;
}

static struct str decl_key(const void *owner, size_t place) {
	return str_from(((const struct schema_module *)owner)->decls[place].name);
}

static struct str field_key(const void *owner, size_t place) {
	return str_from(((const struct schema_decl *)owner)->data.fields[place].name);
}

static struct str number_key(const int64_t *number) {
	return str_new(number, sizeof *number);
}

static struct str variant_key(const void *owner, size_t place) {
	const struct schema_decl *decl = owner;
	const struct schema_variant *variant = &decl->enumeration.variants[place];
	if (decl->kind == SCHEMA_SUM)
		return str_from(variant->name);
	return decl->enumeration.of_int ? number_key(&variant->number) : str_from(variant->text);
}

const struct schema_decl *schema_find_decl(const struct schema_module *module, const char *name) {
	size_t place = search(&module->by_name, module->decl_count, str_from(name), decl_key, module);
	return place == module->decl_count ? NULL : &module->decls[place];
}

const struct schema_field *schema_find_field(const struct schema_decl *data, struct str name) {
	size_t place = search(&data->data.by_name, data->data.field_count, name, field_key, data);
	return place == data->data.field_count ? NULL : &data->data.fields[place];
}

const struct schema_variant *schema_find_variant(const struct schema_decl *decl, struct str text, int64_t number) {
	struct str key = decl->kind == SCHEMA_ENUM && decl->enumeration.of_int ? number_key(&number) : text;
	size_t count = decl->enumeration.variant_count;
	size_t place = search(&decl->enumeration.by_value, count, key, variant_key, decl);
	return place == count ? NULL : &decl->enumeration.variants[place];
}

const struct schema_variant *schema_same_variant(const struct schema_decl *decl, const struct schema_variant *like) {
	const char *text = decl->kind == SCHEMA_SUM ? like->name : like->text;
	return schema_find_variant(decl, str_from(text ? text : ""), like->number);
}

const struct schema_decl *schema_target(const struct schema_module *module, const struct schema_type *type) {
	if (type->kind != SCHEMA_REF || strcmp(type->ref.module, module->name) != 0)
		return NULL;
	return schema_find_decl(module, type->ref.name);
}

static struct schema_decl *target_alias(const struct schema_module *module, const struct schema_type *type) {
	const struct schema_decl *decl = schema_target(module, type);
	return decl != NULL && decl->kind == SCHEMA_ALIAS ? &module->decls[decl - module->decls] : NULL;
}

const struct schema_type *schema_resolve(const struct schema_module *module, const struct schema_type *type) {
	const struct schema_decl *alias = target_alias(module, type);
	return alias ? alias->alias.end : type;
}

/* Each alias on the way has its end afterwards, so all ways together are walked twice. */
static void find_end(const struct schema_module *module, struct schema_decl *alias) {
	const struct schema_type *end = &alias->alias.type;
	struct schema_decl *stop = alias;
	while (stop != NULL && stop->alias.end == NULL) {
		end = stop->alias.end = &stop->alias.type; /* which also closes a circle */
		stop = target_alias(module, end);
	}
	if (stop != NULL)
		end = stop->alias.end;
	for (; alias != stop; alias = target_alias(module, &alias->alias.type))
		alias->alias.end = end;
}

static void index_fields(const struct schema_module *module, struct schema_decl *data, struct arena *arena) {
	size_t count = data->data.field_count;
	if (count <= FEW_MEMBERS)
		return;
	make_index(&data->data.by_name, count, field_key, data, arena);
	data->data.needed = arena_alloc(arena, count * sizeof *data->data.needed);
	for (size_t i = 0; i < count; i++)
		if (schema_resolve(module, &data->data.fields[i].type)->kind != SCHEMA_OPTIONAL)
			data->data.needed[data->data.needed_count++] = (uint32_t)i;
}

void schema_index(struct schema_module *module, struct arena *arena) {
	make_index(&module->by_name, module->decl_count, decl_key, module, arena);
	for (size_t i = 0; i < module->decl_count; i++)
		if (module->decls[i].kind == SCHEMA_ALIAS)
			find_end(module, &module->decls[i]);
	for (size_t i = 0; i < module->decl_count; i++) {
		struct schema_decl *decl = &module->decls[i];
		if (decl->kind == SCHEMA_DATA)
			index_fields(module, decl, arena);
		else if ((decl->kind == SCHEMA_ENUM || decl->kind == SCHEMA_SUM) &&
			 decl->enumeration.variant_count > FEW_MEMBERS)
			make_index(&decl->enumeration.by_value, decl->enumeration.variant_count, variant_key, decl,
				   arena);
	}
}

/* --- walking ------------------------------------------------------------------------------------------------------ */

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
