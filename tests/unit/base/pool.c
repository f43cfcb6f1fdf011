/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <pthread.h>
#include <string.h>

#include "cmocka_test.h"

enum { PIECES = 200 };

/* Every size, also those that are malloc's, written to its end while all others are there. */
static void pieces_do_not_overlap(void **state UNUSED) {
	static const size_t sizes[] = {0, 1, 63, 64, 65, 1000, POOL_PIECE_MAX, POOL_PIECE_MAX + 1, 100000};
	for (int round = 0; round < 3; round++) {
		unsigned char *pieces[PIECES];
		for (size_t i = 0; i < PIECES; i++) {
			pieces[i] = pool_alloc(sizes[i % ARRAY_LEN(sizes)]);
			assert_int_equal((uintptr_t)pieces[i] % 16, 0);
			memset(pieces[i], (int)i, sizes[i % ARRAY_LEN(sizes)]);
		}
		for (size_t i = 0; i < PIECES; i++) {
			for (size_t k = 0; k < sizes[i % ARRAY_LEN(sizes)]; k++)
				assert_int_equal(pieces[i][k], (unsigned char)i);
			pool_free(pieces[i]);
		}
	}
	pool_free(NULL);
}

static void growing_keeps_the_content(void **state UNUSED) {
	unsigned char *memory = NULL;
	size_t had = 0;
	for (size_t size = 1; size < 3 * POOL_PIECE_MAX; size += 97) {
		memory = pool_realloc(memory, size);
		for (size_t i = 0; i < had; i++)
			assert_int_equal(memory[i], (unsigned char)i);
		for (size_t i = had; i < size; i++)
			memory[i] = (unsigned char)i;
		had = size;
	}
	pool_free(memory);
}

static void *give_back(void *data) {
	void **pieces = data;
	for (size_t i = 0; i < PIECES; i++)
		pool_free(pieces[i]);
	return NULL;
}

/* And what that thread then had at hand is freed with it: the leak checkers look. */
static void another_thread_may_give_back(void **state UNUSED) {
	void *pieces[PIECES];
	for (size_t i = 0; i < PIECES; i++)
		pieces[i] = pool_alloc(i * 20);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, give_back, pieces), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_do_not_overlap),
		cmocka_unit_test(growing_keeps_the_content),
		cmocka_unit_test(another_thread_may_give_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
