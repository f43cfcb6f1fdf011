/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/compare_types.h"

#include <stdlib.h>

#include "base/memory.h"
#include "schema/compare.h"
#include "schema/print.h"

enum {
	/* Types that one comparison examines. Those past this limit count as different. */
	STEPS_MAX = 500000,
	INSTANCES_MAX = STEPS_MAX * 2 * sizeof(struct schema_type),
	INSTANCE_TEXT_MAX = 1024, /* bytes of two instances, as text; longer ones count as different */
	/* Aliases followed from module to module; a longer chain is a circle, which a forced deploy can make. */
	ALIASES_MAX = 100,
};

const struct difference difference_none = {false, false}, difference_both = {true, true},
			difference_narrower = {true, false}, difference_wider = {false, true};

/* Two types that refer to declarations, with all type arguments put in. */
struct type_pair {
	const struct schema_type *old_type, *new_type;
	const struct schema_decl *old_decl, *new_decl;
	struct type_pair *next;
};

static struct difference compare(struct type_comparer *comparer, const struct schema_type *old_type,
				 const struct schema_type *new_type);

static struct difference join(struct difference a, struct difference b) {
	return (struct difference){a.narrows || b.narrows, a.widens || b.widens};
}

/* --- references --------------------------------------------------------------------------------------------------- */

static const struct schema_module *find_module(const struct type_side *side, const char *name) {
	if (strcmp(name, side->module->name) == 0)
		return side->module;
	return side->others != NULL ? side->others->find(side->others->owner, name) : NULL;
}

/* The declaration that type refers to; NULL: it is no reference, or to a type parameter, or to what is not there. */
static const struct schema_decl *target(const struct type_side *side, const struct schema_type *type) {
	bool refers = type->kind == SCHEMA_REF && type->ref.module[0] != '\0';
	const struct schema_module *module = refers ? find_module(side, type->ref.module) : NULL;
	return module != NULL ? schema_find_decl(module, type->ref.name) : NULL;
}

/* Follows aliases, from module to module too. */
static const struct schema_type *resolve(const struct type_side *side, const struct schema_type *type) {
	for (size_t i = 0; i < ALIASES_MAX; i++) {
		const struct schema_decl *decl = target(side, type);
		if (decl == NULL || decl->kind != SCHEMA_ALIAS)
			break;
		type = decl->alias.end;
	}
	return type;
}

static size_t param_index(const struct schema_decl *data, const char *name) {
	size_t i = 0;
	while (i < data->data.param_count && strcmp(data->data.params[i].name, name) != 0)
		i++;
	return i;
}

/* The same name, or the type parameter in the same place. */
static bool is_same_ref(const struct type_comparer *comparer, const struct schema_type *old_type,
			const struct schema_type *new_type) {
	if (old_type->kind != SCHEMA_REF || new_type->kind != SCHEMA_REF ||
	    strcmp(old_type->ref.module, new_type->ref.module) != 0)
		return false;
	if (old_type->ref.module[0] == '\0')
		return param_index(comparer->old_decl, old_type->ref.name) ==
		       param_index(comparer->new_decl, new_type->ref.name);
	return strcmp(old_type->ref.name, new_type->ref.name) == 0;
}

/* --- instances ---------------------------------------------------------------------------------------------------- */

static bool has_param(const struct schema_type *type) {
	if (type->kind == SCHEMA_REF && type->ref.module[0] == '\0')
		return true;
	for (size_t i = 0; i < type->arg_count; i++)
		if (has_param(&type->args[i]))
			return true;
	return (type->element != NULL && has_param(type->element)) || (type->key != NULL && has_param(type->key));
}

static struct schema_type put_in(struct type_comparer *comparer, const struct schema_type *type,
				 const struct schema_decl *data, const struct schema_type *args);

static struct schema_type *put_in_part(struct type_comparer *comparer, const struct schema_type *type,
				       const struct schema_decl *data, const struct schema_type *args) {
	if (type == NULL)
		return NULL;
	struct schema_type *part = arena_alloc(&comparer->instances, sizeof *part);
	*part = put_in(comparer, type, data, args);
	return part;
}

/* The type with the arguments of data in place of its parameters. Arguments are shared, not copied. */
static struct schema_type put_in(struct type_comparer *comparer, const struct schema_type *type,
				 const struct schema_decl *data, const struct schema_type *args) {
	struct schema_type made = *type;
	if (comparer->steps++ >= STEPS_MAX || !has_param(type))
		return made;
	if (type->kind == SCHEMA_REF && type->ref.module[0] == '\0')
		return args[param_index(data, type->ref.name)];
	made.element = put_in_part(comparer, type->element, data, args);
	made.key = put_in_part(comparer, type->key, data, args);
	if (type->arg_count > 0)
		made.args = arena_alloc(&comparer->instances, type->arg_count * sizeof *made.args);
	for (size_t i = 0; i < type->arg_count; i++)
		made.args[i] = put_in(comparer, &type->args[i], data, args);
	return made;
}

/* A member's type as it is in an instance of its declaration. */
static const struct schema_type *member_type(struct type_comparer *comparer, const struct schema_type *type,
					     const struct schema_type *instance, const struct schema_decl *decl) {
	return instance->arg_count == 0 ? type : put_in_part(comparer, type, decl, instance->args);
}

/* --- data and enums ----------------------------------------------------------------------------------------------- */

struct difference type_comparer_added(const struct type_comparer *comparer, const struct schema_field *field) {
	bool optional = resolve(&comparer->new_side, &field->type)->kind == SCHEMA_OPTIONAL;
	return optional ? difference_none : difference_narrower;
}

/* A sender of a removed field is refused, as the field is unknown now. A receiver misses it if it was not optional. */
struct difference type_comparer_removed(const struct type_comparer *comparer, const struct schema_field *field) {
	bool optional = resolve(&comparer->old_side, &field->type)->kind == SCHEMA_OPTIONAL;
	return optional ? difference_narrower : difference_both;
}

/* The field of an instance, whose type may be that of an argument: T is optional where T is Int?. */
static struct schema_field instance_field(struct type_comparer *comparer, const struct schema_field *field,
					  const struct schema_type *instance, const struct schema_decl *data) {
	struct schema_field made = *field;
	made.type = *member_type(comparer, &field->type, instance, data);
	return made;
}

static struct difference compare_data(struct type_comparer *comparer, const struct type_pair *pair) {
	struct difference result = difference_none;
	for (size_t i = 0; i < pair->old_decl->data.field_count; i++) {
		const struct schema_field *field = &pair->old_decl->data.fields[i];
		struct schema_field was = instance_field(comparer, field, pair->old_type, pair->old_decl);
		const struct schema_field *is = schema_find_field(pair->new_decl, str_from(field->name));
		result = join(result,
			      is == NULL ? type_comparer_removed(comparer, &was)
					 : compare(comparer,
						   member_type(comparer, &field->type, pair->old_type, pair->old_decl),
						   member_type(comparer, &is->type, pair->new_type, pair->new_decl)));
	}
	for (size_t i = 0; i < pair->new_decl->data.field_count; i++) {
		const struct schema_field *field = &pair->new_decl->data.fields[i];
		struct schema_field is = instance_field(comparer, field, pair->new_type, pair->new_decl);
		if (schema_find_field(pair->old_decl, str_from(field->name)) == NULL)
			result = join(result, type_comparer_added(comparer, &is));
	}
	return result;
}

static struct difference compare_enums(struct type_comparer *comparer, const struct schema_decl *old_enum,
				       const struct schema_decl *new_enum) {
	struct difference result = difference_none;
	for (size_t i = 0; i < old_enum->enumeration.variant_count; i++) {
		const struct schema_variant *old_variant = &old_enum->enumeration.variants[i];
		const struct schema_variant *new_variant = schema_same_variant(new_enum, old_variant);
		if (new_variant == NULL)
			result.narrows = true;
		else if (new_variant->type != NULL)
			result = join(result, compare(comparer, old_variant->type, new_variant->type));
	}
	for (size_t i = 0; i < new_enum->enumeration.variant_count; i++)
		result.widens |= schema_same_variant(old_enum, &new_enum->enumeration.variants[i]) == NULL;
	return result;
}

bool type_is_same_kind(const struct schema_decl *old_decl, const struct schema_decl *new_decl) {
	return old_decl->kind == new_decl->kind &&
	       (old_decl->kind != SCHEMA_ENUM || old_decl->enumeration.of_int == new_decl->enumeration.of_int);
}

/* --- pairs -------------------------------------------------------------------------------------------------------- */

/* Whether a forced deploy left a reference with other arguments than the data has parameters. */
static bool has_other_params(const struct schema_type *type, const struct schema_decl *decl) {
	return type->arg_count != (decl->kind == SCHEMA_DATA ? decl->data.param_count : 0);
}

/* Whether a declaration has type arguments here. */
static bool is_instance(const struct type_pair *pair) {
	return pair->old_type->arg_count > 0 || pair->new_type->arg_count > 0;
}

/* Marks the pair as seen. An instance is known by its text; a text that is too long cannot be. */
enum mark { MARK_NEW, MARK_SEEN, MARK_TOO_LONG };

static enum mark mark_instances(struct type_comparer *comparer, const struct type_pair *pair) {
	struct buf key = BUF_INIT(INSTANCE_TEXT_MAX);
	bool full = schema_print_type(pair->old_type, &key) != 0 || buf_append(&key, STR("|")) != 0 ||
		    schema_print_type(pair->new_type, &key) != 0;
	bool seen = !full && map_put(&comparer->seen, buf_view(&key), comparer) != NULL;
	buf_deinit(&key);
	return full ? MARK_TOO_LONG : seen ? MARK_SEEN : MARK_NEW;
}

static enum mark mark_seen(struct type_comparer *comparer, const struct type_pair *pair) {
	const struct schema_decl *key[2] = {pair->old_decl, pair->new_decl};
	if (is_instance(pair))
		return mark_instances(comparer, pair);
	return map_put(&comparer->seen, str_new(key, sizeof key), comparer) != NULL ? MARK_SEEN : MARK_NEW;
}

/* Queues the pair for compare_waiting. Comparing it here would recurse as deep as a peer's schema is nested. A pair
 * that is queued already adds nothing. */
static struct difference compare_refs(struct type_comparer *comparer, const struct schema_type *old_type,
				      const struct schema_type *new_type) {
	struct type_pair pair = {.old_type = old_type,
				 .new_type = new_type,
				 .old_decl = target(&comparer->old_side, old_type),
				 .new_decl = target(&comparer->new_side, new_type),
				 .next = comparer->waiting};
	if (pair.old_decl == NULL || pair.new_decl == NULL || !type_is_same_kind(pair.old_decl, pair.new_decl) ||
	    has_other_params(old_type, pair.old_decl) || has_other_params(new_type, pair.new_decl))
		return difference_both;
	enum mark mark = mark_seen(comparer, &pair);
	if (mark == MARK_TOO_LONG)
		return difference_both;
	if (mark == MARK_NEW) {
		comparer->waiting = mem_alloc(sizeof pair);
		*comparer->waiting = pair;
	}
	return difference_none;
}

static size_t count_members(const struct schema_decl *decl) {
	return decl->kind == SCHEMA_DATA ? decl->data.field_count : decl->enumeration.variant_count;
}

static struct difference compare_pair(struct type_comparer *comparer, const struct type_pair *pair) {
	const struct schema_decl *key[2] = {pair->old_decl, pair->new_decl};
	const struct difference *known = is_instance(pair) ? NULL : map_get(&comparer->known, str_new(key, sizeof key));
	if (known != NULL)
		return *known;
	comparer->steps += count_members(pair->old_decl) + count_members(pair->new_decl) + 1;
	if (comparer->steps > STEPS_MAX)
		return difference_both;
	return pair->old_decl->kind == SCHEMA_DATA ? compare_data(comparer, pair)
						   : compare_enums(comparer, pair->old_decl, pair->new_decl);
}

static struct difference compare_waiting(struct type_comparer *comparer, struct difference result) {
	for (struct type_pair *pair; (pair = comparer->waiting) != NULL; free(pair)) {
		comparer->waiting = pair->next;
		/* Both narrower and wider already: further pairs cannot change the result. */
		if (!result.narrows || !result.widens)
			result = join(result, compare_pair(comparer, pair));
	}
	return result;
}

/* --- types -------------------------------------------------------------------------------------------------------- */

/* A generic value only contains values of its arguments, so it narrows and widens as they do. */
static struct difference compare_args(struct type_comparer *comparer, const struct schema_type *old_type,
				      const struct schema_type *new_type) {
	struct difference result = difference_none;
	if (old_type->arg_count != new_type->arg_count)
		return difference_both;
	for (size_t i = 0; i < old_type->arg_count; i++)
		result = join(result, compare(comparer, &old_type->args[i], &new_type->args[i]));
	return result;
}

/* Whether all values of type are written as JSON strings (or whole numbers). */
static bool is_written_as(const struct type_side *side, const struct schema_type *type, enum schema_type_kind plain) {
	const struct schema_decl *decl = target(side, type);
	if (decl != NULL && decl->kind == SCHEMA_ENUM)
		return plain == (decl->enumeration.of_int ? SCHEMA_INT : SCHEMA_STRING);
	return plain == SCHEMA_STRING &&
	       (type->kind == SCHEMA_TIME || type->kind == SCHEMA_BYTES || type->kind == SCHEMA_VERB_REF);
}

static struct difference compare_kinds(struct type_comparer *comparer, const struct schema_type *old_type,
				       const struct schema_type *new_type) {
	if (new_type->kind == SCHEMA_ANY)
		return difference_wider;
	if (old_type->kind == SCHEMA_ANY)
		return difference_narrower;
	if (new_type->kind == SCHEMA_OPTIONAL)
		return join(difference_wider, compare(comparer, old_type, new_type->element));
	if (old_type->kind == SCHEMA_OPTIONAL)
		return join(difference_narrower, compare(comparer, old_type->element, new_type));
	if (is_written_as(&comparer->old_side, old_type, new_type->kind))
		return difference_wider;
	if (is_written_as(&comparer->new_side, new_type, old_type->kind))
		return difference_narrower;
	return difference_both;
}

static struct difference compare(struct type_comparer *comparer, const struct schema_type *old_type,
				 const struct schema_type *new_type) {
	if (comparer->steps++ >= STEPS_MAX)
		return difference_both;
	if (is_same_ref(comparer, old_type, new_type))
		return compare_args(comparer, old_type, new_type);
	old_type = resolve(&comparer->old_side, old_type);
	new_type = resolve(&comparer->new_side, new_type);
	if (is_same_ref(comparer, old_type, new_type))
		return compare_args(comparer, old_type, new_type);
	if (old_type->kind != new_type->kind)
		return compare_kinds(comparer, old_type, new_type);
	switch (old_type->kind) {
	case SCHEMA_INT:
	case SCHEMA_FLOAT:
	case SCHEMA_STRING:
	case SCHEMA_BYTES:
	case SCHEMA_BOOL:
	case SCHEMA_TIME:
	case SCHEMA_ANY:
	case SCHEMA_UNIT:
	case SCHEMA_VERB_REF: /* the name of any verb; the one that the type names is an example */
		return difference_none;
	case SCHEMA_OPTIONAL:
	case SCHEMA_ARRAY:
		return compare(comparer, old_type->element, new_type->element);
	case SCHEMA_MAP:
		return join(compare(comparer, old_type->key, new_type->key),
			    compare(comparer, old_type->element, new_type->element));
	case SCHEMA_REF:
		return compare_refs(comparer, old_type, new_type);
	}
	return difference_both;
}

/* Starts with no pairs seen. The result covers all pairs that the first one leads to, so it is kept for that pair
 * alone: the same pair comes again when a type that many fields have was replaced. */
struct difference type_comparer_compare(struct type_comparer *comparer, const struct schema_decl *old_decl,
					const struct schema_decl *new_decl, const struct schema_type *old_type,
					const struct schema_type *new_type) {
	comparer->old_decl = old_decl;
	comparer->new_decl = new_decl;
	map_deinit(&comparer->seen);
	struct difference result = compare(comparer, old_type, new_type);
	const struct type_pair *first = comparer->waiting;
	if (first == NULL || first->next != NULL || is_instance(first))
		return compare_waiting(comparer, result);
	const struct schema_decl *key[2] = {first->old_decl, first->new_decl};
	struct difference *deep = arena_alloc(&comparer->instances, sizeof *deep);
	*deep = compare_waiting(comparer, difference_none);
	map_put(&comparer->known, str_new(key, sizeof key), deep);
	return join(result, *deep);
}

void type_comparer_init(struct type_comparer *comparer, const struct schema_module *old_module,
			const struct schema_module *new_module, const struct schema_others *others) {
	*comparer = (struct type_comparer){.old_side = {old_module, others}, .new_side = {new_module, others}};
	arena_init(&comparer->instances, INSTANCES_MAX);
	map_init(&comparer->seen);
	map_init(&comparer->known);
}

void type_comparer_deinit(struct type_comparer *comparer) {
	map_deinit(&comparer->seen);
	map_deinit(&comparer->known);
	arena_deinit(&comparer->instances);
}
