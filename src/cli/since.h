/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `ftl logs` and `ftl events` have in common: from when on, and how many.
 */
#pragma once

#include "cli/cli.h"

/* The entries of an option table whose struct has tail, since and utc. what: "events" */
#define SINCE_OPTIONS(type, what)                                                                           \
	{.name = "tail",                                                                                    \
	 .letter = 'n',                                                                                     \
	 .kind = ARGS_TEXT,                                                                                 \
	 .offset = offsetof(type, range.tail),                                                              \
	 .value = "N",                                                                                      \
	 .help = "start with the last N " what " (default 100, with --since all)"},                         \
		{.name = "since",                                                                           \
		 .letter = 's',                                                                             \
		 .kind = ARGS_TEXT,                                                                         \
		 .offset = offsetof(type, range.since),                                                     \
		 .value = "TIME",                                                                           \
		 .help = "leave out older " what ": 10m, 2h, 1d, or a time such as\n2026-01-31T08:00:00Z"}, \
	{                                                                                                   \
		.name = "utc", .kind = ARGS_FLAG, .offset = offsetof(type, range.utc),                      \
		.help = "show times in UTC on a terminal too"                                               \
	}

struct since_range {
	const char *tail, *since; /* NULL: not given */
	bool utc;
};

/* Reads both. Returns the exit code. *ret_since_ms is 0 without --since. */
int since_read(const struct cli *cli, const struct since_range *range, uint32_t *ret_tail, int64_t *ret_since_ms);
