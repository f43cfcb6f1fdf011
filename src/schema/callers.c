/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/callers.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"
#include "schema/reach.h"

/* Which declarations a verb's request and response are made of, in one of the two schemas. */
struct use {
	bool *request, *response;
};

/* The changes that hurt the callers of a verb. */
struct hurt {
	const struct schema_change **changes;
	size_t count;
};

struct callers {
	const struct schema_comparison *comparison;
	const struct schema_module *caller; /* being looked at */
	struct schema_diagnostics *diagnostics;
	struct map hurt; /* by the name of a verb that was looked at */
};

static struct use new_use(const struct schema_module *module, const char *verb_name) {
	const struct schema_decl *verb = schema_find_verb(module, verb_name);
	size_t size = MAX(module->decl_count, (size_t)1) * sizeof(bool);
	struct use use = {.request = mem_zalloc(size), .response = mem_zalloc(size)};
	if (verb != NULL) {
		schema_reach(module, &verb->verb.request, use.request);
		schema_reach(module, &verb->verb.response, use.response);
	}
	return use;
}

static void free_use(struct use use) {
	free(use.request);
	free(use.response);
}

/* A type hurts where it was in use and still is; one that is gone was replaced, which the replacement answers for. */
static bool hurts(const struct schema_comparison *comparison, const struct schema_change *change, const char *verb,
		  struct use before, struct use after) {
	if (change->breaks_verb)
		return strcmp(change->old_decl->name, verb) == 0;
	if (change->old_decl == NULL || change->new_decl == NULL)
		return false;
	size_t old_index = (size_t)(change->old_decl - comparison->old_module->decls);
	size_t new_index = (size_t)(change->new_decl - comparison->new_module->decls);
	return (change->narrows && before.request[old_index] && after.request[new_index]) ||
	       (change->widens && before.response[old_index] && after.response[new_index]);
}

/* Found once for each verb, however many call it. */
static const struct hurt *find_hurt(struct callers *callers, const char *verb) {
	const struct schema_comparison *comparison = callers->comparison;
	struct hurt *hurt = map_get(&callers->hurt, str_from(verb));
	if (hurt != NULL)
		return hurt;
	hurt = mem_zalloc(sizeof *hurt);
	map_put(&callers->hurt, str_from(verb), hurt);
	struct use before = new_use(comparison->old_module, verb);
	struct use after = new_use(comparison->new_module, verb);
	hurt->changes = mem_alloc(MAX(comparison->count, (size_t)1) * sizeof *hurt->changes);
	for (size_t i = 0; i < comparison->count; i++)
		if (hurts(comparison, &comparison->changes[i], verb, before, after))
			hurt->changes[hurt->count++] = &comparison->changes[i];
	hurt->changes = mem_realloc((void *)hurt->changes, MAX(hurt->count, (size_t)1) * sizeof *hurt->changes);
	free_use(before);
	free_use(after);
	return hurt;
}

static void free_hurt(struct map *map) {
	size_t cursor = 0;
	for (struct hurt *hurt; (hurt = map_next(map, &cursor)) != NULL;) {
		free((void *)hurt->changes);
		free(hurt);
	}
	map_deinit(map);
}

static void check_call(struct callers *callers, const struct schema_decl *verb, const struct schema_ref *call) {
	const struct schema_comparison *comparison = callers->comparison;
	if (comparison->left_out > 0) {
		schema_diagnose(callers->diagnostics, comparison->new_module->pos, "change it in smaller steps",
				"%s.%s calls %s.%s: more than %d changes to look at", callers->caller->name, verb->name,
				call->module, call->name, SCHEMA_CHANGES_MAX);
		return;
	}
	const struct hurt *hurt = find_hurt(callers, call->name);
	size_t i = 0;
	for (; i < hurt->count && !schema_diagnostics_are_full(callers->diagnostics); i++)
		schema_diagnose(callers->diagnostics, hurt->changes[i]->pos, NULL, "%s.%s calls %s.%s: %s %s",
				callers->caller->name, verb->name, call->module, call->name, hurt->changes[i]->path,
				hurt->changes[i]->text);
	callers->diagnostics->left_out += hurt->count - i;
}

static void check_calls(struct callers *callers, const struct schema_decl *verb) {
	for (size_t i = 0; i < verb->metadata.count; i++)
		for (size_t j = 0; j < verb->metadata.items[i].call_count; j++)
			if (strcmp(verb->metadata.items[i].calls[j].module, callers->comparison->new_module->name) == 0)
				check_call(callers, verb, &verb->metadata.items[i].calls[j]);
}

struct type_use {
	const struct callers *callers;
	const struct schema_decl *decl; /* of the caller */
};

/* A type of the changed module that the caller names, and that it may no longer name so. */
static void check_type(const struct schema_type *type, void *context) {
	const struct type_use *use = context;
	const struct schema_comparison *comparison = use->callers->comparison;
	if (type->kind != SCHEMA_REF || strcmp(type->ref.module, comparison->new_module->name) != 0)
		return;
	const struct schema_decl *before = schema_find_decl(comparison->old_module, type->ref.name);
	const struct schema_decl *after = schema_find_decl(comparison->new_module, type->ref.name);
	if (before == NULL || !before->exported || before->kind == SCHEMA_VERB)
		return;
	const char *text = after == NULL || after->kind == SCHEMA_VERB ? "is gone"
			   : !after->exported                          ? "is no longer exported"
			   : type->arg_count != (after->kind == SCHEMA_DATA ? after->data.param_count : 0)
				   ? "has other type parameters"
				   : NULL;
	if (text != NULL)
		schema_diagnose(use->callers->diagnostics, after ? after->pos : before->pos, NULL,
				"%s.%s uses %s.%s: it %s", use->callers->caller->name, use->decl->name,
				type->ref.module, type->ref.name, text);
}

static void check_caller(struct callers *callers) {
	for (size_t i = 0; i < callers->caller->decl_count; i++) {
		const struct schema_decl *decl = &callers->caller->decls[i];
		struct type_use use = {.callers = callers, .decl = decl};
		const struct schema_type *type;
		for (size_t j = 0; (type = schema_decl_type(decl, j)) != NULL; j++)
			schema_walk_type(type, check_type, &use);
		check_calls(callers, decl);
	}
}

static int by_name(const void *left, const void *right) {
	const struct schema_module *const *a = left, *const *b = right;
	return strcmp((*a)->name, (*b)->name);
}

/* A map has no order, and an error should read the same each time. */
static const struct schema_module **sort_modules(const struct map *modules) {
	const struct schema_module **sorted = mem_alloc(MAX(modules->len, (size_t)1) * sizeof *sorted);
	size_t cursor = 0;
	for (size_t i = 0; i < modules->len; i++)
		sorted[i] = map_next(modules, &cursor);
	qsort((void *)sorted, modules->len, sizeof *sorted, by_name);
	return sorted;
}

int schema_check_callers(const struct schema_comparison *comparison, const struct map *modules,
			 struct schema_diagnostics *diagnostics) {
	struct callers callers = {.comparison = comparison, .diagnostics = diagnostics};
	size_t known = diagnostics->count;
	map_init(&callers.hurt);
	const struct schema_module **sorted = sort_modules(modules);
	for (size_t i = 0; i < modules->len; i++) {
		callers.caller = sorted[i];
		if (strcmp(callers.caller->name, comparison->new_module->name) != 0)
			check_caller(&callers);
	}
	free((void *)sorted);
	free_hurt(&callers.hurt);
	return diagnostics->count > known ? -1 : 0;
}
