/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include <stdlib.h>

#include "base/memory.h"

static void put(struct heap *heap, size_t place, struct heap_node *node) {
	heap->nodes[place] = node;
	node->place = place;
}

static void sift_up(struct heap *heap, size_t place) {
	struct heap_node *node = heap->nodes[place];
	for (; place > 1 && heap->nodes[place / 2]->key > node->key; place /= 2)
		put(heap, place, heap->nodes[place / 2]);
	put(heap, place, node);
}

static void sift_down(struct heap *heap, size_t place) {
	struct heap_node *node = heap->nodes[place];
	for (size_t child; (child = place * 2) <= heap->count; place = child) {
		if (child < heap->count && heap->nodes[child + 1]->key < heap->nodes[child]->key)
			child++;
		if (heap->nodes[child]->key >= node->key)
			break;
		put(heap, place, heap->nodes[child]);
	}
	put(heap, place, node);
}

void heap_deinit(struct heap *heap) {
	free(heap->nodes);
	*heap = (struct heap){0};
}

void heap_set(struct heap *heap, struct heap_node *node, uint64_t key) {
	heap_remove(heap, node);
	if (heap->count + 2 > heap->capacity) {
		heap->capacity = MAX(heap->capacity * 2, (size_t)16);
		heap->nodes = mem_realloc(heap->nodes, heap->capacity * sizeof(struct heap_node *));
	}
	node->key = key;
	heap->nodes[++heap->count] = node;
	sift_up(heap, heap->count);
}

void heap_remove(struct heap *heap, struct heap_node *node) {
	size_t place = node->place;
	if (place == 0)
		return;
	node->place = 0;
	struct heap_node *last = heap->nodes[heap->count--];
	if (last == node)
		return;
	put(heap, place, last);
	sift_up(heap, place);
	sift_down(heap, last->place);
}
