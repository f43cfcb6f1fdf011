/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is told to callers of a module of which nothing is alive.
 */
#pragma once

#include "control/model.h"

/* Whether calls may wait: a replica was alive before, and the next attempt comes within a second. */
bool control_module_is_awaited(const struct control *control, const struct module *module);

/* Why no call reaches the module just now, in plain words. Returns the reason, one of base/reasons.h. */
const char *control_module_problem(const struct control *control, const struct module *module, char *ret_text,
				   size_t size);
