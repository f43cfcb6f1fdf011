/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits until a deployment is live, and shows its steps as they happen. For the commands that bring one up.
 */
#pragma once

#include "cli/cli.h"

struct watch {
	const char *module, *key;
	uint64_t timeout_ms; /* 0: none */
	bool verbose; /* steps are shown also if standard error is no terminal */
	int64_t first_step_ms; /* the watcher's own; 0 */
	uint64_t lost_ms; /* the same: since when the Backplane is gone */
};

/* Of a struct with no_wait, verbose and timeout_ms. */
#define WATCH_OPTIONS(type)                                                                             \
	{.name = "no-wait",                                                                             \
	 .kind = ARGS_FLAG,                                                                             \
	 .offset = offsetof(type, no_wait),                                                             \
	 .help = "do not wait until calls reach it"},                                                   \
		{.name = "timeout",                                                                     \
		 .letter = 't',                                                                         \
		 .kind = ARGS_DURATION,                                                                 \
		 .offset = offsetof(type, timeout_ms),                                                  \
		 .value = "DURATION",                                                                   \
		 .standard = "60s",                                                                     \
		 .help = "how long to wait for that; 0: for ever"},                                     \
	{                                                                                               \
		.name = "verbose", .letter = 'v', .kind = ARGS_FLAG, .offset = offsetof(type, verbose), \
		.help = "show each step also if standard error is no terminal"                          \
	}

int watch_until_live(struct cli *cli, const struct watch *watch, struct error *err);

/* Waits if so wanted, then tells what became of it: "echo: dpl-… is live (2 replicas)", else with `otherwise`. */
int watch_and_tell(struct cli *cli, const struct watch *watch, bool wait, const char *otherwise, struct error *err);

/* How many of its replicas are alive, to tell. 0: it cannot be told. */
unsigned watch_count_alive(struct cli *cli, const char *deployment_key);
