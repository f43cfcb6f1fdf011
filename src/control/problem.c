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
