/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order in which the modules of one `ftl deploy` go: each after those that its schema names. Pure.
 *
 *   WAITING ──order_next chooses it──▶ (the caller builds and deploys it) ──▶ DONE or FAILED
 *      └──────one that it needs FAILED or was LEFT──▶ LEFT
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct schema_module;

enum order_state { ORDER_WAITING, ORDER_DONE, ORDER_FAILED, ORDER_LEFT };
enum { ORDER_STATE_COUNT = ORDER_LEFT + 1 };

struct order_item {
	const char *module; /* NULL: it could not be read, and nothing needs it */
	const char *const *needs; /* names of modules, those of this run or others; NULL: not known yet */
	size_t need_count;
	enum order_state state;
	const char *needed; /* LEFT: the module for which it was left; its circle, if it was chosen in one */
};

/* Changes the state; asserts that the next one may follow. */
void order_state_move(enum order_state *state, enum order_state next);

/* The item to go on with; -1: none waits any more. Items that need a failed one become LEFT first. Among modules that
 * need each other in a circle the first is chosen, and its `needed` names another one of the circle. */
int order_next(struct order_item *items, size_t count);

/* The other modules that a schema names by its types and by +calls, in arena, each once. */
void order_needs(const struct schema_module *module, struct arena *arena, struct order_item *item);
