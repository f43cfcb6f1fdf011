/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three questions, each about the graph of a module's own declarations. What another module declares cannot lead back:
 * schema_check_references refuses modules whose types need each other.
 *
 * - Is an alias made of itself? Then it names nothing.
 * - Can a value be finite? A data can when all its fields can, a sum type when one variant can; optionals, arrays and
 *   maps always can. The least fixpoint: nothing can until shown. Each declaration waits for the first one that it
 *   lacks and is looked at again when that is found, so the work is in proportion to the schema.
 * - Does a generic data, on a way back to itself, apply something to a type parameter? Then it has no end of instances.
 *   The ways back are the strongly connected components of the references that hand a type parameter on (Tarjan).
 */
#include "schema/recursion.h"

#include <stdlib.h>

#include "base/memory.h"

/* A field or variant of a declaration that waits for another declaration. */
struct waiter {
	struct waiter *next;
	const struct schema_decl *decl;
	size_t index;
};

struct node {
	bool finite;
	struct waiter *waiters;
	uint32_t needs; /* a generic data: the set of its type parameters that a value must contain one of */
	struct waiter *users; /* generic data that apply it in a field */
	bool on_path, done; /* a walk through aliases */
	uint32_t order, lowest; /* Tarjan; order 0: not seen */
	bool on_stack;
	uint32_t component;
};

struct graph {
	const struct schema_module *module;
	struct schema_diagnostics *diagnostics;
	struct arena arena;
	struct node *nodes; /* one for each declaration */
	const struct schema_decl **queue; /* found to be finite, and not yet told to those that wait */
	size_t queue_len;
	const struct schema_decl **stack; /* Tarjan; before that, those whose needs are looked at (again) */
	size_t stack_len;
	uint32_t last_order, last_component;
};

/* The type of this module that a reference leads to; NULL: there is none. */
static const struct schema_decl *target(const struct graph *graph, const struct schema_type *type) {
	const struct schema_decl *decl = schema_target(graph->module, type);
	return decl != NULL && decl->kind != SCHEMA_VERB ? decl : NULL;
}

static struct node *node_of(const struct graph *graph, const struct schema_decl *decl) {
	return &graph->nodes[decl - graph->module->decls];
}

static bool is_param(const struct schema_type *type) {
	return type->kind == SCHEMA_REF && type->ref.module[0] == '\0';
}

static bool alias_is_circle(const struct graph *graph, const struct schema_decl *alias);

static bool leads_to_circle(const struct graph *graph, const struct schema_type *type) {
	if (type->key != NULL && leads_to_circle(graph, type->key))
		return true;
	if (type->element != NULL)
		return leads_to_circle(graph, type->element);
	for (size_t i = 0; i < type->arg_count; i++)
		if (leads_to_circle(graph, &type->args[i]))
			return true;
	const struct schema_decl *decl = target(graph, type);
	return decl != NULL && decl->kind == SCHEMA_ALIAS && alias_is_circle(graph, decl);
}

/* Says so for the alias that closes the circle; it then passes as finite, and the others of it say nothing more. */
static bool alias_is_circle(const struct graph *graph, const struct schema_decl *alias) {
	struct node *node = node_of(graph, alias);
	if (node->done)
		return false;
	if (node->on_path) {
		schema_diagnose(graph->diagnostics, alias->pos, "put a data in between",
				"%s: a type alias made of itself", alias->name);
		node->finite = true;
		return true;
	}
	node->on_path = true;
	bool result = leads_to_circle(graph, &alias->alias.type);
	node->on_path = false;
	node->done = true;
	return result;
}

static uint32_t param_bit(const struct schema_decl *data, const char *name) {
	for (size_t i = 0; i < data->data.param_count; i++)
		if (strcmp(data->data.params[i].name, name) == 0)
			return UINT32_C(1) << i;
	return 0;
}

/* The type parameters of data that a value of type must contain one of, as far as is known. */
static uint32_t type_needs(const struct graph *graph, const struct schema_type *type, const struct schema_decl *data) {
	if (is_param(type))
		return param_bit(data, type->ref.name);
	const struct schema_decl *decl = type->arg_count > 0 ? target(graph, type) : NULL;
	uint32_t needs = 0;
	for (size_t i = 0; decl != NULL && i < type->arg_count && i < SCHEMA_PARAMS_MAX; i++)
		if (node_of(graph, decl)->needs >> i & 1)
			needs |= type_needs(graph, &type->args[i], data);
	return needs;
}

static uint32_t data_needs(const struct graph *graph, const struct schema_decl *data) {
	uint32_t needs = 0;
	for (size_t i = 0; i < data->data.field_count; i++)
		needs |= type_needs(graph, &data->data.fields[i].type, data);
	return needs;
}

struct applying {
	struct graph *graph;
	const struct schema_decl *data;
};

static void note_use(const struct schema_type *type, void *context) {
	const struct applying *applying = context;
	const struct schema_decl *decl = type->arg_count > 0 ? target(applying->graph, type) : NULL;
	if (decl == NULL)
		return;
	struct waiter *waiter = arena_alloc(&applying->graph->arena, sizeof *waiter);
	*waiter = (struct waiter){.next = node_of(applying->graph, decl)->users, .decl = applying->data};
	node_of(applying->graph, decl)->users = waiter;
}

static bool is_generic(const struct schema_decl *decl) {
	return decl->kind == SCHEMA_DATA && decl->data.param_count > 0;
}

static void look_again(struct graph *graph, const struct schema_decl *data) {
	if (node_of(graph, data)->on_stack)
		return;
	node_of(graph, data)->on_stack = true;
	graph->stack[graph->stack_len++] = data;
}

/* A data is looked at again when what it needs of the data in its fields has changed. */
static void find_needs(struct graph *graph) {
	for (size_t i = 0; i < graph->module->decl_count; i++) {
		const struct schema_decl *decl = &graph->module->decls[i];
		if (!is_generic(decl))
			continue;
		look_again(graph, decl);
		for (size_t j = 0; j < decl->data.field_count; j++)
			schema_walk_type(&decl->data.fields[j].type, note_use, &(struct applying){graph, decl});
	}
	while (graph->stack_len > 0) {
		const struct schema_decl *data = graph->stack[--graph->stack_len];
		struct node *node = node_of(graph, data);
		uint32_t needs = data_needs(graph, data);
		node->on_stack = false;
		if (needs == node->needs)
			continue;
		node->needs = needs;
		for (const struct waiter *user = node->users; user != NULL; user = user->next)
			look_again(graph, user->decl);
	}
}

/* The first declaration that keeps values of type from being finite, as far as is known; NULL: none. */
static const struct schema_decl *blocker(const struct graph *graph, const struct schema_type *type) {
	const struct schema_decl *decl = target(graph, type);
	if (decl == NULL || !node_of(graph, decl)->finite)
		return decl;
	for (size_t i = 0; i < type->arg_count && i < SCHEMA_PARAMS_MAX; i++) {
		bool needed = node_of(graph, decl)->needs >> i & 1;
		const struct schema_decl *found = needed ? blocker(graph, &type->args[i]) : NULL;
		if (found != NULL)
			return found;
	}
	return NULL;
}

/* Looks at the types of decl from index on, where what was before is finite; of a sum type at that one alone. */
static void look(struct graph *graph, const struct schema_decl *decl, size_t index) {
	if (node_of(graph, decl)->finite)
		return;
	const struct schema_decl *found = NULL;
	const struct schema_type *type;
	while (found == NULL && (type = schema_decl_type(decl, index)) != NULL) {
		found = blocker(graph, type);
		if (found == NULL && decl->kind == SCHEMA_SUM)
			break;
		index += found == NULL;
	}
	if (found == NULL) {
		node_of(graph, decl)->finite = true;
		graph->queue[graph->queue_len++] = decl;
		return;
	}
	struct waiter *waiter = arena_alloc(&graph->arena, sizeof *waiter);
	*waiter = (struct waiter){.next = node_of(graph, found)->waiters, .decl = decl, .index = index};
	node_of(graph, found)->waiters = waiter;
}

static void find_finite(struct graph *graph) {
	for (size_t i = 0; i < graph->module->decl_count; i++) {
		const struct schema_decl *decl = &graph->module->decls[i];
		size_t starts = decl->kind == SCHEMA_SUM ? MAX(decl->enumeration.variant_count, (size_t)1) : 1;
		for (size_t j = 0; j < starts && decl->kind != SCHEMA_VERB; j++)
			look(graph, decl, j);
	}
	while (graph->queue_len > 0) {
		const struct schema_decl *decl = graph->queue[--graph->queue_len];
		for (struct waiter *waiter = node_of(graph, decl)->waiters; waiter != NULL; waiter = waiter->next)
			look(graph, waiter->decl, waiter->index);
	}
}

static bool has_param(const struct schema_type *type) {
	if (is_param(type))
		return true;
	if (type->element != NULL && has_param(type->element))
		return true;
	for (size_t i = 0; i < type->arg_count; i++)
		if (has_param(&type->args[i]))
			return true;
	return false;
}

/* The generic data that type is one of and hands a type parameter on to; NULL: it does not. */
static const struct schema_decl *handed_on_to(const struct graph *graph, const struct schema_type *type) {
	const struct schema_decl *decl = target(graph, type);
	for (size_t i = 0; decl != NULL && is_generic(decl) && i < type->arg_count; i++)
		if (has_param(&type->args[i]))
			return decl;
	return NULL;
}

static void find_component(struct graph *graph, const struct schema_decl *data);

struct edge_source {
	struct graph *graph;
	struct node *from;
};

static void follow(const struct schema_type *type, void *context) {
	struct edge_source *source = context;
	const struct schema_decl *decl = handed_on_to(source->graph, type);
	if (decl == NULL)
		return;
	struct node *node = node_of(source->graph, decl);
	if (node->order == 0) {
		find_component(source->graph, decl);
		source->from->lowest = MIN(source->from->lowest, node->lowest);
	} else if (node->on_stack) {
		source->from->lowest = MIN(source->from->lowest, node->order);
	}
}

static void find_component(struct graph *graph, const struct schema_decl *data) {
	struct node *node = node_of(graph, data);
	node->order = node->lowest = ++graph->last_order;
	node->on_stack = true;
	graph->stack[graph->stack_len++] = data;
	for (size_t i = 0; i < data->data.field_count; i++)
		schema_walk_type(&data->data.fields[i].type, follow, &(struct edge_source){graph, node});
	if (node->lowest != node->order)
		return;
	graph->last_component++;
	struct node *member;
	do {
		member = node_of(graph, graph->stack[--graph->stack_len]);
		member->on_stack = false;
		member->component = graph->last_component;
	} while (member != node);
}

struct growth {
	struct graph *graph;
	const struct schema_decl *data;
	const struct schema_field *field;
};

static void check_growth(const struct schema_type *type, void *context) {
	const struct growth *growth = context;
	const struct schema_decl *decl = handed_on_to(growth->graph, type);
	bool grows = false;
	for (size_t i = 0; i < type->arg_count; i++)
		grows |= !is_param(&type->args[i]) && has_param(&type->args[i]);
	if (decl == NULL || !grows ||
	    node_of(growth->graph, decl)->component != node_of(growth->graph, growth->data)->component)
		return;
	schema_diagnose(growth->graph->diagnostics, type->ref.pos.line ? type->ref.pos : growth->field->pos,
			"hand type parameters on as they are",
			"%s.%s: %s contains itself with ever larger type arguments", growth->data->name,
			growth->field->name, growth->data->name);
}

static void check_decl(struct graph *graph, const struct schema_decl *decl) {
	if (!node_of(graph, decl)->finite && (decl->kind == SCHEMA_DATA || decl->kind == SCHEMA_SUM))
		schema_diagnose(graph->diagnostics, decl->pos,
				"make a field on the way back to it optional or an array",
				"%s: a value would have to contain another of the same type without end", decl->name);
	if (!is_generic(decl))
		return;
	if (node_of(graph, decl)->order == 0)
		find_component(graph, decl);
	for (size_t i = 0; i < decl->data.field_count; i++)
		schema_walk_type(&decl->data.fields[i].type, check_growth,
				 &(struct growth){graph, decl, &decl->data.fields[i]});
}

static void check_all(struct graph *graph) {
	for (size_t i = 0; i < graph->module->decl_count; i++)
		if (graph->module->decls[i].kind == SCHEMA_ALIAS)
			(void)alias_is_circle(graph, &graph->module->decls[i]);
	find_needs(graph);
	find_finite(graph);
	for (size_t i = 0; i < graph->module->decl_count; i++)
		check_decl(graph, &graph->module->decls[i]);
}

int schema_check_recursion(const struct schema_module *module, struct schema_diagnostics *diagnostics) {
	size_t known = diagnostics->count;
	size_t count = MAX(module->decl_count, (size_t)1);
	struct graph graph = {.module = module, .diagnostics = diagnostics};
	arena_init(&graph.arena, SCHEMA_ARENA_MAX);
	graph.nodes = mem_zalloc(count * sizeof *graph.nodes);
	graph.queue = mem_zalloc(count * sizeof(struct schema_decl *));
	graph.stack = mem_zalloc(count * sizeof(struct schema_decl *));
	check_all(&graph);
	free(graph.nodes);
	free((void *)graph.queue);
	free((void *)graph.stack);
	arena_deinit(&graph.arena);
	return diagnostics->count > known ? -1 : 0;
}
