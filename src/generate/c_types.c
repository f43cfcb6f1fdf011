/* SPDX-License-Identifier: Apache-2.0 */
#include "generate/c_types.h"

#include <stdio.h>

#include "generate/c_words.h"
#include "schema/print.h"

static int resolve(struct c_types *types, const struct c_scope *scope, const struct schema_type *type,
		   struct c_type **ret_type, struct error *err);

void c_types_init(struct c_types *types, const struct generate_options *options) {
	*types = (struct c_types){.options = options};
	arena_init(&types->arena, MIB(512));
	map_init(&types->by_key);
	map_init(&types->names);
}

void c_types_deinit(struct c_types *types) {
	map_deinit(&types->by_key);
	map_deinit(&types->names);
	arena_deinit(&types->arena);
}

int c_types_claim(struct c_types *types, const char *name, const char *what, struct error *err) {
	const char *space = strchr(name, ' '); /* the name after "struct" */
	if (strncmp(space != NULL ? space + 1 : name, "ftl_", 4) == 0)
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "%s would be %s in C, and names with ftl_ are FTL's own: rename it", what, name);
	const char *other = map_put(&types->names, str_from(name), (void *)what);
	if (other == NULL || strcmp(other, what) == 0)
		return 0;
	return error_set(err, CODE_INVALID_ARGUMENT, "%s and %s would both be %s in C: rename one of them", other, what,
			 name);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

const char *c_types_global(struct c_types *types, const char *name) {
	return c_words_has(name) ? arena_printf(&types->arena, "%s_", name) : name;
}

/* A free name for member number count. An underscore after "_SIZE_T" would make another macro of the compiler of it. */
static const char *member_name(struct c_types *types, const struct c_member *members, size_t count, const char *name) {
	bool reserved = name[0] == '_';
	const char *c_name = !c_words_has(name) ? name
						: arena_printf(&types->arena, "%s%s%s", reserved ? "m" : "", name,
							       reserved ? "" : "_");
	for (size_t i = 0; i < count;) {
		bool same = strcmp(members[i].c_name, c_name) == 0;
		if (same)
			c_name = arena_printf(&types->arena, "%s_", c_name);
		i = same ? 0 : i + 1;
	}
	return c_name;
}

static const char *own_name(const struct c_types *types) {
	return types->options->module->name;
}

/* --- the table of types ------------------------------------------------------------------------------------------- */

static int intern(struct c_types *types, const char *key, enum c_kind kind, struct c_type **ret_type, bool *ret_new,
		  struct error *err) {
	*ret_type = map_get(&types->by_key, str_from(key));
	*ret_new = *ret_type == NULL;
	if (!*ret_new)
		return 0;
	if (types->count++ == C_TYPES_MAX)
		return error_set(err, CODE_RESOURCE_EXHAUSTED,
				 "the schema makes more than %d types, with all arguments put in", C_TYPES_MAX);
	struct c_type *type = arena_alloc(&types->arena, sizeof *type);
	*type = (struct c_type){.kind = kind, .key = key};
	map_put(&types->by_key, str_from(key), type);
	if (types->last != NULL)
		types->last->next = type;
	else
		types->first = type;
	types->last = type;
	*ret_type = type;
	return 0;
}

/* Names a type that becomes a struct of the generated module. */
static int name_struct(struct c_types *types, struct c_type *type, const char *word, struct error *err) {
	type->word = word;
	type->tag = c_types_global(types, arena_printf(&types->arena, "%s_%s", own_name(types), word));
	type->c = arena_printf(&types->arena, "struct %s", type->tag);
	return c_types_claim(types, type->c, type->key, err);
}

/* Names a type that is no struct; only its table gets the name. */
static int name_table(struct c_types *types, struct c_type *type, const char *word, struct error *err) {
	type->word = word;
	type->tag = arena_printf(&types->arena, "%s_%s", own_name(types), word);
	return c_types_claim(types, arena_printf(&types->arena, "struct %s", type->tag), type->key, err);
}

static int resolve_word(struct c_types *types, enum schema_type_kind kind, struct c_type **ret_type,
			struct error *err) {
	static const struct {
		enum c_kind kind;
		const char *c;
	} words[] = {
		[SCHEMA_INT] = {C_INT, "int64_t"},
		[SCHEMA_FLOAT] = {C_FLOAT, "double"},
		[SCHEMA_STRING] = {C_STRING, "const char *"},
		[SCHEMA_BYTES] = {C_BYTES, "struct ftl_bytes"},
		[SCHEMA_BOOL] = {C_BOOL, "bool"},
		[SCHEMA_TIME] = {C_TIME, "struct ftl_time"},
		[SCHEMA_ANY] = {C_ANY, "struct ftl_any"},
		[SCHEMA_UNIT] = {C_UNIT, "struct ftl_unit"},
	};
	const char *word = schema_type_word(kind);
	bool is_new;
	if (intern(types, word, words[kind].kind, ret_type, &is_new, err) < 0)
		return -1;
	if (is_new) {
		(*ret_type)->tag = (*ret_type)->word = word;
		(*ret_type)->c = words[kind].c;
	}
	return 0;
}

const struct c_type *c_type_base(const struct c_type *type) {
	while (type->kind == C_ALIAS)
		type = type->element;
	return type;
}

bool c_type_is_struct(const struct c_type *type) {
	type = c_type_base(type);
	return strncmp(type->c, "struct ", 7) == 0 && type->c[strlen(type->c) - 1] != '*';
}

static int make_optional(struct c_types *types, struct c_type *type, struct error *err) {
	static const char *const words[] = {[C_INT] = "int", [C_FLOAT] = "float", [C_BOOL] = "bool", [C_TIME] = "time"};
	const struct c_type *base = c_type_base(type->element);
	const char *word = arena_printf(&types->arena, "optional_%s", type->element->word);
	switch (base->kind) {
	case C_STRING:
	case C_BYTES:
	case C_ANY:
	case C_VERB:
		type->kind = C_NULLABLE;
		type->c = type->element->c;
		return name_table(types, type, word, err);
	case C_INT:
	case C_FLOAT:
	case C_BOOL:
	case C_TIME:
		type->kind = C_OPTIONAL;
		type->c = arena_printf(&types->arena, "struct ftl_optional_%s", words[base->kind]);
		return name_table(types, type, word, err);
	case C_ENUM:
		type->kind = C_OPTIONAL;
		return name_struct(types, type, word, err);
	case C_UNIT:
	case C_LIST:
	case C_MAP:
	case C_DATA:
	case C_SUM:
		type->kind = C_POINTER;
		type->c = arena_printf(&types->arena, "%s *", type->element->c);
		return name_table(types, type, word, err);
	case C_NULLABLE:
	case C_OPTIONAL:
	case C_POINTER:
	case C_BOX:
	case C_ALIAS:
		break;
	}
	ASSERT(base == NULL); /* nested optionals were collapsed */
	return -1;
}

static bool is_optional(const struct c_type *type) {
	enum c_kind kind = c_type_base(type)->kind;
	return kind == C_NULLABLE || kind == C_OPTIONAL || kind == C_POINTER;
}

static int resolve_optional(struct c_types *types, const struct c_scope *scope, const struct schema_type *type,
			    struct c_type **ret_type, struct error *err) {
	struct c_type *element;
	bool is_new;
	if (resolve(types, scope, type->element, &element, err) < 0)
		return -1;
	if (is_optional(element)) {
		*ret_type = element;
		return 0;
	}
	if (intern(types, arena_printf(&types->arena, "%s?", element->key), C_POINTER, ret_type, &is_new, err) < 0)
		return -1;
	(*ret_type)->element = element;
	return is_new ? make_optional(types, *ret_type, err) : 0;
}

static int resolve_list(struct c_types *types, const struct c_scope *scope, const struct schema_type *type,
			struct c_type **ret_type, struct error *err) {
	struct c_type *element;
	bool is_new;
	if (resolve(types, scope, type->element, &element, err) < 0 ||
	    intern(types, arena_printf(&types->arena, "[%s]", element->key), C_LIST, ret_type, &is_new, err) < 0)
		return -1;
	(*ret_type)->element = element;
	return is_new ? name_struct(types, *ret_type, arena_printf(&types->arena, "list_of_%s", element->word), err)
		      : 0;
}

static int resolve_map(struct c_types *types, const struct c_scope *scope, const struct schema_type *type,
		       struct c_type **ret_type, struct error *err) {
	struct c_type *key, *value;
	bool is_new;
	if (resolve(types, scope, type->key, &key, err) < 0 || resolve(types, scope, type->element, &value, err) < 0 ||
	    intern(types, arena_printf(&types->arena, "{%s: %s}", key->key, value->key), C_MAP, ret_type, &is_new,
		   err) < 0)
		return -1;
	(*ret_type)->element = value;
	(*ret_type)->map_key = key;
	if (!is_new)
		return 0;
	const char *word = key->kind == C_STRING
				   ? arena_printf(&types->arena, "map_of_%s", value->word)
				   : arena_printf(&types->arena, "map_of_%s_to_%s", key->word, value->word);
	return name_struct(types, *ret_type, word, err);
}

static int resolve_verb(struct c_types *types, const struct schema_type *type, struct c_type **ret_type,
			struct error *err) {
	bool is_new;
	const char *key = arena_printf(&types->arena, "verb %s.%s", type->ref.module, type->ref.name);
	if (intern(types, key, C_VERB, ret_type, &is_new, err) < 0)
		return -1;
	if (!is_new)
		return 0;
	(*ret_type)->c = "const char *";
	return name_table(types, *ret_type,
			  arena_printf(&types->arena, "verb_%s_%s", type->ref.module, type->ref.name), err);
}

/* --- declarations ------------------------------------------------------------------------------------------------- */

static int add_fields(struct c_types *types, struct c_type *type, const struct c_scope *scope, struct error *err) {
	const struct schema_decl *data = type->decl;
	type->members = arena_alloc(&types->arena, (data->data.field_count + 1) * sizeof *type->members);
	for (size_t i = 0; i < data->data.field_count; i++) {
		const struct schema_field *field = &data->data.fields[i];
		char text[SCHEMA_TYPE_TEXT_MAX];
		struct c_member *member = &type->members[i];
		*member = (struct c_member){.name = field->name, .comments = &field->comments};
		member->c_name = member_name(types, type->members, i, field->name);
		member->type_text = arena_strdup(&types->arena, str_from(schema_type_text(&field->type, text)));
		if (resolve(types, scope, &field->type, &member->type, err) < 0)
			return -1;
	}
	type->member_count = data->data.field_count;
	return 0;
}

/* Adds the variants of enums and sums, whose constants are global names. */
static int add_variants(struct c_types *types, struct c_type *type, const struct c_scope *scope, struct error *err) {
	const struct schema_decl *decl = type->decl;
	size_t count = decl->enumeration.variant_count;
	type->members = arena_alloc(&types->arena, (count + 1) * sizeof *type->members);
	for (size_t i = 0; i < count; i++) {
		const struct schema_variant *variant = &decl->enumeration.variants[i];
		struct c_member *member = &type->members[i];
		*member = (struct c_member){.name = variant->name,
					    .comments = &variant->comments,
					    .text = variant->text,
					    .number = variant->number};
		member->constant =
			c_types_global(types, arena_printf(&types->arena, "%s_%s", type->tag, variant->name));
		const char *what = arena_printf(&types->arena, "%s of %s", variant->name, type->key);
		if (c_types_claim(types, member->constant, what, err) < 0)
			return -1;
		/* "kind" is taken by the discriminator. */
		const char *name = strcmp(variant->name, "kind") == 0 ? "kind_" : variant->name;
		member->c_name = member_name(types, type->members, i, name);
		if (variant->type != NULL && resolve(types, scope, variant->type, &member->type, err) < 0)
			return -1;
	}
	type->member_count = count;
	return 0;
}

/* "shop.Page<shop.Item>", and the word for it, "Page_of_Item". */
static void name_decl(struct c_types *types, const struct c_scope *scope, size_t arg_count, const char **ret_key,
		      const char **ret_word) {
	struct arena *arena = &types->arena;
	bool own = strcmp(scope->module->name, own_name(types)) == 0;
	const char *key = arena_printf(arena, "%s.%s", scope->module->name, scope->data->name);
	const char *word =
		own ? scope->data->name : arena_printf(arena, "%s_%s", scope->module->name, scope->data->name);
	for (size_t i = 0; i < arg_count; i++) {
		key = arena_printf(arena, "%s%s%s", key, i == 0 ? "<" : ", ", scope->args[i]->key);
		word = arena_printf(arena, "%s_%s_%s", word, i == 0 ? "of" : "and", scope->args[i]->word);
	}
	*ret_key = arg_count > 0 ? arena_printf(arena, "%s>", key) : key;
	*ret_word = word;
}

static int add_alias(struct c_types *types, struct c_type *type, const struct c_scope *scope, struct error *err) {
	type->c = type->tag;
	return resolve(types, scope, &type->decl->alias.type, &type->element, err);
}

static int resolve_decl(struct c_types *types, const struct c_scope *inner, size_t arg_count, struct c_type **ret_type,
			struct error *err) {
	static const enum c_kind kinds[] = {
		[SCHEMA_DATA] = C_DATA, [SCHEMA_ENUM] = C_ENUM, [SCHEMA_SUM] = C_SUM, [SCHEMA_ALIAS] = C_ALIAS};
	const struct schema_decl *decl = inner->data;
	const char *key, *word;
	bool is_new;
	name_decl(types, inner, arg_count, &key, &word);
	if (intern(types, key, kinds[decl->kind], ret_type, &is_new, err) < 0)
		return -1;
	if (!is_new)
		return 0;
	struct c_type *type = *ret_type;
	bool own = strcmp(inner->module->name, own_name(types)) == 0;
	type->decl = decl;
	type->word = word;
	type->tag = c_types_global(types, own ? arena_printf(&types->arena, "%s_%s", own_name(types), word) : word);
	const char *kind_word = decl->kind == SCHEMA_ENUM ? "enum " : decl->kind == SCHEMA_ALIAS ? "" : "struct ";
	type->c = arena_printf(&types->arena, "%s%s", kind_word, type->tag);
	if (c_types_claim(types, type->c, key, err) < 0)
		return -1;
	type->scope = *inner;
	return decl->kind == SCHEMA_ALIAS ? add_alias(types, type, inner, err) : 0;
}

static int find_decl(struct c_types *types, const struct schema_module *from, const struct schema_ref *ref,
		     struct c_scope *ret_scope, struct error *err) {
	const struct schema_module *own = types->options->module;
	const struct schema_module *module = strcmp(ref->module, from->name) == 0 ? from
					     : strcmp(ref->module, own->name) == 0
						     ? own
						     : types->options->find(types->options->owner, ref->module, err);
	if (module == NULL)
		return -1;
	const struct schema_decl *decl = schema_find_decl(module, ref->name);
	if (decl == NULL || decl->kind == SCHEMA_VERB)
		return error_set(err, CODE_FAILED_PRECONDITION, "the module %s has no type %s, which %s names",
				 ref->module, ref->name, from->name);
	*ret_scope = (struct c_scope){.module = module, .data = decl};
	return 0;
}

static int resolve_ref(struct c_types *types, const struct c_scope *scope, const struct schema_type *type,
		       struct c_type **ret_type, struct error *err) {
	if (type->ref.module[0] == '\0') {
		size_t i = 0;
		while (strcmp(scope->data->data.params[i].name, type->ref.name) != 0)
			i++;
		*ret_type = scope->args[i];
		return 0;
	}
	struct c_scope inner;
	if (find_decl(types, scope->module, &type->ref, &inner, err) < 0)
		return -1;
	if (inner.data->kind == SCHEMA_DATA && inner.data->data.param_count != type->arg_count)
		return error_set(err, CODE_FAILED_PRECONDITION, "%s.%s takes %zu types now, and %s gives it %zu",
				 type->ref.module, type->ref.name, inner.data->data.param_count, scope->module->name,
				 type->arg_count);
	struct c_type **args = arena_alloc(&types->arena, (type->arg_count + 1) * sizeof *args);
	for (size_t i = 0; i < type->arg_count; i++)
		if (resolve(types, scope, &type->args[i], &args[i], err) < 0)
			return -1;
	inner.args = args;
	return resolve_decl(types, &inner, type->arg_count, ret_type, err);
}

static int resolve(struct c_types *types, const struct c_scope *scope, const struct schema_type *type,
		   struct c_type **ret_type, struct error *err) {
	switch (type->kind) {
	case SCHEMA_INT:
	case SCHEMA_FLOAT:
	case SCHEMA_STRING:
	case SCHEMA_BYTES:
	case SCHEMA_BOOL:
	case SCHEMA_TIME:
	case SCHEMA_ANY:
	case SCHEMA_UNIT:
		return resolve_word(types, type->kind, ret_type, err);
	case SCHEMA_OPTIONAL:
		return resolve_optional(types, scope, type, ret_type, err);
	case SCHEMA_ARRAY:
		return resolve_list(types, scope, type, ret_type, err);
	case SCHEMA_MAP:
		return resolve_map(types, scope, type, ret_type, err);
	case SCHEMA_REF:
		return resolve_ref(types, scope, type, ret_type, err);
	case SCHEMA_VERB_REF:
		return resolve_verb(types, type, ret_type, err);
	}
	return -1;
}

/* Adds the members of new types, which may add further types. Not done while a type is made, as an alias may be part of
 * its own target. */
static int fill(struct c_types *types, struct error *err) {
	struct c_type *type = types->filled != NULL ? types->filled->next : types->first;
	for (; type != NULL; types->filled = type, type = type->next) {
		if (type->kind == C_DATA && add_fields(types, type, &type->scope, err) < 0)
			return -1;
		if ((type->kind == C_ENUM || type->kind == C_SUM) && add_variants(types, type, &type->scope, err) < 0)
			return -1;
	}
	return 0;
}

int c_types_add(struct c_types *types, const struct schema_module *module, const struct schema_type *type,
		struct c_type **ret_type, struct error *err) {
	const struct c_scope scope = {.module = module};
	return resolve(types, &scope, type, ret_type, err) < 0 ? -1 : fill(types, err);
}

int c_types_add_all(struct c_types *types, const struct schema_module *module, struct error *err) {
	for (size_t i = 0; i < module->decl_count; i++) {
		const struct schema_decl *decl = &module->decls[i];
		const struct c_scope scope = {.module = module, .data = decl};
		struct c_type *ignored;
		if (decl->kind == SCHEMA_VERB || (decl->kind == SCHEMA_DATA && decl->data.param_count > 0))
			continue;
		if (resolve_decl(types, &scope, 0, &ignored, err) < 0)
			return -1;
	}
	return fill(types, err);
}

/* --- boxes -------------------------------------------------------------------------------------------------------- */

/* Whether a value of type contains one of wanted, not behind a pointer. search numbers the traversal, so that each type
 * is visited once. */
static bool contains(struct c_type *type, const struct c_type *wanted, size_t search) {
	if (type == wanted)
		return true;
	if (type->kind == C_ALIAS)
		return contains(type->element, wanted, search);
	if ((type->kind != C_DATA && type->kind != C_SUM) || type->search == search)
		return false;
	type->search = search;
	for (size_t i = 0; i < type->member_count; i++)
		if (contains(type->members[i].type, wanted, search))
			return true;
	return false;
}

static struct c_type *box_of(struct c_types *types, struct c_type *element) {
	const char *key = arena_printf(&types->arena, "box of %s", element->key);
	struct c_type *box = map_get(&types->by_key, str_from(key));
	if (box != NULL)
		return box;
	box = arena_alloc(&types->arena, sizeof *box);
	*box = (struct c_type){.kind = C_BOX, .key = key, .word = element->word, .element = element};
	box->tag = arena_printf(&types->arena, "box_of_%s", element->tag);
	box->c = arena_printf(&types->arena, "%s *", element->c);
	map_put(&types->by_key, str_from(key), box);
	types->last->next = box;
	types->last = box;
	return box;
}

void c_types_box(struct c_types *types) {
	size_t search = 0;
	for (struct c_type *sum = types->first; sum != NULL; sum = sum->next) {
		for (size_t i = 0; sum->kind == C_SUM && i < sum->member_count; i++) {
			struct c_member *member = &sum->members[i];
			if (contains(member->type, sum, ++search))
				member->type = box_of(types, member->type);
		}
	}
}
