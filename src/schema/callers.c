/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/callers.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"
#include "schema/reach.h"

/* The declarations that a verb's request and response consist of, in the old or the new schema. */
struct use {
	bool *request, *response;
};

/* The changes that break the callers of a verb: the first ones by name, the rest only counted. */
struct hurt {
	size_t count;
	const struct schema_change *first[SCHEMA_DIAGNOSTICS_MAX];
};

struct callers {
	const struct schema_comparison *comparison;
	const struct schema_module *caller; /* the module that is being checked */
	struct schema_diagnostics *diagnostics;
	struct map hurt; /* struct hurt by verb name; each verb is examined once */
	struct map hurt_by_type; /* struct hurt by the name of a type that requests contain */
	bool *in_request; /* declarations of the caller that requests of its verbs contain */
	bool *told; /* changes already reported for the caller's verbs; its use of types need not repeat them */
};

static struct use new_use(const struct schema_module *module, const struct schema_type *request,
			  const struct schema_type *response) {
	size_t size = MAX(module->decl_count, (size_t)1) * sizeof(bool);
	struct use use = {.request = mem_zalloc(size), .response = mem_zalloc(size)};
	if (request != NULL)
		schema_reach(module, request, use.request);
	if (response != NULL)
		schema_reach(module, response, use.response);
	return use;
}

static struct use use_by_verb(const struct schema_module *module, const char *name) {
	const struct schema_decl *verb = schema_find_verb(module, name);
	return new_use(module, verb ? &verb->verb.request : NULL, verb ? &verb->verb.response : NULL);
}

static struct use use_in_request(const struct schema_module *module, const char *name) {
	const struct schema_type type = {.kind = SCHEMA_REF, .ref = {.module = module->name, .name = name}};
	return new_use(module, &type, NULL);
}

static void free_use(struct use use) {
	free(use.request);
	free(use.response);
}

/* A changed type breaks a verb that used it before and still does. A type that is no longer used was replaced, and the
 * replacement is a change of its own. */
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

static struct hurt *new_hurt(const struct schema_comparison *comparison, const char *verb, struct use before,
			     struct use after) {
	struct hurt *hurt = mem_zalloc(sizeof *hurt);
	for (size_t i = 0; i < comparison->count; i++) {
		if (!hurts(comparison, &comparison->changes[i], verb, before, after))
			continue;
		if (hurt->count < ARRAY_LEN(hurt->first))
			hurt->first[hurt->count] = &comparison->changes[i];
		hurt->count++;
	}
	free_use(before);
	free_use(after);
	return hurt;
}

/* Computed once for each verb and each type, however many callers there are. */
static const struct hurt *find_hurt(struct callers *callers, const char *name, bool is_type) {
	const struct schema_module *before = callers->comparison->old_module, *after = callers->comparison->new_module;
	struct map *known = is_type ? &callers->hurt_by_type : &callers->hurt;
	struct hurt *hurt = map_get(known, str_from(name));
	if (hurt != NULL)
		return hurt;
	hurt = is_type ? new_hurt(callers->comparison, "", use_in_request(before, name), use_in_request(after, name))
		       : new_hurt(callers->comparison, name, use_by_verb(before, name), use_by_verb(after, name));
	map_put(known, str_from(name), hurt);
	return hurt;
}

static void free_hurt(struct map *map) {
	size_t cursor = 0;
	for (struct hurt *hurt; (hurt = map_next(map, &cursor)) != NULL;)
		free(hurt);
	map_deinit(map);
}

static void tell(struct callers *callers, const struct schema_decl *decl, bool is_type, const struct schema_ref *ref) {
	const char *what = is_type ? "uses" : "calls";
	const struct schema_comparison *comparison = callers->comparison;
	if (comparison->left_out > 0) {
		schema_diagnose(callers->diagnostics, comparison->new_module->pos, "change it in smaller steps",
				"%s.%s %s %s.%s: more than %d changes to look at", callers->caller->name, decl->name,
				what, ref->module, ref->name, SCHEMA_CHANGES_MAX);
		return;
	}
	const struct hurt *hurt = find_hurt(callers, ref->name, is_type);
	size_t i = 0;
	for (; i < MIN(hurt->count, ARRAY_LEN(hurt->first)) && !schema_diagnostics_are_full(callers->diagnostics);
	     i++) {
		const struct schema_change *change = hurt->first[i];
		bool *told = &callers->told[change - comparison->changes];
		if (is_type && *told)
			continue;
		*told = true;
		schema_diagnose(callers->diagnostics, change->pos, NULL, "%s.%s %s %s.%s: %s %s", callers->caller->name,
				decl->name, what, ref->module, ref->name, change->path, change->text);
	}
	callers->diagnostics->left_out += hurt->count - i;
}

static void check_calls(struct callers *callers, const struct schema_decl *verb) {
	for (size_t i = 0; i < verb->metadata.count; i++)
		for (size_t j = 0; j < verb->metadata.items[i].call_count; j++)
			if (strcmp(verb->metadata.items[i].calls[j].module, callers->comparison->new_module->name) == 0)
				tell(callers, verb, false, &verb->metadata.items[i].calls[j]);
}

struct type_use {
	struct callers *callers;
	const struct schema_decl *decl; /* of the caller */
	bool in_request; /* of one of its verbs */
};

/* Reports a type of the changed module that the caller refers to and that is gone, or that has fewer values now and
 * stands in requests of the caller's verbs: such requests would be refused before the caller sees them. */
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
	else if (use->in_request)
		tell(use->callers, use->decl, true, &type->ref);
}

static void mark_requests(struct callers *callers) {
	const struct schema_module *caller = callers->caller;
	callers->in_request = mem_zalloc(MAX(caller->decl_count, (size_t)1) * sizeof(bool));
	for (const struct schema_decl *verb = NULL; (verb = schema_next_verb(caller, verb)) != NULL;)
		schema_reach(caller, &verb->verb.request, callers->in_request);
}

static void check_caller(struct callers *callers) {
	mark_requests(callers);
	memset(callers->told, 0, callers->comparison->count * sizeof *callers->told);
	for (size_t i = 0; i < callers->caller->decl_count; i++)
		check_calls(callers, &callers->caller->decls[i]);
	for (size_t i = 0; i < callers->caller->decl_count; i++) {
		const struct schema_decl *decl = &callers->caller->decls[i];
		struct type_use use = {.callers = callers, .decl = decl, .in_request = callers->in_request[i]};
		const struct schema_type *type;
		for (size_t j = 0; (type = schema_decl_type(decl, j)) != NULL; j++) {
			if (decl->kind == SCHEMA_VERB)
				use.in_request = j == 0;
			schema_walk_type(type, check_type, &use);
		}
	}
	free(callers->in_request);
}

static int by_name(const void *left, const void *right) {
	const struct schema_module *const *a = left, *const *b = right;
	return strcmp((*a)->name, (*b)->name);
}

/* Sorted by name, so that the errors come in the same order each time. */
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
	map_init(&callers.hurt_by_type);
	callers.told = mem_zalloc(MAX(comparison->count, (size_t)1) * sizeof *callers.told);
	const struct schema_module **sorted = sort_modules(modules);
	for (size_t i = 0; i < modules->len; i++) {
		callers.caller = sorted[i];
		if (strcmp(callers.caller->name, comparison->new_module->name) != 0)
			check_caller(&callers);
	}
	free((void *)sorted);
	free_hurt(&callers.hurt);
	free_hurt(&callers.hurt_by_type);
	free(callers.told);
	return diagnostics->count > known ? -1 : 0;
}
