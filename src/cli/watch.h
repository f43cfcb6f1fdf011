/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits until a deployment is live and shows its steps as they happen: deploy, rollback, scale.
 */
#pragma once

#include "cli/cli.h"

struct watch {
	const char *module, *key;
	uint64_t timeout_ms; /* 0: none */
	bool verbose; /* shows the steps even if standard error is no terminal */
	int64_t first_step_ms; /* set by the watch; callers pass 0 */
	uint64_t lost_ms; /* set by the watch, callers pass 0: since when there is no Backplane */
};

/* The entries of an option table whose struct has no_wait, verbose and timeout_ms. */
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

/* Waits if wait is set and prints the outcome: "echo: dpl-… is live (2 replicas)"; without wait prints otherwise. */
int watch_and_tell(struct cli *cli, const struct watch *watch, bool wait, const char *otherwise, struct error *err);

/* The number of replicas that are alive, for messages; 0 when the Backplane cannot tell. */
unsigned watch_count_alive(struct cli *cli, const char *deployment_key);
