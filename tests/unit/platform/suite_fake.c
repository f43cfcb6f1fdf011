/* SPDX-License-Identifier: Apache-2.0 */
#include "../../platform/fake.h"
#include "suite.h"

int main(void) {
	return platform_suite_run(&(struct platform_suite){
		.name = "fake",
		.driver = &platform_fake,
		.options = "latency-ms=2",
		.program = "/usr/bin/ftl",
		.broken_program = FAKE_BROKEN_PROGRAM,
		.end = fake_end,
		.runs = fake_runs,
		.clean_up = fake_free,
	});
}
