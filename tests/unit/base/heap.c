/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include <stdlib.h>

#include "cmocka_test.h"

static void test_the_smallest_is_first(void **state UNUSED) {
	struct heap heap = {0};
	struct heap_node a = {0}, b = {0}, c = {0};
	assert_null(heap_first(&heap));
	heap_set(&heap, &a, 30);
	heap_set(&heap, &b, 10);
	heap_set(&heap, &c, 20);
	assert_ptr_equal(heap_first(&heap), &b);
	heap_set(&heap, &b, 40);
	assert_ptr_equal(heap_first(&heap), &c);
	heap_remove(&heap, &c);
	heap_remove(&heap, &c);
	assert_ptr_equal(heap_first(&heap), &a);
	heap_remove(&heap, &a);
	heap_remove(&heap, &b);
	assert_null(heap_first(&heap));
	heap_deinit(&heap);
}

enum { NODES = 300, TURNS = 20000 };

static void check_order(const struct heap *heap) {
	for (size_t place = 1; place <= heap->count; place++) {
		assert_int_equal(heap->nodes[place]->place, place);
		if (place > 1)
			assert_true(heap->nodes[place / 2]->key <= heap->nodes[place]->key);
	}
}

/* Against a look at all of them. */
static void test_nodes_come_move_and_go(void **state UNUSED) {
	struct heap heap = {0};
	static struct heap_node nodes[NODES];
	srandom(7);
	for (int turn = 0; turn < TURNS; turn++) {
		struct heap_node *node = &nodes[random() % NODES];
		if (random() % 3 == 0)
			heap_remove(&heap, node);
		else
			heap_set(&heap, node, (uint64_t)random() % 50);
		uint64_t smallest = UINT64_MAX;
		size_t count = 0;
		for (size_t i = 0; i < NODES; i++) {
			count += nodes[i].place > 0;
			if (nodes[i].place > 0)
				smallest = MIN(smallest, nodes[i].key);
		}
		assert_int_equal(heap.count, count);
		if (count > 0)
			assert_int_equal(heap_first(&heap)->key, smallest);
		if (turn % 100 == 0)
			check_order(&heap);
	}
	heap_deinit(&heap);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_smallest_is_first),
		cmocka_unit_test(test_nodes_come_move_and_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
