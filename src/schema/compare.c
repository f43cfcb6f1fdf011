/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declarations are compared by name, each once, and so that every difference is said where it is: a field whose type
 * has the same name as before did not change, whatever became of that type. Only where a name was replaced by another
 * are the two types behind the names compared in depth.
 */
#include "schema/compare.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "schema/compare_types.h"
#include "schema/grow.h"
#include "schema/print.h"
#include "schema/reach.h"

struct comparer {
	struct arena *arena;
	struct schema_comparison *result;
	const struct schema_module *old_module, *new_module;
	struct schema_change *changes;
	const struct schema_decl *old_decl, *new_decl; /* the declarations that are being compared */
	/* New declarations that exported verbs used before and still use, in requests and in responses; NULL until the
	 * first difference. */
	bool *in_request, *in_response;
	struct type_comparer types;
};

static void add(struct comparer *comparer, struct schema_change change) {
	struct schema_comparison *result = comparer->result;
	result->breaks_callers |= change.breaks_callers;
	result->breaks_data |= change.breaks_data;
	if (result->count == SCHEMA_CHANGES_MAX) {
		result->left_out++;
		return;
	}
	comparer->changes = array_grow(comparer->arena, comparer->changes, result->count, sizeof change);
	comparer->changes[result->count++] = change;
}

static struct schema_change new_change(struct comparer *comparer, const char *part, const char *separator,
				       struct schema_pos pos) {
	const struct schema_decl *decl = comparer->new_decl ? comparer->new_decl : comparer->old_decl;
	return (struct schema_change){
		.path = arena_printf(comparer->arena, "%s%s%s", decl->name, part ? separator : "", part ? part : ""),
		.pos = pos.line ? pos : decl->pos,
		.old_decl = comparer->old_decl,
		.new_decl = comparer->new_decl,
	};
}

/* Marks the declarations that requests (or responses) of a module's exported verbs contain. */
static bool *new_marks(const struct schema_module *module, bool requests) {
	bool *marks = mem_zalloc(MAX(module->decl_count, (size_t)1) * sizeof *marks);
	for (const struct schema_decl *verb = NULL; (verb = schema_next_verb(module, verb)) != NULL;)
		if (verb->exported)
			schema_reach(module, requests ? &verb->verb.request : &verb->verb.response, marks);
	return marks;
}

/* Marks declarations of the new module that were in use before and still are. A replaced type is reported where the
 * replacement stands. */
static bool *new_marks_of_both(const struct comparer *comparer, bool requests) {
	bool *before = new_marks(comparer->old_module, requests);
	bool *marks = new_marks(comparer->new_module, requests);
	for (size_t i = 0; i < comparer->new_module->decl_count; i++) {
		const struct schema_decl *old_decl =
			schema_find_decl(comparer->old_module, comparer->new_module->decls[i].name);
		marks[i] = marks[i] && old_decl != NULL && before[old_decl - comparer->old_module->decls];
	}
	free(before);
	return marks;
}

static void find_uses(struct comparer *comparer) {
	comparer->in_request = new_marks_of_both(comparer, true);
	comparer->in_response = new_marks_of_both(comparer, false);
}

/* Adds the change of a type; whom it breaks depends on where the type is used. */
static void add_difference(struct comparer *comparer, const char *part, struct schema_pos pos,
			   struct difference difference, const char *text) {
	struct schema_change change = new_change(comparer, part, ".", pos);
	size_t index = (size_t)(comparer->new_decl - comparer->new_module->decls);
	if (comparer->in_request == NULL)
		find_uses(comparer);
	change.text = text;
	change.narrows = difference.narrows;
	change.widens = difference.widens;
	change.breaks_data = difference.narrows;
	change.breaks_callers = (difference.narrows && comparer->in_request[index]) ||
				(difference.widens && comparer->in_response[index]);
	add(comparer, change);
}

static struct difference compare_types(struct comparer *comparer, const struct schema_type *old_type,
				       const struct schema_type *new_type) {
	return type_comparer_compare(&comparer->types, comparer->old_decl, comparer->new_decl, old_type, new_type);
}

static const char *was_and_is(struct comparer *comparer, const struct schema_type *old_type,
			      const struct schema_type *new_type) {
	char was[SCHEMA_TYPE_TEXT_MAX], is[SCHEMA_TYPE_TEXT_MAX];
	return arena_printf(comparer->arena, "was %s, is now %s", schema_type_text(old_type, was),
			    schema_type_text(new_type, is));
}

/* Whether both types are written alike; a change of the text alone is a safe change. */
static bool is_same_type(const struct schema_type *old_type, const struct schema_type *new_type) {
	if (old_type->kind != new_type->kind || old_type->arg_count != new_type->arg_count)
		return false;
	if (old_type->kind == SCHEMA_REF || old_type->kind == SCHEMA_VERB_REF)
		if (strcmp(old_type->ref.module, new_type->ref.module) != 0 ||
		    strcmp(old_type->ref.name, new_type->ref.name) != 0)
			return false;
	for (size_t i = 0; i < old_type->arg_count; i++)
		if (!is_same_type(&old_type->args[i], &new_type->args[i]))
			return false;
	return (old_type->key == NULL || is_same_type(old_type->key, new_type->key)) &&
	       (old_type->element == NULL || is_same_type(old_type->element, new_type->element));
}

static void report_type(struct comparer *comparer, const char *part, struct schema_pos pos,
			const struct schema_type *old_type, const struct schema_type *new_type) {
	if (!is_same_type(old_type, new_type))
		add_difference(comparer, part, pos, compare_types(comparer, old_type, new_type),
			       was_and_is(comparer, old_type, new_type));
}

static bool is_same_metadata(const struct schema_metadata *a, const struct schema_metadata *b) {
	if (strcmp(a->name, b->name) != 0 || a->arg_count != b->arg_count || a->call_count != b->call_count)
		return false;
	for (size_t i = 0; i < a->arg_count; i++)
		if (strcmp(a->args[i], b->args[i]) != 0)
			return false;
	for (size_t i = 0; i < a->call_count; i++)
		if (strcmp(a->calls[i].name, b->calls[i].name) != 0 ||
		    strcmp(a->calls[i].module, b->calls[i].module) != 0)
			return false;
	return true;
}

static void report_metadata(struct comparer *comparer, const char *part, struct schema_pos pos,
			    const struct schema_metadata_list *old_list, const struct schema_metadata_list *new_list) {
	bool equal = old_list->count == new_list->count;
	for (size_t i = 0; equal && i < old_list->count; i++)
		equal = is_same_metadata(&old_list->items[i], &new_list->items[i]);
	if (equal)
		return;
	struct schema_change change = new_change(comparer, part, ".", pos);
	change.text = "has other metadata";
	add(comparer, change);
}

static void report_fields(struct comparer *comparer) {
	const struct schema_decl *old_data = comparer->old_decl, *new_data = comparer->new_decl;
	for (size_t i = 0; i < old_data->data.field_count; i++) {
		const struct schema_field *old_field = &old_data->data.fields[i];
		const struct schema_field *new_field = schema_find_field(new_data, str_from(old_field->name));
		if (new_field == NULL) {
			add_difference(comparer, old_field->name, old_field->pos,
				       type_comparer_removed(&comparer->types, old_field), "is gone");
			continue;
		}
		report_type(comparer, new_field->name, new_field->pos, &old_field->type, &new_field->type);
		report_metadata(comparer, new_field->name, new_field->pos, &old_field->metadata, &new_field->metadata);
	}
	for (size_t i = 0; i < new_data->data.field_count; i++) {
		const struct schema_field *field = &new_data->data.fields[i];
		struct difference difference = type_comparer_added(&comparer->types, field);
		if (schema_find_field(old_data, str_from(field->name)) == NULL)
			add_difference(comparer, field->name, field->pos, difference,
				       difference.narrows ? "is new and required" : "is new and optional");
	}
}

static void report_data(struct comparer *comparer) {
	const struct schema_decl *old_data = comparer->old_decl, *new_data = comparer->new_decl;
	if (old_data->data.param_count != new_data->data.param_count)
		add_difference(comparer, NULL, new_data->pos, difference_both,
			       arena_printf(comparer->arena, "had %zu type parameters, has %zu now",
					    old_data->data.param_count, new_data->data.param_count));
	report_fields(comparer);
}

static void report_variants(struct comparer *comparer) {
	const struct schema_decl *old_enum = comparer->old_decl, *new_enum = comparer->new_decl;
	for (size_t i = 0; i < old_enum->enumeration.variant_count; i++) {
		const struct schema_variant *old_variant = &old_enum->enumeration.variants[i];
		const struct schema_variant *new_variant = schema_same_variant(new_enum, old_variant);
		if (new_variant == NULL)
			add_difference(comparer, old_variant->name, old_variant->pos, difference_narrower,
				       old_variant->type ? "is gone" : "is gone, or has another value");
		else if (new_variant->type != NULL)
			report_type(comparer, new_variant->name, new_variant->pos, old_variant->type,
				    new_variant->type);
		else if (strcmp(old_variant->name, new_variant->name) != 0)
			add_difference(comparer, new_variant->name, new_variant->pos, difference_none,
				       arena_printf(comparer->arena, "was called %s", old_variant->name));
	}
	for (size_t i = 0; i < new_enum->enumeration.variant_count; i++) {
		const struct schema_variant *variant = &new_enum->enumeration.variants[i];
		if (schema_same_variant(old_enum, variant) == NULL)
			add_difference(comparer, variant->name, variant->pos, difference_wider, "is new");
	}
}

static void report_verb_type(struct comparer *comparer, const char *part, const struct schema_type *old_type,
			     const struct schema_type *new_type, bool is_request) {
	if (is_same_type(old_type, new_type))
		return;
	struct difference difference = compare_types(comparer, old_type, new_type);
	struct schema_change change = new_change(comparer, part, " ", new_type->ref.pos);
	change.text = was_and_is(comparer, old_type, new_type);
	change.breaks_verb = is_request ? difference.narrows : difference.widens;
	change.breaks_callers = change.breaks_verb && comparer->old_decl->exported;
	add(comparer, change);
}

static void report_gone(struct comparer *comparer) {
	const struct schema_decl *decl = comparer->old_decl;
	struct schema_change change = new_change(comparer, NULL, "", decl->pos);
	change.text = "is gone";
	change.breaks_callers = decl->exported;
	change.breaks_verb = decl->kind == SCHEMA_VERB;
	change.breaks_data = decl->kind == SCHEMA_DATA || decl->kind == SCHEMA_ENUM || decl->kind == SCHEMA_SUM;
	change.narrows = change.widens = !change.breaks_verb;
	add(comparer, change);
}

static void report_export(struct comparer *comparer) {
	const struct schema_decl *old_decl = comparer->old_decl, *new_decl = comparer->new_decl;
	if (old_decl->exported == new_decl->exported)
		return;
	struct schema_change change = new_change(comparer, NULL, "", new_decl->pos);
	change.text = new_decl->exported ? "is exported now" : "is no longer exported";
	change.breaks_callers = old_decl->exported;
	change.breaks_verb = old_decl->exported && old_decl->kind == SCHEMA_VERB;
	add(comparer, change);
}

static void report_decl(struct comparer *comparer) {
	const struct schema_decl *old_decl = comparer->old_decl, *new_decl = comparer->new_decl;
	report_export(comparer);
	report_metadata(comparer, NULL, new_decl->pos, &old_decl->metadata, &new_decl->metadata);
	switch (old_decl->kind) {
	case SCHEMA_DATA:
		report_data(comparer);
		return;
	case SCHEMA_VERB:
		report_verb_type(comparer, "request", &old_decl->verb.request, &new_decl->verb.request, true);
		report_verb_type(comparer, "response", &old_decl->verb.response, &new_decl->verb.response, false);
		return;
	case SCHEMA_ENUM:
	case SCHEMA_SUM:
		report_variants(comparer);
		return;
	case SCHEMA_ALIAS:
		report_type(comparer, NULL, new_decl->pos, &old_decl->alias.type, &new_decl->alias.type);
		return;
	}
}

static const char *kind_text(const struct schema_decl *decl) {
	switch (decl->kind) {
	case SCHEMA_DATA:
		return "a data";
	case SCHEMA_VERB:
		return "a verb";
	case SCHEMA_ENUM:
		return decl->enumeration.of_int ? "an enum of Int" : "an enum of String";
	case SCHEMA_SUM:
		return "a sum type";
	case SCHEMA_ALIAS:
		return "a type alias";
	}
	return "";
}

static void report_other_kind(struct comparer *comparer) {
	const struct schema_decl *old_decl = comparer->old_decl, *new_decl = comparer->new_decl;
	if (old_decl->kind == SCHEMA_VERB || new_decl->kind == SCHEMA_VERB) {
		comparer->new_decl = NULL;
		report_gone(comparer);
		return;
	}
	report_export(comparer);
	add_difference(comparer, NULL, new_decl->pos, difference_both,
		       arena_printf(comparer->arena, "was %s, is now %s", kind_text(old_decl), kind_text(new_decl)));
}

static void report_new(struct comparer *comparer) {
	struct schema_change change = new_change(comparer, NULL, "", comparer->new_decl->pos);
	change.text = "is new";
	add(comparer, change);
}

static void report_all(struct comparer *comparer) {
	for (size_t i = 0; i < comparer->old_module->decl_count; i++) {
		comparer->old_decl = &comparer->old_module->decls[i];
		comparer->new_decl = schema_find_decl(comparer->new_module, comparer->old_decl->name);
		if (comparer->new_decl == NULL)
			report_gone(comparer);
		else if (!type_is_same_kind(comparer->old_decl, comparer->new_decl))
			report_other_kind(comparer);
		else
			report_decl(comparer);
	}
	comparer->old_decl = NULL;
	for (size_t i = 0; i < comparer->new_module->decl_count; i++) {
		comparer->new_decl = &comparer->new_module->decls[i];
		const struct schema_decl *before = schema_find_decl(comparer->old_module, comparer->new_decl->name);
		if (before == NULL || (before->kind == SCHEMA_VERB) != (comparer->new_decl->kind == SCHEMA_VERB))
			report_new(comparer);
	}
}

static int rank(const struct schema_change *change) {
	return change->breaks_callers * 2 + change->breaks_data;
}

/* A stable sort: changes of one rank stay in the order of the schema. */
static const struct schema_change *sort_changes(struct comparer *comparer) {
	size_t count = comparer->result->count, used = 0;
	struct schema_change *sorted = arena_alloc(comparer->arena, MAX(count, (size_t)1) * sizeof *sorted);
	for (int wanted = 3; wanted >= 0; wanted--)
		for (size_t i = 0; i < count; i++)
			if (rank(&comparer->changes[i]) == wanted)
				sorted[used++] = comparer->changes[i];
	return sorted;
}

void schema_compare(const struct schema_module *old_module, const struct schema_module *new_module,
		    const struct schema_others *others, struct arena *arena, struct schema_comparison *ret_comparison) {
	*ret_comparison = (struct schema_comparison){.old_module = old_module, .new_module = new_module};
	struct comparer comparer = {
		.arena = arena,
		.result = ret_comparison,
		.old_module = old_module,
		.new_module = new_module,
	};
	type_comparer_init(&comparer.types, old_module, new_module, others);
	report_all(&comparer);
	ret_comparison->changes = sort_changes(&comparer);
	free(comparer.in_request);
	free(comparer.in_response);
	type_comparer_deinit(&comparer.types);
}

const char *schema_change_effect(const struct schema_change *change) {
	static const char *const effects[] = {"safe", "unsafe for stored data", "unsafe for callers",
					      "unsafe for callers, stored data"};
	return effects[rank(change)];
}

int schema_comparison_print(const struct schema_comparison *comparison, struct buf *buf) {
	for (size_t i = 0; i < comparison->count; i++) {
		const struct schema_change *change = &comparison->changes[i];
		if (buf_printf(buf, "%-31s  %s %s\n", schema_change_effect(change), change->path, change->text) != 0)
			return -1;
	}
	if (comparison->left_out > 0)
		return buf_printf(buf, "and %zu more\n", comparison->left_out);
	return 0;
}
