/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/agent_effects.h"

#include <stdarg.h>
#include <stdio.h>

void agent_log(struct agent_effects *effects, enum log_level level, const char *format, ...) {
	char text[ERROR_TEXT_MAX * 2];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	effects->ops->log(effects, level, text);
}

bool agent_code_is_passing(enum code code) {
	return code == CODE_UNAVAILABLE || code == CODE_DEADLINE_EXCEEDED || code == CODE_CANCELLED ||
	       code == CODE_ABORTED || code == CODE_RESOURCE_EXHAUSTED || code == CODE_UNKNOWN;
}
