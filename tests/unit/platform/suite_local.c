/* SPDX-License-Identifier: Apache-2.0 */
#include "local_processes.h"
#include "platform/local/local.h"
#include "suite.h"

static void end(const char *folder, const char *key) {
	kill(find_runner(folder, key), SIGKILL);
}

static bool is_running(const char *folder, const char *key) {
	return find_runner(folder, key) != 0;
}

int main(void) {
	return platform_suite_run(&(struct platform_suite){
		.name = "local",
		.driver = &platform_local,
		.options = "",
		.program = getenv("TINY_RUNNER"),
		.broken_program = "/nowhere/ftl",
		.end = end,
		.runs = is_running,
		.clean_up = kill_processes,
	});
}
