/* SPDX-License-Identifier: Apache-2.0 */
/* A Runner without the command line, for tests that want limits of its own. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "runner/runner.h"

static uint64_t number(const char *name, uint64_t otherwise) {
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv) {
	if (argc != 5)
		return 2;
	log_init(LOG_DEBUG, "runner");
	const struct runner_options options = {
		.backplane = argv[1],
		.bind = argv[2],
		.language = argv[3],
		.work_folder = argv[4],
		.key = getenv("KEY"),
		.start_timeout_ms = number("START_TIMEOUT_MS", 30000),
		.orphan_timeout_ms = number("ORPHAN_TIMEOUT_MS", 120000),
		.kill_timeout_ms = number("KILL_TIMEOUT_MS", 10000),
	};
	struct error err;
	if (runner_run(&options, &err) == 0)
		return 0;
	fprintf(stderr, "failed: %s: %s\n", code_name(err.code), err.msg);
	return 1;
}
