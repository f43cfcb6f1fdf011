/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is told to callers of a module of which nothing is alive, and to people of one that is not as it should be.
 */
#pragma once

#include "control/model.h"

/* Whether calls may wait: a replica was alive before, and the next attempt comes within a second. */
bool control_module_is_awaited(const struct control *control, const struct module *module);

/* Why no call reaches the module just now, in plain words. Returns the reason, one of base/reasons.h. */
const char *control_module_problem(const struct control *control, const struct module *module, char *ret_text,
				   size_t size);

/* Whether replicas of the active deployment fail again and again, though just now all are alive: the text says how
 * often and why. */
bool control_module_is_unstable(const struct control *control, const struct module *module, char *ret_text,
				size_t size);

/* The same for the next deployment, which is brought up again after failures. */
bool control_module_comes_up_badly(const struct module *module, char *ret_text, size_t size);
