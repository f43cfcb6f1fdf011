/* SPDX-License-Identifier: Apache-2.0 */
#include "control/problem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/reasons.h"
#include "control/deployment.h"

static const struct language *language_of(const struct control *control, const struct deployment *deployment) {
	return map_get(&control->books.languages, str_from(deployment->language));
}

bool control_module_is_awaited(const struct control *control, const struct module *module) {
	/* The attempt after so many failures comes within a second. */
	enum { FAILURES_MAX = 4 };
	const struct deployment *deployment = module->active;
	if (deployment == NULL || deployment->alive > 0 || module->replicas == 0 || deployment->failures > FAILURES_MAX)
		return false;
	const struct language *language = language_of(control, deployment);
	return language == NULL || language->problem[0] == '\0';
}

struct problem_text {
	char *ptr;
	size_t size;
};

static const char *say(struct problem_text text, const char *reason, const char *format, ...) PRINTF_LIKE(3, 4);

static const char *say(struct problem_text text, const char *reason, const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(text.ptr, text.size, format, args);
	va_end(args);
	return reason;
}

/* The deployment has replicas that are wanted. */
static const char *say_what_it_waits_for(const struct control *control, const struct deployment *deployment,
					 struct problem_text text) {
	const struct language *language = language_of(control, deployment);
	uint64_t now_ms = control->time.now_ms;
	if (language != NULL && language->problem[0] != '\0' && deployment_assigned(deployment) == 0)
		return say(text, REASON_NO_RUNNER, "%s waits for a Runner for %s: %s", deployment->key, language->name,
			   language->problem);
	if (deployment->retry_due_ms > now_ms)
		return say(text, REASON_BACKING_OFF,
			   "%s failed %u times in a row, and is tried again in %" PRIu64 " s: %s", deployment->key,
			   deployment->failures, (deployment->retry_due_ms - now_ms + 999) / 1000, deployment->detail);
	if (deployment->failures > 0 && deployment->detail[0] != '\0')
		return say(text, REASON_STARTING, "%s is starting again: %s", deployment->key, deployment->detail);
	return say(text, REASON_STARTING, "%s is starting", deployment->key);
}

const char *control_module_problem(const struct control *control, const struct module *module, char *ret_text,
				   size_t size) {
	const struct deployment *active = module->active, *next = module->next;
	const struct deployment *deployment = active != NULL && (module->replicas > 0 || next == NULL) ? active : next;
	struct problem_text text = {ret_text, size};
	if (deployment == NULL && module->failure != NULL)
		return say(text, REASON_FAILED, "%s", module->failure);
	if (deployment == NULL)
		return say(text, REASON_STOPPED, "it was stopped");
	if (deployment_wanted(deployment) == 0)
		return say(text, REASON_SCALED_TO_ZERO, "it is scaled to 0");
	return say_what_it_waits_for(control, deployment, text);
}

static bool has_young_replica(const struct control *control, const struct deployment *deployment) {
	LIST_FOREACH(link, &deployment->runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_deployment);
		if (runner->state == RUNNER_ALIVE &&
		    control->time.now_ms - runner->alive_since_ms < control->config.stable_ms)
			return true;
	}
	return false;
}

static const char *times(const struct deployment *deployment, char ret_text[24]) {
	snprintf(ret_text, 24, "%u time%s", deployment->failures, deployment->failures == 1 ? "" : "s");
	return ret_text;
}

bool control_module_is_unstable(const struct control *control, const struct module *module, char *ret_text,
				size_t size) {
	const struct deployment *active = module->active;
	char count[24];
	if (active == NULL || module->replicas == 0 || active->alive < module->replicas || active->failures == 0 ||
	    active->last_failure == NULL || !has_young_replica(control, active))
		return false;
	snprintf(ret_text, size,
		 "%s has all %u replicas alive, but one was started again just now: %s failed %s in a row: %s",
		 module->name, module->replicas, active->key, times(active, count), active->last_failure);
	return true;
}

bool control_module_comes_up_badly(const struct module *module, char *ret_text, size_t size) {
	const struct deployment *next = module->next;
	char count[24];
	if (next == NULL || next->failures == 0 || next->last_failure == NULL)
		return false;
	snprintf(ret_text, size, "%s: %s is being brought up, and failed %s in a row: %s", module->name, next->key,
		 times(next, count), next->last_failure);
	return true;
}
