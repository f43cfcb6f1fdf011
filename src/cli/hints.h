/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hints for errors: what the user can do about them on the command line. Servers send reasons (base/reasons.h), and name
 * no option and no command in their texts, as SDKs and web pages show these errors as well.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"

/* The hint for the reason of err, in arena; NULL: there is none. module: the one that the command is about; NULL: none.
 */
const char *hint_for(const struct error *err, const char *module, struct arena *arena);
