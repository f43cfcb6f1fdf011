/* SPDX-License-Identifier: Apache-2.0 */
#include "control/model.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "schema/packed.h"

const struct control_config control_config_default = {
	.warm = 1,
	.create_timeout_ms = 10000,
	.silence_ms = 4500,
	.deploy_timeout_ms = 600000,
	.drain_timeout_ms = 30000,
	.kill_timeout_ms = 15000,
	.idle_timeout_ms = 30000,
	.adopt_timeout_ms = 1500,
	.attempts_max = 3,
	.retry_max_ms = 60000,
	.stable_ms = 5000,
};

/* --- Runners ------------------------------------------------------------------------------------------------------ */

struct runner *runner_find(const struct control *control, const char *key) {
	return map_get(&control->books.runners, str_from(key));
}

struct runner *runner_find_by_endpoint(const struct control *control, struct str endpoint) {
	LIST_FOREACH(link, &control->books.all_runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		if (runner->endpoint != NULL && str_eq_c(endpoint, runner->endpoint))
			return runner;
	}
	return NULL;
}

struct runner *runner_find_by_registration(const struct control *control, uint64_t registration) {
	LIST_FOREACH(link, &control->books.all_runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		if (runner->liveness.state == REGISTRATION_OPEN && runner->liveness.registration == registration)
			return runner;
	}
	return NULL;
}

struct runner *runner_find_idle(const struct control *control, const char *language) {
	LIST_FOREACH(link, &control->books.all_runners) {
		struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		if (runner->state == RUNNER_IDLE && strcmp(runner->language, language) == 0)
			return runner;
	}
	return NULL;
}

void runner_free(struct runner *runner) {
	free(runner->endpoint);
	free(runner);
}

/* --- modules and languages ---------------------------------------------------------------------------------------- */

struct module_record module_row(const struct module *module) {
	return (struct module_record){.name = module->name,
				      .active_key = module->active ? module->active->key : "",
				      .next_key = module->next ? module->next->key : "",
				      .replicas = module->replicas,
				      .next_replicas = module->next_replicas,
				      .active_ms = module->active_wall_ms,
				      .active_origin = module->active_origin,
				      .next_origin = module->next_origin};
}

struct module *module_find_or_add(struct control *control, const char *name) {
	struct module *module = map_get(&control->books.modules, str_from(name));
	if (module != NULL)
		return module;
	module = mem_zalloc(sizeof *module);
	module->name = mem_strdup(name);
	module->replicas = 1;
	list_init(&module->in_dirty);
	list_init(&module->in_unreconciled);
	list_append(&control->books.all_modules, &module->in_control);
	map_put(&control->books.modules, str_from(name), module);
	return module;
}

static void module_free(struct module *module) {
	free(module->name);
	free(module->failure);
	free(module->failed.detail);
	free(module->stopped.detail);
	free(module);
}

struct language *language_find_or_add(struct control *control, const char *name) {
	struct language *language = map_get(&control->books.languages, str_from(name));
	if (language != NULL)
		return language;
	language = mem_zalloc(sizeof *language);
	snprintf(language->name, sizeof language->name, "%s", name);
	list_init(&language->deployments);
	list_append(&control->books.all_languages, &language->in_control);
	map_put(&control->books.languages, str_from(name), language);
	return language;
}

void module_mark_unreconciled(struct control *control, struct module *module) {
	control->marks.needs_reconcile = true;
	if (list_is_empty(&module->in_unreconciled))
		list_append(&control->marks.unreconciled, &module->in_unreconciled);
}

void module_mark_dirty(struct control *control, struct module *module) {
	module_mark_unreconciled(control, module);
	if (list_is_empty(&module->in_dirty))
		list_append(&control->routes.dirty, &module->in_dirty);
}

uint64_t routes_drafted_version(const struct control *control) {
	return control->routes.version + !list_is_empty(&control->routes.dirty);
}

/* --- deployments -------------------------------------------------------------------------------------------------- */

/* Shared by the needs of all deployments that were checked against one, which may have ended long ago. */
struct needed_schema {
	struct packed_schema *schema;
	size_t users;
};

static struct packed_schema *schema_of(struct control *control, const char *key, struct str bytes) {
	const struct deployment *deployment = map_get(&control->books.deployments, str_from(key));
	const struct needed_schema *needed = map_get(&control->books.needed, str_from(key));
	if (deployment != NULL)
		return packed_schema_ref(deployment->schema);
	return needed != NULL ? packed_schema_ref(needed->schema) : packed_schema_new(bytes);
}

static void need_init(struct control *control, struct need *need, const struct need_record *record) {
	struct needed_schema *needed = map_get(&control->books.needed, str_from(record->key));
	if (needed == NULL) {
		needed = mem_zalloc(sizeof *needed);
		needed->schema = schema_of(control, record->key, record->schema);
		map_put(&control->books.needed, str_from(record->key), needed);
	}
	needed->users++;
	need->module = mem_strdup(record->module);
	snprintf(need->key, sizeof need->key, "%s", record->key);
	need->schema = packed_schema_ref(needed->schema);
}

static void need_deinit(struct control *control, struct need *need) {
	struct needed_schema *needed = map_get(&control->books.needed, str_from(need->key));
	if (--needed->users == 0) {
		map_remove(&control->books.needed, str_from(need->key));
		packed_schema_unref(needed->schema);
		free(needed);
	}
	packed_schema_unref(need->schema);
	free(need->module);
}

struct deployment *deployment_find_or_add(struct control *control, const struct deployment_record *record) {
	struct deployment *deployment = map_get(&control->books.deployments, str_from(record->key));
	if (deployment != NULL)
		return deployment;
	deployment = mem_zalloc(sizeof *deployment);
	snprintf(deployment->key, sizeof deployment->key, "%s", record->key);
	snprintf(deployment->language, sizeof deployment->language, "%s", record->language);
	deployment->schema = schema_of(control, record->key, record->schema);
	deployment->need_count = record->need_count;
	deployment->needs = mem_zalloc(MAX(record->need_count, (size_t)1) * sizeof *deployment->needs);
	for (size_t i = 0; i < record->need_count; i++)
		need_init(control, &deployment->needs[i], &record->needs[i]);
	deployment->detail = mem_strdup("");
	deployment->module = module_find_or_add(control, record->module);
	list_init(&deployment->runners);
	list_init(&deployment->in_ending);
	list_init(&deployment->in_language);
	map_put(&control->books.deployments, str_from(record->key), deployment);
	return deployment;
}

void deployment_free(struct control *control, struct deployment *deployment) {
	for (size_t i = 0; i < deployment->need_count; i++)
		need_deinit(control, &deployment->needs[i]);
	free(deployment->needs);
	packed_schema_unref(deployment->schema);
	free(deployment->detail);
	free(deployment->last_failure);
	free(deployment->failing.first);
	free(deployment);
}

void ended_clear(struct ended *ended) {
	free(ended->detail);
	*ended = (struct ended){0};
}

void ended_set(struct ended *ended, const char *key, const char *language, enum deployment_state state,
	       const char *detail, int64_t since_wall_ms) {
	ended_clear(ended);
	snprintf(ended->key, sizeof ended->key, "%s", key);
	snprintf(ended->language, sizeof ended->language, "%s", language);
	ended->state = state;
	ended->detail = mem_strdup(detail);
	ended->since_wall_ms = since_wall_ms;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void control_init(struct control *control, const struct control_config *config, struct effects *effects,
		  uint64_t now_ms) {
	*control = (struct control){.config = *config, .effects = effects};
	control->time.now_ms = now_ms;
	control->time.adopt_until_ms = now_ms + config->adopt_timeout_ms;
	map_init(&control->books.runners);
	map_init(&control->books.deployments);
	map_init(&control->books.needed);
	map_init(&control->books.modules);
	map_init(&control->books.languages);
	map_init(&control->books.platform_keys);
	list_init(&control->books.all_runners);
	list_init(&control->books.all_modules);
	list_init(&control->books.all_languages);
	list_init(&control->routes.dirty);
	list_init(&control->marks.unreconciled);
	list_init(&control->marks.runners);
	list_init(&control->marks.ending);
}

void control_set_state(struct control *control, enum control_state state) {
	static const unsigned allowed[CONTROL_STATE_COUNT] = {
		[CONTROL_LOADING] = 1u << CONTROL_RUNNING | 1u << CONTROL_STOPPING,
		[CONTROL_RUNNING] = 1u << CONTROL_STOPPING,
		[CONTROL_STOPPING] = 1u << CONTROL_STOPPED,
		[CONTROL_STOPPED] = 0,
	};
	ASSERT(allowed[control->state] & (1u << state));
	control->state = state;
	control->marks.needs_reconcile = true;
}

void control_deinit(struct control *control) {
	LIST_FOREACH(link, &control->books.all_runners)
		runner_free(LIST_ENTRY(link, struct runner, in_control));
	for (size_t cursor = 0;;) {
		struct deployment *deployment = map_next(&control->books.deployments, &cursor);
		if (deployment == NULL)
			break;
		deployment_free(control, deployment);
	}
	LIST_FOREACH(link, &control->books.all_modules)
		module_free(LIST_ENTRY(link, struct module, in_control));
	LIST_FOREACH(link, &control->books.all_languages)
		free(LIST_ENTRY(link, struct language, in_control));
	for (size_t cursor = 0;;) {
		char *key = map_next(&control->books.platform_keys, &cursor);
		if (key == NULL)
			break;
		free(key);
	}
	heap_deinit(&control->time.due_runners);
	map_deinit(&control->books.runners);
	map_deinit(&control->books.deployments);
	map_deinit(&control->books.needed);
	map_deinit(&control->books.modules);
	map_deinit(&control->books.languages);
	map_deinit(&control->books.platform_keys);
}
