/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the store in memory can show: two processes on one database. The rest is in suite.c.
 */
#include "store/memory.h"

#include "cmocka_test.h"

static void the_later_of_two_writers_wins(void **state UNUSED) {
	struct memory_database *database = memory_database_new();
	struct store *old = memory_database_open(database), *new = memory_database_open(database);
	const struct event_record event =
		{.sequence = 1, .module = "", .deployment_key = "", .runner_key = "", .text = "", .lines = ""};
	const struct store_change change = {.events = &event, .event_count = 1};
	uint64_t old_epoch, new_epoch;
	struct error err;
	assert_int_equal(old->ops->acquire(old, &old_epoch, &err), 0);
	assert_int_equal(old->ops->renew(old, old_epoch, &err), 0);
	assert_int_equal(new->ops->acquire(new, &new_epoch, &err), 0);
	assert_int_equal(old->ops->renew(old, old_epoch, &err), -1);
	assert_string_equal(err.reason, "STALE_EPOCH");
	assert_int_equal(old->ops->commit(old, old_epoch, &change, &err), -1);
	assert_string_equal(err.reason, "STALE_EPOCH");
	assert_int_equal(new->ops->commit(new, new_epoch, &change, &err), 0);
	old->ops->close(old);
	new->ops->close(new);
	memory_database_free(database);
}

static void a_follower_sees_what_another_writes(void **state UNUSED) {
	struct memory_database *database = memory_database_new();
	struct store *writer = memory_database_open(database), *follower = memory_database_open(database);
	const struct deployment_record record = {.key = "dpl-1", .module = "echo", .language = "c"};
	char key[KEY_MAX];
	uint64_t epoch;
	bool existed;
	struct store_rows rows;
	struct error err;
	struct arena arena = ARENA_INIT(KIB(16));
	assert_int_equal(writer->ops->acquire(writer, &epoch, &err), 0);
	assert_int_equal(writer->ops->add_deployment(writer, epoch, &record, key, &existed, &err), 0);
	writer->ops->close(writer);
	assert_int_equal(follower->ops->watch(follower, 0, &arena, &rows, &err), 0);
	assert_int_equal(rows.sequence, 1);
	assert_int_equal(rows.deployment_count, 1);
	assert_string_equal(rows.deployments[0].key, "dpl-1");
	arena_deinit(&arena);
	follower->ops->close(follower);
	memory_database_free(database);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_later_of_two_writers_wins),
		cmocka_unit_test(a_follower_sees_what_another_writes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
