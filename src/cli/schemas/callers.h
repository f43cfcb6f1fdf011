/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which deployed modules call a module, by the +calls of their schemas, and the question that stopping it raises.
 */
#pragma once

#include "cli/cli.h"

/* The names of the other modules that call the module, ", " between them, in the arena of cli; "": none, or the schemas
 * cannot be had. */
const char *callers_of(struct cli *cli, const char *module);

/* On a terminal, asks whether the module may be stopped although others call it. Returns -1 (Cancelled) after a no.
 * what: "stop". Does not ask when yes is set, when nobody calls the module, or when no person is there to ask. */
int callers_confirm(struct cli *cli, const char *module, const char *what, bool yes, struct error *err);

/* The entry of an option table whose struct has yes. */
#define CALLERS_OPTION(type)                                                                    \
	{                                                                                       \
		.name = "yes", .letter = 'y', .kind = ARGS_FLAG, .offset = offsetof(type, yes), \
		.help = "do not ask, although other modules call it",                           \
	}
