/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include "suite_fixture.h"

enum { TESTS_MAX = 64 };

/* One run for all groups, as a test program may print one plan only. */
int store_suite_run(const struct suite_backend *backend) {
	const struct suite_group *groups[] = {&suite_deployments, &suite_changes, &suite_events};
	struct CMUnitTest tests[TESTS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		ASSERT(groups[i]->count <= TESTS_MAX - count);
		memcpy(tests + count, groups[i]->tests, groups[i]->count * sizeof *tests);
		count += groups[i]->count;
	}
	fixture_use(backend);
	return _cmocka_run_group_tests(backend->name, tests, count, NULL, NULL);
}
