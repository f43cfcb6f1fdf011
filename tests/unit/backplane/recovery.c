/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recovery on the store in memory, with the rows that a crash leaves.
 */
#include "backplane/recovery.h"

#include "cmocka_test.h"

#include "control/deployment.h"
#include "store/memory.h"

static struct world {
	struct memory_database *database;
	struct store *store;
	uint64_t epoch;
	struct control control;
	struct effects effects;
} world;

static int64_t out_wall_ms(struct effects *effects UNUSED) {
	return 1700000000000;
}

static void out_event(struct effects *effects UNUSED, const struct control_event *event UNUSED) {
}

/* Loading asks for nothing else: what is to be done follows at the first reconciliation. */
static const struct effects_ops ops = {.wall_ms = out_wall_ms, .event = out_event};

static int set_up(void **state UNUSED) {
	struct error err;
	world = (struct world){.effects.ops = &ops};
	world.database = memory_database_new();
	world.store = memory_database_open(world.database);
	control_init(&world.control, &control_config_default, &world.effects, 1000);
	return world.store->ops->acquire(world.store, &world.epoch, &err);
}

static int tear_down(void **state UNUSED) {
	control_deinit(&world.control);
	world.store->ops->close(world.store);
	memory_database_free(world.database);
	return 0;
}

static void commit(const struct store_change *change) {
	struct error err;
	if (world.store->ops->commit(world.store, world.epoch, change, &err) < 0)
		fail_msg("%s", err.msg);
}

static void add(const char *key, const char *module, enum deployment_state state, const char *detail) {
	struct deployment_record record = {.key = key,
					   .module = module,
					   .language = "c",
					   .state = DEPLOYMENT_STARTING,
					   .schema = STR(""),
					   .created_ms = 5};
	digest_of(str_from(key), &record.identity);
	char found[KEY_MAX];
	bool existed;
	struct error err;
	assert_int_equal(world.store->ops->add_deployment(world.store, world.epoch, &record, found, &existed, &err), 0);
	commit(&(struct store_change){.deployment_key = key, .state = state, .detail = detail});
}

static void want(const char *module, const char *active, const char *next, uint32_t replicas) {
	commit(&(struct store_change){.module = &(struct module_record){module, active, next, replicas, 0}});
}

static void load(void) {
	struct error err;
	if (recovery_load(world.store, world.epoch, &world.control, &err) < 0)
		fail_msg("%s", err.msg);
}

static void assert_stored(const char *key, enum deployment_state state, const char *detail) {
	struct arena arena = ARENA_INIT(KIB(16));
	struct deployment_record record;
	struct error err;
	assert_int_equal(world.store->ops->get_deployment(world.store, key, &arena, &record, &err), 0);
	assert_int_equal(record.state, state);
	assert_string_equal(record.detail, detail);
	arena_deinit(&arena);
}

static uint64_t newest_change(void) {
	struct arena arena = ARENA_INIT(KIB(64));
	struct store_rows rows;
	struct error err;
	assert_int_equal(world.store->ops->load(world.store, &arena, &rows, &err), 0);
	arena_deinit(&arena);
	return rows.sequence;
}

static void an_empty_store_is_loaded(void **state UNUSED) {
	load();
	assert_int_equal(world.control.books.modules.len, 0);
	assert_int_equal(newest_change(), 0);
}

static void goes_on_with_what_is_wanted(void **state UNUSED) {
	add("dpl-1", "echo", DEPLOYMENT_LIVE, "");
	add("dpl-2", "echo", DEPLOYMENT_STARTING, "");
	add("dpl-3", "time", DEPLOYMENT_LIVE, "");
	want("echo", "dpl-1", "dpl-2", 3);
	want("time", "dpl-3", "", 1);
	uint64_t before = newest_change();
	load();
	const struct module *echo = control_module(&world.control, STR("echo")),
			    *time = control_module(&world.control, STR("time"));
	assert_string_equal(echo->active->key, "dpl-1");
	assert_string_equal(echo->next->key, "dpl-2");
	assert_int_equal(echo->replicas, 3);
	assert_int_equal(deployment_state(echo->active), DEPLOYMENT_LIVE);
	assert_int_equal(deployment_state(echo->next), DEPLOYMENT_STARTING);
	assert_string_equal(time->active->key, "dpl-3");
	assert_null(time->next);
	/* All states were right: a start on a full disk must not have to write. */
	assert_int_equal(newest_change(), before);
}

static void ends_what_a_crash_left_half_done(void **state UNUSED) {
	add("dpl-1", "echo", DEPLOYMENT_DRAINING, "replaced by dpl-2"); /* the switch to it was not stored yet */
	add("dpl-2", "echo", DEPLOYMENT_LIVE, "");
	add("dpl-3", "echo", DEPLOYMENT_DRAINING, "killed");
	add("dpl-4", "echo", DEPLOYMENT_FAILED, "it was bad");
	add("dpl-5", "echo", DEPLOYMENT_STARTING, ""); /* added, and that it is wanted was not stored any more */
	want("echo", "dpl-1", "dpl-2", 1);
	load();
	assert_stored("dpl-1", DEPLOYMENT_LIVE, "");
	assert_stored("dpl-2", DEPLOYMENT_STARTING, "");
	assert_stored("dpl-3", DEPLOYMENT_STOPPED, "killed");
	assert_stored("dpl-4", DEPLOYMENT_FAILED, "it was bad");
	assert_stored("dpl-5", DEPLOYMENT_STOPPED, "");
	assert_null(control_deployment(&world.control, STR("dpl-5")));
}

static void remembers_why_the_last_deployment_failed(void **state UNUSED) {
	add("dpl-1", "echo", DEPLOYMENT_STOPPED, "killed");
	add("dpl-2", "echo", DEPLOYMENT_FAILED, "it was bad");
	load();
	const struct module *echo = control_module(&world.control, STR("echo"));
	assert_string_equal(echo->failure, "it was bad");
	assert_string_equal(echo->failed.key, "dpl-2");
	assert_null(echo->active);
}

static void another_backplane_has_the_store(void **state UNUSED) {
	uint64_t newer;
	struct error err;
	add("dpl-1", "echo", DEPLOYMENT_DRAINING, "killed");
	assert_int_equal(world.store->ops->acquire(world.store, &newer, &err), 0);
	assert_int_equal(recovery_load(world.store, world.epoch, &world.control, &err), -1);
	assert_string_equal(err.reason, "STALE_EPOCH");
	assert_stored("dpl-1", DEPLOYMENT_DRAINING, "killed");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(an_empty_store_is_loaded),         TEST(goes_on_with_what_is_wanted),
		TEST(ends_what_a_crash_left_half_done), TEST(remembers_why_the_last_deployment_failed),
		TEST(another_backplane_has_the_store),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
