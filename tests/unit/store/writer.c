/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer, with a store in memory whose commits fail as often as the test says.
 */
#include "store/writer.h"

#include <stdlib.h>

#include "cmocka_test.h"
#include "dies.h"

#include "store/memory.h"

static struct world {
	struct loop loop;
	struct store flaky, *inner;
	struct memory_database *database;
	struct store_queue queue;
	struct store_writer writer;
	struct write_behind_waiter waiter;
	uint64_t epoch;

	/* Used by the queue's thread while a write is under way. */
	unsigned failures; /* commits that are still to fail */
	struct error error; /* how */
	_Atomic unsigned commits;

	uint64_t stored; /* sequence of the last event */
	unsigned troubled, recovered, kept;
} world;

static int flaky_commit(struct store *store UNUSED, uint64_t epoch, const struct store_change *change,
			struct error *err) {
	world.commits++;
	if (world.failures > 0) {
		world.failures--;
		*err = world.error;
		return -1;
	}
	return world.inner->ops->commit(world.inner, epoch, change, err);
}

static const struct store_ops flaky_ops = {.commit = flaky_commit};

static void on_stored(struct store_writer *writer UNUSED, const struct event_record *last) {
	world.stored = last->sequence;
}

static void on_troubled(struct store_writer *writer UNUSED, const struct error *why) {
	assert_int_equal(why->code, world.error.code);
	world.troubled++;
}

static void on_recovered(struct store_writer *writer UNUSED, uint64_t after_ms UNUSED) {
	world.recovered++;
}

static const struct store_writer_events events = {
	.stored = on_stored,
	.troubled = on_troubled,
	.recovered = on_recovered,
};

static void on_waiter_done(struct write_behind_waiter *waiter UNUSED) {
	world.kept++;
	loop_stop(&world.loop);
}

static int set_up(void **state UNUSED) {
	struct error err;
	world = (struct world){.flaky.ops = &flaky_ops, .waiter.stored = on_waiter_done};
	loop_init(&world.loop);
	world.database = memory_database_new();
	world.inner = memory_database_open(world.database);
	assert_int_equal(world.inner->ops->acquire(world.inner, &world.epoch, &err), 0);
	store_writer_init(&world.writer, &world.loop, &world.queue, &events);
	store_queue_init(&world.queue, &world.loop, &world.flaky);
	store_writer_open(&world.writer, world.epoch, "/tmp");
	world.writer.retry_ms = 1;
	return 0;
}

static int tear_down(void **state UNUSED) {
	store_writer_stop(&world.writer);
	loop_run_out(&world.loop);
	store_writer_deinit(&world.writer);
	loop_deinit(&world.loop);
	world.inner->ops->close(world.inner);
	memory_database_free(world.database);
	return 0;
}

static void add_deployment(const char *key) {
	const struct deployment_record record = {.key = key,
						 .module = "echo",
						 .language = "c",
						 .state = DEPLOYMENT_STARTING,
						 .schema = STR("")};
	char found[KEY_MAX];
	bool existed;
	struct error err;
	assert_int_equal(world.inner->ops->add_deployment(world.inner, world.epoch, &record, found, &existed, &err), 0);
}

static void make_live(const char *key) {
	write_behind_add(&world.writer.write_behind,
			 &(struct store_change){.deployment_key = key, .state = DEPLOYMENT_LIVE, .detail = ""});
}

static void add_event(uint64_t sequence) {
	write_behind_add_event(&world.writer.write_behind, &(struct event_record){.sequence = sequence,
										  .module = "",
										  .deployment_key = "",
										  .runner_key = "",
										  .text = "",
										  .lines = ""});
}

static void run_until_stored(void) {
	assert_true(write_behind_wait(&world.writer.write_behind, &world.waiter));
	loop_run(&world.loop);
	assert_int_equal(world.kept, 1);
}

static enum deployment_state state_of(const char *key) {
	struct arena arena = ARENA_INIT(KIB(16));
	struct deployment_record record;
	struct error err;
	assert_int_equal(world.inner->ops->get_deployment(world.inner, key, &arena, &record, &err), 0);
	arena_deinit(&arena);
	return record.state;
}

static void stores_changes_with_their_events(void **state UNUSED) {
	add_deployment("dpl-1");
	add_event(1);
	add_event(2);
	make_live("dpl-1");
	run_until_stored();
	assert_int_equal(world.commits, 1);
	assert_int_equal(world.stored, 2);
	assert_int_equal(state_of("dpl-1"), DEPLOYMENT_LIVE);
	assert_int_equal(world.troubled, 0);
}

static void tries_again_until_the_store_works(void **state UNUSED) {
	add_deployment("dpl-1");
	world.failures = 3;
	error_set(&world.error, CODE_RESOURCE_EXHAUSTED, "the disk is full");
	make_live("dpl-1");
	run_until_stored();
	assert_int_equal(world.commits, 4);
	assert_int_equal(state_of("dpl-1"), DEPLOYMENT_LIVE);
	assert_int_equal(world.troubled, 1);
	assert_int_equal(world.recovered, 1);
	assert_null(store_writer_trouble(&world.writer));
}

static void stop_loop(struct timer *timer UNUSED) {
	loop_stop(&world.loop);
}

static void run_for(uint64_t ms) {
	struct timer timer = {.fire = stop_loop};
	timer_start(&world.loop, &timer, ms);
	loop_run(&world.loop);
}

static void says_what_is_wrong_and_how_much_room_is_left(void **state UNUSED) {
	struct arena arena = ARENA_INIT(KIB(16));
	assert_null(store_writer_problem(&world.writer, &arena));
	add_deployment("dpl-1");
	world.failures = UINT32_MAX;
	error_set(&world.error, CODE_RESOURCE_EXHAUSTED, "the disk is full");
	make_live("dpl-1");
	while (world.troubled == 0)
		run_for(5);
	const char *problem = store_writer_problem(&world.writer, &arena);
	assert_non_null(strstr(problem, "the store cannot be written: the disk is full; since "));
	assert_non_null(strstr(problem, " are free at /tmp"));
	assert_null(strstr(problem, "unknown"));
	assert_string_equal(store_writer_trouble(&world.writer)->msg, "the disk is full");
	arena_deinit(&arena);
}

static void another_user_of_the_store_can_report_trouble(void **state UNUSED) {
	add_deployment("dpl-1");
	error_set(&world.error, CODE_UNAVAILABLE, "locked");
	store_writer_fail(&world.writer, &world.error);
	assert_int_equal(world.troubled, 1);
	assert_non_null(store_writer_trouble(&world.writer));
	make_live("dpl-1");
	run_until_stored();
	assert_int_equal(world.recovered, 1);
}

/* The change names no row, so no retry can help; what is queued behind it must not wait for ever. */
static void drops_what_can_never_be_stored(void **state UNUSED) {
	add_deployment("dpl-2");
	make_live("dpl-1");
	make_live("dpl-2");
	run_until_stored();
	assert_int_equal(world.commits, 2);
	assert_int_equal(state_of("dpl-2"), DEPLOYMENT_LIVE);
	assert_int_equal(world.troubled, 0);
}

static void a_stale_writer_stays_troubled(void **state UNUSED) {
	struct error err;
	uint64_t newer;
	add_deployment("dpl-1");
	assert_int_equal(world.inner->ops->acquire(world.inner, &newer, &err), 0);
	world.error.code = CODE_FAILED_PRECONDITION;
	make_live("dpl-1");
	while (world.commits < 3)
		run_for(5);
	assert_string_equal(store_writer_trouble(&world.writer)->reason, "STALE_EPOCH");
	assert_int_equal(world.troubled, 1);
	assert_int_equal(state_of("dpl-1"), DEPLOYMENT_STARTING);
}

static void once_stopped_a_failure_is_not_tried_again(void **state UNUSED) {
	add_deployment("dpl-1");
	store_writer_stop(&world.writer);
	world.failures = 1;
	error_set(&world.error, CODE_RESOURCE_EXHAUSTED, "the disk is full");
	make_live("dpl-1");
	run_until_stored();
	assert_int_equal(world.commits, 1);
	assert_int_equal(world.troubled, 0);
	assert_int_equal(state_of("dpl-1"), DEPLOYMENT_STARTING);
}

static void start_again(void *state) {
	writer_state_change(state, WRITER_WORKS);
}

static void a_writer_that_was_stopped_stays_stopped(void **state UNUSED) {
	enum writer_state writer = WRITER_STOPS;
	assert_dies(start_again, &writer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(stores_changes_with_their_events),
		TEST(tries_again_until_the_store_works),
		TEST(says_what_is_wrong_and_how_much_room_is_left),
		TEST(another_user_of_the_store_can_report_trouble),
		TEST(drops_what_can_never_be_stored),
		TEST(a_stale_writer_stays_troubled),
		TEST(once_stopped_a_failure_is_not_tried_again),
		cmocka_unit_test(a_writer_that_was_stopped_stays_stopped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
