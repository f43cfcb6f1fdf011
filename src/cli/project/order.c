/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/project/order.h"

#include <string.h>

#include "base/arena.h"
#include "base/macros.h"
#include "schema/references.h"
#include "schema/schema.h"

#define TO(state) (1u << (state))

void order_state_move(enum order_state *state, enum order_state next) {
	static const unsigned allowed[ORDER_STATE_COUNT] = {
		[ORDER_WAITING] = TO(ORDER_DONE) | TO(ORDER_FAILED) | TO(ORDER_LEFT),
		[ORDER_DONE] = 0,
		[ORDER_FAILED] = 0,
		[ORDER_LEFT] = 0,
	};
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

/* The item of another module by name; NULL: it is not of this run. */
static struct order_item *find(struct order_item *items, size_t count, const struct order_item *but,
			       const char *module) {
	for (size_t i = 0; i < count; i++)
		if (&items[i] != but && items[i].module != NULL && strcmp(items[i].module, module) == 0)
			return &items[i];
	return NULL;
}

static bool names_itself(const struct order_item *item, const char *need) {
	return item->module != NULL && strcmp(item->module, need) == 0;
}

/* The first item that this one needs and that is not DONE; NULL: it may go. */
static struct order_item *blocker(struct order_item *items, size_t count, const struct order_item *item) {
	for (size_t i = 0; i < item->need_count; i++) {
		struct order_item *needed =
			names_itself(item, item->needs[i]) ? NULL : find(items, count, item, item->needs[i]);
		if (needed != NULL && needed->state != ORDER_DONE)
			return needed;
	}
	return NULL;
}

/* A failure of one that a waiting item needs; NULL: none. */
static const struct order_item *lost(struct order_item *items, size_t count, const struct order_item *item) {
	for (size_t i = 0; i < item->need_count; i++) {
		struct order_item *needed =
			names_itself(item, item->needs[i]) ? NULL : find(items, count, item, item->needs[i]);
		if (needed != NULL && (needed->state == ORDER_FAILED || needed->state == ORDER_LEFT))
			return needed;
	}
	return NULL;
}

static void leave_undone(struct order_item *items, size_t count) {
	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < count; i++) {
			const struct order_item *needed =
				items[i].state == ORDER_WAITING ? lost(items, count, &items[i]) : NULL;
			if (needed == NULL)
				continue;
			order_state_move(&items[i].state, ORDER_LEFT);
			items[i].needed = needed->module;
			again = true;
		}
	}
}

/* Every item that waits is blocked: follows blockers until one comes again, which is in a circle. */
static int find_circle(struct order_item *items, size_t count, int first) {
	struct order_item *item = &items[first];
	for (size_t steps = 0; steps < count; steps++)
		item = blocker(items, count, item);
	/* Among the circle, the one that was given first. */
	struct order_item *chosen = item;
	for (struct order_item *at = blocker(items, count, item); at != item; at = blocker(items, count, at))
		chosen = at < chosen ? at : chosen;
	chosen->needed = blocker(items, count, chosen)->module;
	return (int)(chosen - items);
}

int order_next(struct order_item *items, size_t count) {
	int first = -1;
	leave_undone(items, count);
	for (size_t i = 0; i < count; i++) {
		if (items[i].state != ORDER_WAITING)
			continue;
		if (blocker(items, count, &items[i]) == NULL)
			return (int)i;
		first = first < 0 ? (int)i : first;
	}
	return first < 0 ? -1 : find_circle(items, count, first);
}

/* --- what a schema needs ------------------------------------------------------------------------------------------ */

struct needing {
	struct arena *arena;
	struct order_item *item;
	const char **needs;
	size_t capacity;
};

static void add(struct needing *needing, const char *module) {
	struct order_item *item = needing->item;
	for (size_t i = 0; i < item->need_count; i++)
		if (strcmp(needing->needs[i], module) == 0)
			return;
	if (item->need_count == needing->capacity) {
		size_t capacity = MAX(needing->capacity * 2, (size_t)8);
		const char **more = arena_alloc(needing->arena, capacity * sizeof *more);
		if (item->need_count > 0)
			memcpy(more, needing->needs, item->need_count * sizeof *more);
		needing->needs = more;
		needing->capacity = capacity;
	}
	needing->needs[item->need_count++] = module;
}

static void add_reference(const struct schema_ref *ref, void *context) {
	add(context, ref->module);
}

void order_needs(const struct schema_module *module, struct arena *arena, struct order_item *item) {
	struct needing needing = {.arena = arena, .item = item};
	item->need_count = 0;
	schema_walk_foreign(module, add_reference, &needing);
	item->needs = needing.needs;
}
