/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binary min-heap of embedded nodes, which can be moved and removed anywhere. The order of equal keys is
 * deterministic.
 */
#pragma once

#include "base/macros.h"

struct heap_node {
	uint64_t key;
	size_t place; /* from 1; 0: in no heap. A zeroed node is ready for use */
};

/* Zeroed it is empty. */
struct heap {
	struct heap_node **nodes; /* nodes[0] is unused */
	size_t count, capacity;
};

void heap_deinit(struct heap *heap); /* the nodes stay the caller's */

/* Puts a node in, or moves it. */
void heap_set(struct heap *heap, struct heap_node *node, uint64_t key);
void heap_remove(struct heap *heap, struct heap_node *node); /* does nothing when the node is in no heap */

/* NULL: it is empty. */
static inline struct heap_node *heap_first(const struct heap *heap) {
	return heap->count > 0 ? heap->nodes[1] : NULL;
}
