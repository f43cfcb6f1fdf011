/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever peers send, in whatever order: no event aborts, and the books agree with each other after each. The
 * simulator plays peers that behave; here they do not.
 */
#include <stdio.h>

#include "cmocka_test.h"

#include "base/random.h"
#include "control/control.h"

enum { SEEDS = 1000, EVENTS = 400, KEYS = 5 };

struct world {
	struct control control;
	struct effects effects;
	struct effects_ops ops;
	uint64_t random, now_ms, published, last_registration;
};

static struct world *world_of(struct effects *effects) {
	return CONTAINER_OF(effects, struct world, effects);
}

static uint64_t next_random(struct effects *effects) {
	return random_next(&world_of(effects)->random);
}

static int64_t wall_ms(struct effects *effects) {
	return (int64_t)world_of(effects)->now_ms;
}

static void note_published(struct effects *effects, uint64_t version) {
	world_of(effects)->published = version;
}

static unsigned below(struct world *world, unsigned limit) {
	return (unsigned)(random_next(&world->random) % limit);
}

static const char *any(struct world *world, const char *const *texts, size_t count) {
	return texts[below(world, (unsigned)count)];
}

static const char *const runner_keys[] = {"", "rnr-a", "rnr-b", "hand-a", "hand-b"};
static const char *const deployment_keys[] = {"", "dpl-echo-1", "dpl-echo-2", "dpl-time-1", "dpl-unknown"};
static const char *const ends[] = {"", "", "exited with status 1"};

/* One that is known, or one of the names above. */
static const char *any_runner(struct world *world) {
	size_t skip = below(world, (unsigned)world->control.books.runners.len + 1);
	LIST_FOREACH(link, &world->control.books.all_runners)
		if (skip-- == 0)
			return LIST_ENTRY(link, struct runner, in_control)->key;
	return any(world, runner_keys, KEYS);
}

static const char *any_deployment(struct world *world) {
	return any(world, deployment_keys, KEYS);
}

static void wish(struct world *world) {
	static const char *const wanted[] = {"dpl-echo-1", "dpl-echo-2", "dpl-time-1"};
	unsigned which = below(world, 3);
	const struct deployment_record record = {.key = wanted[which],
						 .module = which < 2 ? "echo" : "time",
						 .language = which < 2 ? "c" : "py",
						 .schema = STR(""),
						 .detail = ""};
	char key[KEY_MAX];
	struct error err;
	switch (below(world, 4)) {
	case 0:
		control_rolled_back(&world->control, &record, 0);
		break;
	case 1:
		control_scale(&world->control, str_from(record.module), below(world, 4), &err);
		break;
	case 2:
		control_kill(&world->control, str_from(record.module), key);
		break;
	default:
		control_deployment_created(&world->control, &record, below(world, 4));
	}
}

static void registers(struct world *world) {
	static const char *const languages[] = {"c", "c", "py", ""};
	static const char *const endpoints[] = {"unix:/a", "unix:/b", "unix:/c", "unix:/d"};
	control_register(&world->control, &(struct registration){.id = ++world->last_registration,
								 .language = str_from(any(world, languages, 4)),
								 .endpoint = str_from(any(world, endpoints, 4)),
								 .runner_key = str_from(any(world, runner_keys, KEYS)),
								 .deployment_key = str_from(any_deployment(world))});
}

static void reports(struct world *world) {
	const struct runner *runner = runner_find(&world->control, any_runner(world));
	char key[KEY_MAX];
	struct error err;
	snprintf(key, sizeof key, "%s", runner != NULL ? runner->key : "nobody");
	bool as_told = runner != NULL && runner->deployment != NULL && below(world, 2) == 0;
	const struct deployed deployed = {.runner_key = key,
					  .deployment_key = as_told ? runner->deployment->key : any_deployment(world),
					  .attempt = runner != NULL && below(world, 2) == 0 ? runner->attempt : 0,
					  .end.why = any(world, ends, 3),
					  .runner_fault = below(world, 2) == 0};
	control_deployed(&world->control, &deployed, &err);
}

/* The effects answer each ping once, and orders at any time. */
static void answers(struct world *world) {
	const struct runner *runner = runner_find(&world->control, any_runner(world));
	struct error err;
	char key[KEY_MAX];
	if (runner == NULL)
		return;
	snprintf(key, sizeof key, "%s", runner->key);
	error_set(&err, below(world, 2) ? CODE_DEADLINE_EXCEEDED : CODE_FAILED_PRECONDITION, "no");
	const struct error *answer = below(world, 3) == 0 ? &err : NULL;
	if (below(world, 3) == 0)
		control_deploy_answered(&world->control, key, runner->serial, runner->attempt, answer);
	else if (runner->liveness.ping != PING_WAITING)
		control_pinged(&world->control, key, runner->serial, answer);
}

static void happens(struct world *world) {
	char key[KEY_MAX];
	switch (below(world, 10)) {
	case 0:
		wish(world);
		break;
	case 1:
		registers(world);
		break;
	case 2:
		control_registration_ended(&world->control, below(world, (unsigned)world->last_registration + 2),
					   below(world, 2) == 0);
		break;
	case 3:
		snprintf(key, sizeof key, "%s", any_runner(world));
		control_runner_exited(&world->control, key, &(struct cause){.why = "exited"});
		break;
	case 4:
		control_found(&world->control, runner_keys[1 + below(world, KEYS - 1)]);
		break;
	case 5:
	case 6:
		reports(world);
		break;
	case 7:
	case 8:
		answers(world);
		break;
	default:
		control_published(&world->control, world->published);
	}
}

static void check_books(const struct control *control) {
	size_t runners = 0;
	LIST_FOREACH(link, &control->books.all_runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		runners++;
		assert_int_not_equal(runner->state, RUNNER_CLAIMING);
		assert_ptr_equal(runner_find(control, runner->key), runner);
	}
	assert_int_equal(runners, control->books.runners.len);
	for (size_t cursor = 0;;) {
		const struct deployment *deployment = map_next(&control->books.deployments, &cursor);
		if (deployment == NULL)
			break;
		unsigned alive = 0;
		LIST_FOREACH(link, &deployment->runners)
			alive += LIST_ENTRY(link, struct runner, in_deployment)->state == RUNNER_ALIVE;
		assert_int_equal(alive, deployment->alive);
		assert_int_equal(deployment_is_wanted(deployment), list_is_empty(&deployment->in_ending));
	}
}

static void run(uint64_t seed) {
	struct world world = {.random = seed, .now_ms = 1000000, .ops = effects_noop};
	world.ops.random = next_random;
	world.ops.wall_ms = wall_ms;
	world.ops.publish = note_published;
	world.effects.ops = &world.ops;
	control_init(&world.control, &control_config_default, &world.effects, world.now_ms);
	control_begin(&world.control, world.now_ms);
	for (unsigned i = 0; i < EVENTS; i++) {
		world.now_ms += below(&world, 4) == 0 ? below(&world, 3000) : 0;
		control_advance(&world.control, world.now_ms);
		if (i == EVENTS - 50)
			control_shut_down(&world.control);
		else
			happens(&world);
		control_tick(&world.control);
		check_books(&world.control);
	}
	control_deinit(&world.control);
}

static void no_order_of_events_aborts(void **state UNUSED) {
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		run(seed);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_order_of_events_aborts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
