/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machines of the control side, each against a list of its transitions that the test has for itself: those in the
 * list are taken, every other one aborts. Then two stories that pass through every state by events alone.
 */
#include "control/control.h"

#include <stdio.h>
#include <string.h>

#include "dies.h"

struct stage {
	struct control control;
	struct effects effects;
	struct effects_ops ops;
	uint64_t random, published;
	char created[KEY_MAX]; /* the last Runner that the Platform was asked for */
};

static struct stage *stage_of(struct effects *effects) {
	return CONTAINER_OF(effects, struct stage, effects);
}

static uint64_t next_random(struct effects *effects) {
	return ++stage_of(effects)->random;
}

static void note_created(struct effects *effects, const char *runner_key, const char *language UNUSED) {
	snprintf(stage_of(effects)->created, KEY_MAX, "%s", runner_key);
}

static void note_published(struct effects *effects, uint64_t version) {
	stage_of(effects)->published = version;
}

static struct stage stage;

static int set_up(void **state UNUSED) {
	memset(&stage, 0, sizeof stage);
	stage.ops = effects_noop;
	stage.ops.random = next_random;
	stage.ops.create = note_created;
	stage.ops.publish = note_published;
	stage.effects.ops = &stage.ops;
	struct control_config config = control_config_default;
	config.warm = 0;
	control_init(&stage.control, &config, &stage.effects, 1000);
	return 0;
}

static int tear_down(void **state UNUSED) {
	control_deinit(&stage.control);
	return 0;
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

struct transition {
	int from, to;
};

static bool is_in(const struct transition *list, size_t count, struct transition transition) {
	for (size_t i = 0; i < count; i++)
		if (list[i].from == transition.from && list[i].to == transition.to)
			return true;
	return false;
}

/* Takes those that are in the list, and sees that the others abort. */
static void check_machine(const struct transition *list, size_t count, int states, void (*take)(void *transition)) {
	for (int from = 0; from < states; from++)
		for (int to = 0; to < states; to++) {
			struct transition transition = {from, to};
			if (is_in(list, count, transition))
				take(&transition);
			else
				assert_dies(take, &transition);
		}
}

static void take_runner(void *argument) {
	const struct transition *transition = argument;
	struct runner *runner = runner_add(&stage.control, "one", "c", false, RUNNER_CREATING, 0);
	runner->state = (enum runner_state)transition->from;
	runner_set_state(&stage.control, runner, (enum runner_state)transition->to, 0, "by the test");
	assert_int_equal(runner->state, transition->to);
	runner_remove(&stage.control, runner);
}

static void a_runner_changes_its_state_by_its_diagram(void **state UNUSED) {
	static const struct transition list[] = {
		{RUNNER_FOUND, RUNNER_PROBING},    {RUNNER_FOUND, RUNNER_ENDING},
		{RUNNER_CREATING, RUNNER_PROBING}, {RUNNER_PROBING, RUNNER_CLAIMING},
		{RUNNER_PROBING, RUNNER_IDLE},     {RUNNER_PROBING, RUNNER_DRAINING},
		{RUNNER_CLAIMING, RUNNER_ALIVE},   {RUNNER_CLAIMING, RUNNER_DRAINING},
		{RUNNER_IDLE, RUNNER_CLAIMING},    {RUNNER_IDLE, RUNNER_DEPLOYING},
		{RUNNER_IDLE, RUNNER_DRAINING},    {RUNNER_DEPLOYING, RUNNER_ALIVE},
		{RUNNER_DEPLOYING, RUNNER_IDLE},   {RUNNER_DEPLOYING, RUNNER_DRAINING},
		{RUNNER_ALIVE, RUNNER_IDLE},       {RUNNER_ALIVE, RUNNER_DRAINING},
		{RUNNER_DRAINING, RUNNER_ENDING},  {RUNNER_DRAINING, RUNNER_IDLE},
		{RUNNER_ENDING, RUNNER_DRAINING},  {RUNNER_ENDING, RUNNER_IDLE},
	};
	check_machine(list, ARRAY_LEN(list), RUNNER_STATE_COUNT, take_runner);
}

static void take_deployment(void *argument) {
	const struct transition *transition = argument;
	const struct deployment_record record = {.key = "dpl-1",
						 .module = "echo",
						 .language = "c",
						 .schema = STR(""),
						 .detail = ""};
	struct deployment *deployment = deployment_find_or_add(&stage.control, &record);
	deployment->phase = (enum deployment_phase)transition->from;
	deployment_set_phase(&stage.control, deployment, (enum deployment_phase)transition->to);
	assert_int_equal(deployment->phase, transition->to);
}

static void a_deployment_changes_its_phase_by_its_diagram(void **state UNUSED) {
	static const struct transition list[] = {
		{PHASE_NEW, PHASE_STARTING},       {PHASE_NEW, PHASE_LIVE},           {PHASE_STARTING, PHASE_FAILING},
		{PHASE_STARTING, PHASE_GATHERING}, {PHASE_STARTING, PHASE_DRAINING},  {PHASE_STARTING, PHASE_FAILED},
		{PHASE_FAILING, PHASE_GATHERING},  {PHASE_FAILING, PHASE_DRAINING},   {PHASE_FAILING, PHASE_FAILED},
		{PHASE_GATHERING, PHASE_ROUTING},  {PHASE_GATHERING, PHASE_DRAINING}, {PHASE_ROUTING, PHASE_GATHERING},
		{PHASE_ROUTING, PHASE_LIVE},       {PHASE_ROUTING, PHASE_DRAINING},   {PHASE_LIVE, PHASE_GATHERING},
		{PHASE_LIVE, PHASE_DRAINING},      {PHASE_DRAINING, PHASE_STOPPED},   {PHASE_DRAINING, PHASE_STARTING},
		{PHASE_FAILED, PHASE_STARTING},
	};
	check_machine(list, ARRAY_LEN(list), PHASE_COUNT, take_deployment);
}

static void take_registration(void *argument) {
	const struct transition *transition = argument;
	struct runner runner = {.liveness.state = (enum registration_state)transition->from};
	bool open = transition->to == REGISTRATION_OPEN;
	liveness_set_registration(&runner, (enum registration_state)transition->to, open ? 7 : 0);
	assert_int_equal(runner.liveness.registration, open ? 7 : 0);
}

static void a_registration_changes_by_its_diagram(void **state UNUSED) {
	static const struct transition list[] = {
		{REGISTRATION_NONE, REGISTRATION_OPEN},   {REGISTRATION_OPEN, REGISTRATION_CLOSED},
		{REGISTRATION_OPEN, REGISTRATION_BROKEN}, {REGISTRATION_CLOSED, REGISTRATION_OPEN},
		{REGISTRATION_BROKEN, REGISTRATION_OPEN},
	};
	check_machine(list, ARRAY_LEN(list), REGISTRATION_BROKEN + 1, take_registration);
}

static void take_ping(void *argument) {
	const struct transition *transition = argument;
	struct runner runner = {.liveness.ping = (enum ping_state)transition->from};
	liveness_set_ping(&runner, (enum ping_state)transition->to);
	assert_int_equal(runner.liveness.ping, transition->to);
}

static void a_ping_changes_by_its_diagram(void **state UNUSED) {
	static const struct transition list[] = {
		{PING_WAITING, PING_SENT},
		{PING_SENT, PING_WAITING},
		{PING_SENT, PING_STALE},
		{PING_STALE, PING_WAITING},
	};
	check_machine(list, ARRAY_LEN(list), PING_STALE + 1, take_ping);
}

static void take_control(void *argument) {
	const struct transition *transition = argument;
	struct control control;
	control_init(&control, &control_config_default, &stage.effects, 1000);
	control.state = (enum control_state)transition->from;
	control_set_state(&control, (enum control_state)transition->to);
	assert_int_equal(control.state, transition->to);
	control_deinit(&control);
}

static void the_control_side_changes_its_state_by_its_diagram(void **state UNUSED) {
	static const struct transition list[] = {
		{CONTROL_LOADING, CONTROL_RUNNING},
		{CONTROL_LOADING, CONTROL_STOPPING},
		{CONTROL_RUNNING, CONTROL_STOPPING},
		{CONTROL_STOPPING, CONTROL_STOPPED},
	};
	check_machine(list, ARRAY_LEN(list), CONTROL_STATE_COUNT, take_control);
}

static void people_see_the_states_of_the_wire(void **state UNUSED) {
	static const char *const runners[RUNNER_STATE_COUNT] = {
		"creating", "creating", "probing", "probing", "idle", "deploying", "alive", "draining", "draining",
	};
	for (int i = 0; i < RUNNER_STATE_COUNT; i++)
		assert_string_equal(runner_state_name((enum runner_state)i), runners[i]);
	static const enum deployment_state deployments[PHASE_COUNT] = {
		DEPLOYMENT_STARTING, DEPLOYMENT_STARTING, DEPLOYMENT_STARTING, DEPLOYMENT_LIVE,   DEPLOYMENT_LIVE,
		DEPLOYMENT_LIVE,     DEPLOYMENT_DRAINING, DEPLOYMENT_STOPPED,  DEPLOYMENT_FAILED,
	};
	for (int i = 0; i < PHASE_COUNT; i++)
		assert_int_equal(deployment_state(&(struct deployment){.phase = (enum deployment_phase)i}),
				 deployments[i]);
}

/* --- stories ------------------------------------------------------------------------------------------------------ */

static void wish(const char *key, const char *module, unsigned replicas) {
	const struct deployment_record record = {.key = key,
						 .module = module,
						 .language = "c",
						 .schema = STR(""),
						 .detail = ""};
	control_deployment_created(&stage.control, &record, replicas);
}

static void registers(uint64_t id, const char *key, const char *hosts) {
	char endpoint[KEY_MAX + 8];
	snprintf(endpoint, sizeof endpoint, "unix:/%s", key);
	control_register(&stage.control, &(struct registration){.id = id,
								.language = STR("c"),
								.endpoint = str_from(endpoint),
								.runner_key = str_from(key),
								.deployment_key = str_from(hosts)});
}

static void answers_ping(const char *key) {
	control_pinged(&stage.control, key, runner_find(&stage.control, key)->serial, NULL);
}

static int reports(const char *runner, const char *deployment, const char *end) {
	struct error err;
	return control_deployed(&stage.control,
				&(struct deployed){.runner_key = runner, .deployment_key = deployment, .end.why = end},
				&err);
}

static void publishes(void) {
	control_published(&stage.control, stage.published);
}

static enum runner_state state_of(const char *key) {
	const struct runner *runner = runner_find(&stage.control, key);
	assert_non_null(runner);
	return runner->state;
}

static enum deployment_phase phase_of(const char *key) {
	const struct deployment *deployment = control_deployment(&stage.control, str_from(key));
	assert_non_null(deployment);
	return deployment->phase;
}

static void load(const char *key, const char *module) {
	const struct deployment_record record = {.key = key,
						 .module = module,
						 .language = "c",
						 .schema = STR(""),
						 .detail = ""};
	control_load(&stage.control, &record, &(struct module_record){.replicas = 1}, true);
}

/* Every state, and every way between two of them, of Runners that the Platform has. */
static void the_life_of_managed_runners(void **state UNUSED) {
	char key[KEY_MAX];
	load("dpl-1", "echo");
	control_found(&stage.control, "rnr-a");
	control_found(&stage.control, "rnr-b");
	control_found(&stage.control, "rnr-c");
	control_found_draining(&stage.control, "rnr-b", 20000);
	control_begin(&stage.control, 1000);
	assert_int_equal(state_of("rnr-a"), RUNNER_FOUND);
	assert_int_equal(state_of("rnr-b"), RUNNER_ENDING); /* FOUND → ENDING */
	registers(1, "rnr-a", "dpl-1");
	assert_int_equal(state_of("rnr-a"), RUNNER_PROBING); /* FOUND → PROBING */
	answers_ping("rnr-a");
	assert_int_equal(state_of("rnr-a"), RUNNER_ALIVE); /* PROBING → CLAIMING → ALIVE */
	registers(2, "rnr-c", "dpl-1");
	answers_ping("rnr-c");
	assert_int_equal(state_of("rnr-c"), RUNNER_DRAINING); /* PROBING → CLAIMING → DRAINING */
	publishes();
	assert_int_equal(state_of("rnr-c"), RUNNER_ENDING); /* DRAINING → ENDING */
	registers(3, "rnr-b", "");
	assert_int_equal(state_of("rnr-b"), RUNNER_ENDING); /* ENDING → DRAINING → ENDING, as all routes are out */
	wish("dpl-2", "time", 1);
	snprintf(key, sizeof key, "%s", stage.created);
	assert_int_equal(state_of(key), RUNNER_CREATING);
	registers(4, key, "");
	assert_int_equal(state_of(key), RUNNER_PROBING); /* CREATING → PROBING */
	registers(5, "by-hand", "");
	answers_ping("by-hand");
	assert_int_equal(state_of("by-hand"), RUNNER_DEPLOYING); /* PROBING → IDLE → DEPLOYING */
	control_shut_down(&stage.control);
	assert_int_equal(state_of("rnr-a"), RUNNER_DRAINING); /* ALIVE → DRAINING */
	assert_int_equal(state_of(key), RUNNER_DRAINING); /* PROBING → DRAINING */
	publishes();
	assert_int_equal(state_of("rnr-a"), RUNNER_ENDING);
	assert_int_equal(state_of(key), RUNNER_ENDING);
	assert_int_equal(state_of("by-hand"), RUNNER_DEPLOYING);
}

/* The rest: those of a person go back to IDLE. */
static void the_life_of_a_runner_of_a_person(void **state UNUSED) {
	struct error err;
	load("dpl-0", "late");
	control_begin(&stage.control, 1000);
	registers(1, "one", "");
	answers_ping("one");
	assert_int_equal(state_of("one"), RUNNER_IDLE);
	assert_int_equal(reports("one", "dpl-0", ""), 0); /* it fetched it for the Backplane before */
	assert_int_equal(state_of("one"), RUNNER_ALIVE); /* IDLE → CLAIMING → ALIVE */
	assert_int_equal(control_scale(&stage.control, STR("late"), 0, &err), 0);
	publishes();
	assert_int_equal(state_of("one"), RUNNER_ENDING);
	assert_int_equal(reports("one", "dpl-0", "terminated"), 0);
	assert_int_equal(state_of("one"), RUNNER_IDLE); /* ENDING → IDLE */
	wish("dpl-1", "echo", 1);
	assert_int_equal(state_of("one"), RUNNER_DEPLOYING); /* IDLE → DEPLOYING */
	reports("one", "dpl-1", "exited");
	assert_int_equal(state_of("one"), RUNNER_IDLE); /* DEPLOYING → IDLE */
	wish("dpl-1", "echo", 1);
	publishes();
	control_kill(&stage.control, STR("echo"), (char[KEY_MAX]){0});
	assert_int_equal(state_of("one"), RUNNER_DRAINING); /* DEPLOYING → DRAINING: its routes are on their way */
	publishes();
	assert_int_equal(state_of("one"), RUNNER_ENDING);
	reports("one", "dpl-1", "terminated");
	wish("dpl-1", "echo", 1);
	reports("one", "dpl-1", "");
	assert_int_equal(state_of("one"), RUNNER_ALIVE); /* DEPLOYING → ALIVE */
	control_kill(&stage.control, STR("echo"), (char[KEY_MAX]){0});
	assert_int_equal(state_of("one"), RUNNER_DRAINING);
	reports("one", "dpl-1", "was killed");
	assert_int_equal(state_of("one"), RUNNER_IDLE); /* DRAINING → IDLE */
	wish("dpl-2", "time", 1);
	reports("one", "dpl-2", "");
	reports("one", "dpl-2", "was killed");
	assert_int_equal(state_of("one"), RUNNER_IDLE); /* ALIVE → IDLE */
}

static void an_idle_runner_that_is_not_needed_is_drained(void **state UNUSED) {
	char key[KEY_MAX];
	control_begin(&stage.control, 1000);
	wish("dpl-1", "echo", 1);
	snprintf(key, sizeof key, "%s", stage.created);
	control_kill(&stage.control, STR("echo"), (char[KEY_MAX]){0});
	registers(1, key, "");
	answers_ping(key);
	publishes();
	assert_int_equal(state_of(key), RUNNER_IDLE);
	control_advance(&stage.control, 1000 + control_config_default.idle_timeout_ms);
	control_tick(&stage.control);
	assert_int_equal(state_of(key), RUNNER_ENDING); /* IDLE → DRAINING → ENDING, as all routes are out */
}

static void the_life_of_deployments(void **state UNUSED) {
	struct error err;
	control_begin(&stage.control, 1000);
	for (unsigned i = 0; i < 3; i++) {
		const char *const keys[] = {"one", "two", "six"};
		registers(i + 1, keys[i], "");
		answers_ping(keys[i]);
	}
	wish("dpl-1", "echo", 1);
	assert_int_equal(phase_of("dpl-1"), PHASE_STARTING);
	reports("one", "dpl-1", "");
	assert_int_equal(phase_of("dpl-1"), PHASE_ROUTING); /* STARTING → GATHERING → ROUTING */
	reports("one", "dpl-1", "was killed");
	assert_int_equal(phase_of("dpl-1"), PHASE_GATHERING); /* ROUTING → GATHERING */
	control_advance(&stage.control, 2000);
	control_tick(&stage.control);
	reports("one", "dpl-1", "");
	publishes();
	assert_int_equal(phase_of("dpl-1"), PHASE_LIVE); /* ROUTING → LIVE */
	assert_int_equal(control_scale(&stage.control, STR("echo"), 2, &err), 0);
	assert_int_equal(phase_of("dpl-1"), PHASE_GATHERING); /* LIVE → GATHERING */
	wish("dpl-2", "echo", 2);
	assert_int_equal(state_of("six"), RUNNER_DEPLOYING);
	wish("dpl-3", "echo", 1);
	assert_int_equal(phase_of("dpl-3"), PHASE_STARTING);
	assert_int_equal(phase_of("dpl-2"), PHASE_DRAINING); /* STARTING → DRAINING */
	publishes();
	reports("six", "dpl-2", "terminated");
	assert_null(control_deployment(&stage.control, STR("dpl-2"))); /* DRAINING → STOPPED */
	assert_int_equal(phase_of("dpl-1"), PHASE_GATHERING);
	control_kill(&stage.control, STR("echo"), (char[KEY_MAX]){0});
	assert_int_equal(phase_of("dpl-1"), PHASE_DRAINING); /* GATHERING → DRAINING */
	wish("dpl-1", "echo", 1);
	assert_int_equal(phase_of("dpl-1"), PHASE_STARTING); /* DRAINING → STARTING */
}

/* Two replicas: the one fails, and the other has a moment to say how it does. */
static void the_life_of_deployments_that_fail(void **state UNUSED) {
	struct error err;
	control_begin(&stage.control, 1000);
	registers(1, "one", "");
	registers(2, "two", "");
	answers_ping("one");
	answers_ping("two");
	wish("dpl-1", "echo", 2);
	reports("one", "dpl-1", "exited");
	assert_int_equal(phase_of("dpl-1"), PHASE_FAILING); /* STARTING → FAILING */
	control_advance(&stage.control, 2000);
	control_tick(&stage.control);
	assert_int_equal(phase_of("dpl-1"), PHASE_FAILED); /* FAILING → FAILED */
	wish("dpl-1", "echo", 2);
	assert_int_equal(phase_of("dpl-1"), PHASE_STARTING); /* FAILED → STARTING */
	publishes();
	reports("two", "dpl-1", "terminated");
	assert_int_equal(state_of("one"), RUNNER_DEPLOYING);
	assert_int_equal(state_of("two"), RUNNER_DEPLOYING);
	reports("one", "dpl-1", "exited");
	control_kill(&stage.control, STR("echo"), (char[KEY_MAX]){0});
	assert_int_equal(phase_of("dpl-1"), PHASE_DRAINING); /* FAILING → DRAINING */
	publishes();
	reports("two", "dpl-1", "terminated");
	assert_null(control_deployment(&stage.control, STR("dpl-1"))); /* DRAINING → STOPPED */
	registers(3, "six", "");
	answers_ping("six");
	wish("dpl-1", "echo", 3);
	reports("one", "dpl-1", "");
	reports("two", "dpl-1", "exited");
	assert_int_equal(phase_of("dpl-1"), PHASE_FAILING);
	assert_int_equal(control_scale(&stage.control, STR("echo"), 1, &err), 0);
	assert_int_equal(phase_of("dpl-1"), PHASE_ROUTING); /* FAILING → GATHERING → ROUTING */
	control_kill(&stage.control, STR("echo"), (char[KEY_MAX]){0});
	assert_int_equal(phase_of("dpl-1"), PHASE_DRAINING); /* ROUTING → DRAINING */
	wish("dpl-2", "time", 1);
	reports(runner_find(&stage.control, "two")->state == RUNNER_DEPLOYING ? "two" : "six", "dpl-2", "exited");
	assert_null(control_deployment(&stage.control, STR("dpl-2"))); /* STARTING → FAILED, with nothing left of it */
	assert_int_equal(control_module(&stage.control, STR("time"))->failed.state, DEPLOYMENT_FAILED);
}

#define STAGE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		STAGE_TEST(a_runner_changes_its_state_by_its_diagram),
		STAGE_TEST(a_deployment_changes_its_phase_by_its_diagram),
		STAGE_TEST(a_registration_changes_by_its_diagram),
		STAGE_TEST(a_ping_changes_by_its_diagram),
		STAGE_TEST(the_control_side_changes_its_state_by_its_diagram),
		STAGE_TEST(people_see_the_states_of_the_wire),
		STAGE_TEST(the_life_of_managed_runners),
		STAGE_TEST(the_life_of_a_runner_of_a_person),
		STAGE_TEST(an_idle_runner_that_is_not_needed_is_drained),
		STAGE_TEST(the_life_of_deployments),
		STAGE_TEST(the_life_of_deployments_that_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
