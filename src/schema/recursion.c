/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three questions, each about the graph of a module's own declarations; what another module declares cannot lead back,
 * for no module may depend on a type of one that depends on its own.
 *
 * - Can a value be finite? A data can when all its fields can, a sum type when one variant can; optionals, arrays and
 *   maps always can. The least fixpoint: nothing can until shown.
 * - Is an alias made of itself? Then it names nothing.
 * - Does a generic data, on a way back to itself, apply something to a type parameter? Then it has no end of instances.
 */
#include "schema/recursion.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"

struct node {
	bool finite;
	bool on_path, done; /* of a walk */
	bool *needs; /* a generic data: which of its type parameters a value must contain */
};

struct graph {
	const struct schema_module *module;
	const struct map *decls;
	struct schema_diagnostics *diagnostics;
	struct node *nodes; /* one for each declaration */
};

/* The declaration that a reference leads to, NULL: it does not lead into this module. */
static const struct schema_decl *target(const struct graph *graph, const struct schema_type *type) {
	if (type->kind != SCHEMA_REF || strcmp(type->ref.module, graph->module->name) != 0)
		return NULL;
	return map_get(graph->decls, str_from(type->ref.name));
}

static struct node *node_of(const struct graph *graph, const struct schema_decl *decl) {
	return &graph->nodes[decl - graph->module->decls];
}

static bool is_param(const struct schema_type *type) {
	return type->kind == SCHEMA_REF && type->ref.module[0] == '\0';
}

/* Whether a value of type must contain one of the type parameter param. */
static bool type_needs(const struct graph *graph, const struct schema_type *type, const char *param) {
	if (is_param(type))
		return strcmp(type->ref.name, param) == 0;
	const struct schema_decl *decl = target(graph, type);
	for (size_t i = 0; decl != NULL && i < type->arg_count; i++)
		if (node_of(graph, decl)->needs[i] && type_needs(graph, &type->args[i], param))
			return true;
	return false;
}

/* Returns whether something new was found out. */
static bool find_needs(const struct graph *graph, const struct schema_decl *data) {
	bool changed = false;
	bool *needs = node_of(graph, data)->needs;
	for (size_t i = 0; i < data->data.param_count; i++)
		for (size_t j = 0; j < data->data.field_count && !needs[i]; j++)
			changed |= needs[i] = type_needs(graph, &data->data.fields[j].type, data->data.params[i].name);
	return changed;
}

static bool type_is_finite(const struct graph *graph, const struct schema_type *type) {
	const struct schema_decl *decl = target(graph, type);
	if (decl == NULL)
		return true;
	const struct node *node = node_of(graph, decl);
	for (size_t i = 0; i < type->arg_count; i++)
		if (node->needs[i] && !type_is_finite(graph, &type->args[i]))
			return false;
	return node->finite;
}

static bool decl_is_finite(const struct graph *graph, const struct schema_decl *decl) {
	switch (decl->kind) {
	case SCHEMA_DATA:
		for (size_t i = 0; i < decl->data.field_count; i++)
			if (!type_is_finite(graph, &decl->data.fields[i].type))
				return false;
		return true;
	case SCHEMA_SUM:
		for (size_t i = 0; i < decl->enumeration.variant_count; i++)
			if (type_is_finite(graph, decl->enumeration.variants[i].type))
				return true;
		return false;
	case SCHEMA_ALIAS:
		return type_is_finite(graph, &decl->alias.type);
	case SCHEMA_VERB:
	case SCHEMA_ENUM:
		return true;
	}
	return true;
}

static void find_finite(const struct graph *graph) {
	for (bool changed = true; changed;) {
		changed = false;
		for (size_t i = 0; i < graph->module->decl_count; i++)
			if (graph->module->decls[i].kind == SCHEMA_DATA)
				changed |= find_needs(graph, &graph->module->decls[i]);
	}
	for (bool changed = true; changed;) {
		changed = false;
		for (size_t i = 0; i < graph->module->decl_count; i++)
			if (!graph->nodes[i].finite)
				changed |= graph->nodes[i].finite = decl_is_finite(graph, &graph->module->decls[i]);
	}
}

static bool alias_reaches_itself(const struct graph *graph, const struct schema_decl *alias);

static bool type_reaches_alias_on_path(const struct graph *graph, const struct schema_type *type) {
	if (type->key != NULL && type_reaches_alias_on_path(graph, type->key))
		return true;
	if (type->element != NULL)
		return type_reaches_alias_on_path(graph, type->element);
	for (size_t i = 0; i < type->arg_count; i++)
		if (type_reaches_alias_on_path(graph, &type->args[i]))
			return true;
	const struct schema_decl *decl = target(graph, type);
	return decl != NULL && decl->kind == SCHEMA_ALIAS && alias_reaches_itself(graph, decl);
}

/* Says so for the alias that closes the circle; the others of it say nothing more. */
static bool alias_reaches_itself(const struct graph *graph, const struct schema_decl *alias) {
	struct node *node = node_of(graph, alias);
	if (node->done)
		return false;
	if (node->on_path) {
		schema_diagnose(graph->diagnostics, alias->pos, "put a data in between", "%s: a type alias made of itself",
				alias->name);
		return true;
	}
	node->on_path = true;
	bool result = type_reaches_alias_on_path(graph, &alias->alias.type);
	node->on_path = false;
	node->done = true;
	return result;
}

static bool has_param(const struct schema_type *type) {
	if (is_param(type))
		return true;
	if ((type->key != NULL && has_param(type->key)) || (type->element != NULL && has_param(type->element)))
		return true;
	for (size_t i = 0; i < type->arg_count; i++)
		if (has_param(&type->args[i]))
			return true;
	return false;
}

static bool data_leads_to(const struct graph *graph, const struct schema_decl *from, const struct schema_decl *goal);

/* Through references that hand a type parameter on. */
static bool type_leads_to(const struct graph *graph, const struct schema_type *type, const struct schema_decl *goal) {
	if (type->element != NULL)
		return type_leads_to(graph, type->element, goal);
	const struct schema_decl *decl = target(graph, type);
	bool hands_on = false;
	for (size_t i = 0; i < type->arg_count; i++) {
		hands_on |= has_param(&type->args[i]);
		if (type_leads_to(graph, &type->args[i], goal))
			return true;
	}
	return decl != NULL && hands_on && data_leads_to(graph, decl, goal);
}

static bool data_leads_to(const struct graph *graph, const struct schema_decl *from, const struct schema_decl *goal) {
	struct node *node = node_of(graph, from);
	if (from == goal)
		return true;
	if (node->done)
		return false;
	node->done = true;
	for (size_t i = 0; i < from->data.field_count; i++)
		if (type_leads_to(graph, &from->data.fields[i].type, goal))
			return true;
	return false;
}

static void forget_walk(const struct graph *graph) {
	for (size_t i = 0; i < graph->module->decl_count; i++)
		graph->nodes[i].done = false;
}

static void check_growth(const struct graph *graph, const struct schema_decl *data, const struct schema_field *field,
			 const struct schema_type *type) {
	if (type->element != NULL)
		check_growth(graph, data, field, type->element);
	bool grows = false;
	for (size_t i = 0; i < type->arg_count; i++) {
		check_growth(graph, data, field, &type->args[i]);
		grows |= !is_param(&type->args[i]) && has_param(&type->args[i]);
	}
	const struct schema_decl *decl = target(graph, type);
	if (!grows || decl == NULL)
		return;
	forget_walk(graph);
	if (data_leads_to(graph, decl, data))
		schema_diagnose(graph->diagnostics, type->ref.pos.line ? type->ref.pos : field->pos,
				"hand type parameters on as they are",
				"%s.%s: %s contains itself with ever larger type arguments", data->name, field->name,
				data->name);
}

static void check_decl(const struct graph *graph, const struct schema_decl *decl) {
	if (!node_of(graph, decl)->finite && decl->kind != SCHEMA_ALIAS)
		schema_diagnose(graph->diagnostics, decl->pos, "make a field on the way back to it optional or an array",
				"%s: a value would have to contain another of the same type without end", decl->name);
	for (size_t i = 0; decl->kind == SCHEMA_DATA && decl->data.param_count > 0 && i < decl->data.field_count; i++)
		check_growth(graph, decl, &decl->data.fields[i], &decl->data.fields[i].type);
}

int schema_check_recursion(const struct schema_module *module, const struct map *decls,
			   struct schema_diagnostics *diagnostics) {
	struct arena arena = ARENA_INIT(SCHEMA_ARENA_MAX);
	struct graph graph = {.module = module, .decls = decls, .diagnostics = diagnostics};
	size_t known = diagnostics->count;
	graph.nodes = mem_zalloc(MAX(module->decl_count, (size_t)1) * sizeof *graph.nodes);
	for (size_t i = 0; i < module->decl_count; i++) {
		const struct schema_decl *decl = &module->decls[i];
		size_t count = decl->kind == SCHEMA_DATA ? decl->data.param_count : 0;
		if (count > 0)
			graph.nodes[i].needs = memset(arena_alloc(&arena, count), 0, count);
	}
	for (size_t i = 0; i < module->decl_count; i++)
		if (module->decls[i].kind == SCHEMA_ALIAS)
			(void)alias_reaches_itself(&graph, &module->decls[i]);
	if (diagnostics->count == known) {
		find_finite(&graph);
		for (size_t i = 0; i < module->decl_count; i++)
			check_decl(&graph, &module->decls[i]);
	}
	free(graph.nodes);
	arena_deinit(&arena);
	return diagnostics->count > known ? -1 : 0;
}
