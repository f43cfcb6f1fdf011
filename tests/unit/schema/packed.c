/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/packed.h"

#include <pthread.h>

#include "../schema/schema_test.h"

#include "pb/pb.h"
#include "schema.pb-c.h"

static struct packed_schema *make(struct world *world, const char *text, int64_t created) {
	struct schema_module *module = check_good(world, text);
	module->has_create_time = true;
	module->create_time.seconds = created;
	return packed_schema_new(
		pb_pack((const ProtobufCMessage *)schema_to_proto(module, &world->arena), &world->arena));
}

static bool are_same(struct world *world, const char *left, const char *right) {
	struct packed_schema *a = make(world, left, 1), *b = make(world, right, 2);
	bool same = packed_schema_same(a, b);
	assert_int_equal(packed_schema_same(b, a), same);
	packed_schema_unref(a);
	packed_schema_unref(b);
	return same;
}

static void test_what_says_the_same_is_the_same(void **state UNUSED) {
	struct world *world = world_new();
	assert_true(are_same(world, "module m { data D { a Int } }", "module m {\n\n  data D {\n    a Int\n  }\n}\n"));
	assert_false(are_same(world, "module m { data D { a Int } }", "module m { data D { b Int } }"));
	assert_false(are_same(world, "module m { data D { a Int } }", "module m { export data D { a Int } }"));
	assert_false(are_same(world, "module m { data D {} }", "module n { data D {} }"));
	world_free(world);
}

static void test_the_model_is_made_once(void **state UNUSED) {
	struct world *world = world_new();
	struct packed_schema *schema = make(world, "module m { verb a(Unit) Int  verb b(Unit) Int }", 1);
	const struct schema_module *module = packed_schema_module(schema);
	assert_string_equal(module->name, "m");
	assert_non_null(schema_find_verb(module, "b"));
	assert_ptr_equal(packed_schema_module(packed_schema_ref(schema)), module);
	packed_schema_unref(schema);
	assert_ptr_equal(packed_schema_module(schema), module);
	packed_schema_unref(schema);
	packed_schema_unref(NULL);
	world_free(world);
}

static void *use(void *data) {
	struct packed_schema *schema = data;
	const struct schema_module *module = packed_schema_module(schema);
	packed_schema_unref(schema);
	return (void *)module;
}

/* As workers do; for ThreadSanitizer. The schema is kept until all have looked. */
static void test_threads_share_one_model(void **state UNUSED) {
	struct world *world = world_new();
	enum { THREADS = 8, ROUNDS = 50 };
	for (int round = 0; round < ROUNDS; round++) {
		struct packed_schema *schema = make(world, "module m { verb a(Unit) Int }", round);
		pthread_t threads[THREADS];
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, use, packed_schema_ref(schema)), 0);
		for (int i = 0; i < THREADS; i++) {
			void *module;
			assert_int_equal(pthread_join(threads[i], &module), 0);
			assert_ptr_equal(module, packed_schema_module(schema));
		}
		packed_schema_unref(schema);
	}
	world_free(world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_says_the_same_is_the_same),
		cmocka_unit_test(test_the_model_is_made_once),
		cmocka_unit_test(test_threads_share_one_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
