/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/references.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "schema/reach.h"

struct reference_checker {
	const struct schema_module *module;
	const struct map *modules;
	bool may_miss; /* modules may be missing */
	struct schema_diagnostics *diagnostics;
	const struct schema_decl *decl; /* the declaration that is being checked */
	const char *part; /* the field or variant that is being checked; NULL: the declaration itself */
	struct schema_pos pos;
};

#define COMPLAIN(checker, ref, hint, format, ...)                                                    \
	schema_diagnose((checker)->diagnostics, (ref)->pos.line ? (ref)->pos : (checker)->pos, hint, \
			"%s%s%s: " format, (checker)->decl->name, (checker)->part ? "." : "",        \
			(checker)->part ? (checker)->part : "", __VA_ARGS__)

static bool is_foreign(const struct reference_checker *checker, const struct schema_ref *ref) {
	return ref->module[0] != '\0' && strcmp(ref->module, checker->module->name) != 0;
}

static void complain_about_module(const struct reference_checker *checker, const struct schema_ref *ref) {
	struct nearest nearest;
	nearest_init(&nearest, str_from(ref->module));
	size_t cursor = 0;
	bool full = schema_diagnostics_are_full(checker->diagnostics);
	for (const struct schema_module *module; !full && (module = map_next(checker->modules, &cursor)) != NULL;)
		nearest_offer(&nearest, module->name);
	char hint[NEAREST_HINT_MAX];
	const char *found = nearest_hint(&nearest, hint);
	COMPLAIN(checker, ref, found ? found : "deploy it first", "there is no module \"%s\"", ref->module);
}

static void complain_about_name(const struct reference_checker *checker, const struct schema_ref *ref,
				const struct schema_module *module, bool verb) {
	struct nearest nearest;
	nearest_init(&nearest, str_from(ref->name));
	bool full = schema_diagnostics_are_full(checker->diagnostics);
	for (size_t i = 0; !full && i < module->decl_count; i++)
		if ((module->decls[i].kind == SCHEMA_VERB) == verb && module->decls[i].exported)
			nearest_offer(&nearest, module->decls[i].name);
	char hint[NEAREST_HINT_MAX];
	COMPLAIN(checker, ref, nearest_hint(&nearest, hint), "module \"%s\" has no %s \"%s\"", module->name,
		 verb ? "verb" : "type", ref->name);
}

/* The declaration that ref leads to in another module; NULL: a diagnostic was added. */
static const struct schema_decl *find_foreign(const struct reference_checker *checker, const struct schema_ref *ref,
					      bool verb) {
	const struct schema_module *module = map_get(checker->modules, str_from(ref->module));
	if (module == NULL && !checker->may_miss)
		complain_about_module(checker, ref);
	if (module == NULL)
		return NULL;
	const struct schema_decl *decl = schema_find_decl(module, ref->name);
	if (decl == NULL || (decl->kind == SCHEMA_VERB) != verb) {
		complain_about_name(checker, ref, module, verb);
		return NULL;
	}
	if (!decl->exported) {
		char hint[NEAREST_HINT_MAX + SCHEMA_NAME_MAX];
		snprintf(hint, sizeof hint, "declare it as: export %s %s", schema_decl_word(decl->kind), decl->name);
		COMPLAIN(checker, ref, hint, "module \"%s\" does not export \"%s\"", module->name, ref->name);
		return NULL;
	}
	return decl;
}

static bool may_be_key(const struct reference_checker *checker, const struct schema_ref *ref) {
	const struct schema_module *module = map_get(checker->modules, str_from(ref->module));
	const struct schema_type type = {.kind = SCHEMA_REF, .ref = *ref};
	const struct schema_type *key = schema_resolve(module, &type);
	const struct schema_decl *decl = schema_target(module, key);
	/* An alias of a type of a third module, which was checked with the module that has the alias. */
	bool elsewhere = key->kind == SCHEMA_REF && strcmp(key->ref.module, module->name) != 0;
	return key->kind == SCHEMA_STRING || key->kind == SCHEMA_INT || elsewhere ||
	       (decl != NULL && decl->kind == SCHEMA_ENUM);
}

static void check_type(const struct schema_type *type, void *context) {
	const struct reference_checker *checker = context;
	if ((type->kind != SCHEMA_REF && type->kind != SCHEMA_VERB_REF) || !is_foreign(checker, &type->ref))
		return;
	const struct schema_decl *decl = find_foreign(checker, &type->ref, type->kind == SCHEMA_VERB_REF);
	if (decl == NULL || decl->kind == SCHEMA_VERB)
		return;
	size_t wanted = decl->kind == SCHEMA_DATA ? decl->data.param_count : 0;
	if (type->arg_count != wanted)
		COMPLAIN(checker, &type->ref, NULL, "\"%s.%s\" takes %zu type argument%s, not %zu", type->ref.module,
			 decl->name, wanted, wanted == 1 ? "" : "s", type->arg_count);
}

static void check_key(const struct schema_type *type, void *context) {
	const struct reference_checker *checker = context;
	const struct schema_type *key = type->key;
	if (key == NULL || key->kind != SCHEMA_REF || !is_foreign(checker, &key->ref))
		return;
	const struct schema_module *module = map_get(checker->modules, str_from(key->ref.module));
	if (module != NULL && schema_find_decl(module, key->ref.name) != NULL && !may_be_key(checker, &key->ref))
		COMPLAIN(checker, &key->ref, "a key is String, Int or an enum of values", "%s",
			 "a map with keys of this type");
}

static void check_calls(struct reference_checker *checker) {
	for (size_t i = 0; i < checker->decl->metadata.count; i++) {
		const struct schema_metadata *metadata = &checker->decl->metadata.items[i];
		for (size_t j = 0; j < metadata->call_count; j++)
			if (is_foreign(checker, &metadata->calls[j]))
				(void)find_foreign(checker, &metadata->calls[j], true);
	}
}

static void enter_part(struct reference_checker *checker, const struct schema_decl *decl, size_t index) {
	checker->decl = decl;
	checker->part = NULL;
	checker->pos = decl->pos;
	if (decl->kind == SCHEMA_DATA) {
		checker->part = decl->data.fields[index].name;
		checker->pos = decl->data.fields[index].pos;
	} else if (decl->kind == SCHEMA_SUM) {
		checker->part = decl->enumeration.variants[index].name;
		checker->pos = decl->enumeration.variants[index].pos;
	} else if (decl->kind == SCHEMA_VERB) {
		checker->part = index == 0 ? "request" : "response";
	}
}

static void check_decl(struct reference_checker *checker, const struct schema_decl *decl) {
	checker->decl = decl;
	const struct schema_type *type;
	for (size_t i = 0; (type = schema_decl_type(decl, i)) != NULL; i++) {
		enter_part(checker, decl, i);
		schema_walk_type(type, check_type, checker);
		schema_walk_type(type, check_key, checker);
	}
	checker->part = NULL;
	checker->pos = decl->pos;
	check_calls(checker);
}

/* A search through the modules whose types need types of other modules, for a path back to the first. */
struct search {
	struct reference_checker *checker;
	const struct schema_module *at;
	struct map seen; /* modules visited or queued */
	const struct schema_module **waiting;
	size_t waiting_len, waiting_room;
	bool found;
};

static void wait_for(struct search *search, const struct schema_module *module) {
	if (map_put(&search->seen, str_from(module->name), search) != NULL)
		return;
	if (search->waiting_len == search->waiting_room) {
		search->waiting_room = MAX(search->waiting_room * 2, (size_t)16);
		search->waiting = mem_realloc((void *)search->waiting, search->waiting_room * sizeof *search->waiting);
	}
	search->waiting[search->waiting_len++] = module;
}

static bool leads_elsewhere(const struct search *search, const struct schema_type *type) {
	return !search->found && type->kind == SCHEMA_REF && type->ref.module[0] != '\0' &&
	       strcmp(type->ref.module, search->at->name) != 0;
}

static void follow(const struct schema_type *type, void *context) {
	struct search *search = context;
	if (!leads_elsewhere(search, type))
		return;
	search->found = strcmp(type->ref.module, search->checker->module->name) == 0;
	const struct schema_module *next = map_get(search->checker->modules, str_from(type->ref.module));
	if (!search->found && next != NULL)
		wait_for(search, next);
}

static void walk_types(const struct schema_decl *decl, struct search *search,
		       void (*visit)(const struct schema_type *type, void *context)) {
	const struct schema_type *type;
	for (size_t i = 0; decl->kind != SCHEMA_VERB && (type = schema_decl_type(decl, i)) != NULL; i++) {
		if (search->at == search->checker->module)
			enter_part(search->checker, decl, i);
		schema_walk_type(type, visit, search);
	}
}

/* Whether the types of a module that this one needs lead back to it. */
static void start_from(const struct schema_type *type, void *context) {
	struct search *search = context;
	const struct schema_module *goal = search->at, *first;
	if (!leads_elsewhere(search, type) ||
	    (first = map_get(search->checker->modules, str_from(type->ref.module))) == NULL)
		return;
	wait_for(search, first);
	while (search->waiting_len > 0 && !search->found) {
		search->at = search->waiting[--search->waiting_len];
		for (size_t i = 0; i < search->at->decl_count && !search->found; i++)
			walk_types(&search->at->decls[i], search, follow);
	}
	search->at = goal;
	if (search->found)
		COMPLAIN(search->checker, &type->ref, "move the types that both need into a third module",
			 "the types of \"%s\" and those of \"%s\" need each other", goal->name, first->name);
}

static void check_circles(struct reference_checker *checker) {
	struct search search = {.checker = checker, .at = checker->module};
	map_init(&search.seen);
	for (size_t i = 0; i < checker->module->decl_count && !search.found; i++)
		walk_types(&checker->module->decls[i], &search, start_from);
	map_deinit(&search.seen);
	free((void *)search.waiting);
}

static int check_all(struct reference_checker *checker) {
	const struct schema_module *module = checker->module;
	size_t known = checker->diagnostics->count;
	for (size_t i = 0; i < module->decl_count; i++)
		check_decl(checker, &module->decls[i]);
	if (checker->diagnostics->count == known)
		check_circles(checker);
	return checker->diagnostics->count > known ? -1 : 0;
}

int schema_check_references(const struct schema_module *module, const struct map *modules,
			    struct schema_diagnostics *diagnostics) {
	return check_all(&(struct reference_checker){.module = module, .modules = modules, .diagnostics = diagnostics});
}

int schema_check_known_references(const struct schema_module *module, const struct map *modules,
				  struct schema_diagnostics *diagnostics) {
	return check_all(&(struct reference_checker){.module = module,
						     .modules = modules,
						     .may_miss = true,
						     .diagnostics = diagnostics});
}

/* --- walking ------------------------------------------------------------------------------------------------------ */

struct foreign_walk {
	const struct schema_module *module;
	void (*visit)(const struct schema_ref *ref, void *context);
	void *context;
};

static void visit_ref(const struct foreign_walk *walk, const struct schema_ref *ref) {
	if (ref->module[0] != '\0' && strcmp(ref->module, walk->module->name) != 0)
		walk->visit(ref, walk->context);
}

static void visit_type(const struct schema_type *type, void *context) {
	if (type->kind == SCHEMA_REF || type->kind == SCHEMA_VERB_REF)
		visit_ref(context, &type->ref);
}

void schema_walk_foreign(const struct schema_module *module, void (*visit)(const struct schema_ref *ref, void *context),
			 void *context) {
	struct foreign_walk walk = {module, visit, context};
	for (size_t i = 0; i < module->decl_count; i++) {
		const struct schema_decl *decl = &module->decls[i];
		const struct schema_type *type;
		for (size_t j = 0; (type = schema_decl_type(decl, j)) != NULL; j++)
			schema_walk_type(type, visit_type, &walk);
		for (size_t j = 0; j < decl->metadata.count; j++)
			for (size_t k = 0; k < decl->metadata.items[j].call_count; k++)
				visit_ref(&walk, &decl->metadata.items[j].calls[k]);
	}
}
