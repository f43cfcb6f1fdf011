/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <stdio.h>
#include <stdlib.h>

struct stage *stage;

static void note(const char *format, ...) PRINTF_LIKE(1, 2);

static void note(const char *format, ...) {
	char line[512];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	assert_int_equal(buf_printf(&stage->log, "%s\n", line), 0);
}

static uint64_t out_random(struct effects *effects UNUSED) {
	return ++stage->random;
}

static int64_t out_wall_ms(struct effects *effects UNUSED) {
	return (int64_t)stage->now_ms;
}

static void out_create(struct effects *effects UNUSED, const char *runner_key, const char *language) {
	snprintf(stage->last_created, sizeof stage->last_created, "%s", runner_key);
	note("create %s", language);
}

static void out_destroy(struct effects *effects UNUSED, const char *runner_key UNUSED) {
	note("destroy");
}

static void out_ping(struct effects *effects UNUSED, const struct runner *runner, uint64_t timeout_ms) {
	assert_int_equal(timeout_ms, control_config_default.silence_ms / 3);
	note("ping %s", runner->endpoint);
}

static void out_deploy(struct effects *effects UNUSED, const struct runner *runner,
		       const struct deployment *deployment) {
	note("deploy %s to %s", deployment->key, runner->endpoint);
}

static void out_terminate(struct effects *effects UNUSED, const struct runner *runner, const char *deployment_key,
			  uint64_t grace_ms UNUSED) {
	note("terminate %s at %s", deployment_key ? deployment_key : "all", runner->endpoint);
}

static void out_accept(struct effects *effects UNUSED, uint64_t registration, const struct runner *runner UNUSED) {
	note("accept %d", (int)registration);
}

static void out_refuse(struct effects *effects UNUSED, uint64_t registration, const struct error *why) {
	note("refuse %d: %s", (int)registration, code_name(why->code));
}

static void out_save(struct effects *effects UNUSED, const struct store_change *change) {
	bool has_active = change->module != NULL && change->module->active_key[0] != '\0';
	note("save %s %s / %s", change->deployment_key ? change->deployment_key : "-",
	     change->deployment_key ? deployment_state_name(change->state) : "-",
	     has_active ? change->module->active_key : "-");
}

static void out_route(struct effects *effects UNUSED, const struct module *module) {
	note("route %s to %d", module->name, module->active ? (int)module->active->alive : -1);
}

static void out_publish(struct effects *effects UNUSED, uint64_t version) {
	stage->published = version;
}

static void out_event(struct effects *effects UNUSED, const struct control_event *event) {
	if (event->retry_in_ms > 0)
		stage->retry_in_ms = event->retry_in_ms;
	if (event->runner == NULL)
		note("%s: %s", event->deployment->key, event->cause.why);
	else
		assert_int_equal(buf_printf(&stage->told, "%d %s %s: %s\n", event->kind, event->runner->key,
					    event->deployment ? event->deployment->key : "-", event->cause.why),
				 0);
}

static void out_all_gone(struct effects *effects UNUSED) {
	note("all gone");
}

static void set_ops(struct effects_ops *ops) {
	*ops = effects_noop;
	ops->random = out_random;
	ops->wall_ms = out_wall_ms;
	ops->create = out_create;
	ops->destroy = out_destroy;
	ops->ping = out_ping;
	ops->deploy = out_deploy;
	ops->terminate = out_terminate;
	ops->accept = out_accept;
	ops->refuse = out_refuse;
	ops->save = out_save;
	ops->route = out_route;
	ops->publish = out_publish;
	ops->event = out_event;
	ops->all_gone = out_all_gone;
}

int stage_set_up_loading(void **state UNUSED) {
	stage = calloc(1, sizeof *stage);
	stage->log = BUF_INIT(KIB(64));
	stage->told = BUF_INIT(KIB(64));
	set_ops(&stage->ops);
	stage->effects.ops = &stage->ops;
	stage->now_ms = 1000000;
	struct control_config config = control_config_default;
	config.warm = 0;
	control_init(&stage->control, &config, &stage->effects, stage->now_ms);
	return 0;
}

int stage_set_up(void **state) {
	stage_set_up_loading(state);
	control_begin(&stage->control, stage->now_ms);
	return 0;
}

int stage_tear_down(void **state UNUSED) {
	control_deinit(&stage->control);
	buf_deinit(&stage->log);
	buf_deinit(&stage->told);
	free(stage);
	return 0;
}

/* --- what a test does --------------------------------------------------------------------------------------------- */

void expect(const char *lines) {
	struct str seen = buf_view(&stage->log);
	if (!str_eq_c(seen, lines))
		fail_msg("expected:\n%s\ngot:\n%.*s", lines, STR_ARG(seen));
	buf_clear(&stage->log);
}

const char *log_text(void) {
	char *end = buf_reserve(&stage->log, 1);
	assert_non_null(end);
	*end = '\0';
	return buf_view(&stage->log).ptr;
}

void expect_told(const char *lines) {
	struct str seen = buf_view(&stage->told);
	if (!str_eq_c(seen, lines))
		fail_msg("expected:\n%s\ngot:\n%.*s", lines, STR_ARG(seen));
	buf_clear(&stage->told);
}

void forget_log(void) {
	buf_clear(&stage->log);
}

void pass(uint64_t ms) {
	stage->now_ms += ms;
	control_advance(&stage->control, stage->now_ms);
	control_tick(&stage->control);
}

void deploy(const char *key, const char *module, unsigned replicas) {
	const struct deployment_record record = {.key = key,
						 .module = module,
						 .language = "c",
						 .schema = STR(""),
						 .detail = ""};
	control_deployment_created(&stage->control, &record, replicas);
}

void register_runner(uint64_t id, const char *endpoint, const char *key, const char *hosts) {
	control_register(&stage->control, &(struct registration){.id = id,
								 .language = STR("c"),
								 .endpoint = str_from(endpoint),
								 .runner_key = str_from(key),
								 .deployment_key = str_from(hosts)});
}

void pinged(const char *key, const struct error *err) {
	struct runner *runner = map_get(&stage->control.books.runners, str_from(key));
	assert_non_null(runner);
	if (runner->liveness.ping == PING_WAITING) {
		liveness_set_ping(runner, PING_SENT);
		runner->liveness.ping_sent_ms = stage->now_ms;
	}
	control_pinged(&stage->control, key, runner->serial, err);
}

void bring_runner(uint64_t id, const char *key) {
	char endpoint[KEY_MAX + 8];
	snprintf(endpoint, sizeof endpoint, "unix:/%s", key);
	register_runner(id, endpoint, key, "");
	pinged(key, NULL);
}

void report(const char *runner, const char *deployment, const char *error) {
	struct error err;
	const struct deployed deployed = {.runner_key = runner, .deployment_key = deployment, .end.why = error};
	assert_int_equal(control_deployed(&stage->control, &deployed, &err), 0);
}

unsigned alive_of(const char *key) {
	return control_deployment(&stage->control, str_from(key))->alive;
}

void publish(void) {
	control_published(&stage->control, stage->published);
}

uint64_t attempt_of(const char *key) {
	const struct runner *runner = map_get(&stage->control.books.runners, str_from(key));
	assert_non_null(runner);
	return runner->attempt;
}

void report_attempt(const char *runner, const char *deployment, uint64_t attempt, const char *error,
		    bool runner_fault) {
	struct error err;
	const struct deployed deployed = {.runner_key = runner,
					  .deployment_key = deployment,
					  .attempt = attempt,
					  .end.why = error,
					  .runner_fault = runner_fault};
	assert_int_equal(control_deployed(&stage->control, &deployed, &err), 0);
}
