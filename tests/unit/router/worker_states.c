/* SPDX-License-Identifier: Apache-2.0 */
/* The states of a worker and of its control link. */
#include "cmocka_test.h"

#include "dies.h"
#include "router/worker.h"

static void check_worker(void *states) {
	const enum worker_state *pair = states;
	worker_check(pair[0], pair[1]);
}

static void check_link(void *states) {
	const enum control_link_state *pair = states;
	control_link_check(pair[0], pair[1]);
}

static void a_worker_that_drains_or_leaves_does_not_serve_again(void **state UNUSED) {
	static enum worker_state missing[][2] = {{WORKER_SERVING, WORKER_STARTING},  {WORKER_DRAINING, WORKER_SERVING},
						 {WORKER_DRAINING, WORKER_DRAINING}, {WORKER_LEAVING, WORKER_SERVING},
						 {WORKER_LEAVING, WORKER_DRAINING},  {WORKER_LEAVING, WORKER_LEAVING}};
	for (size_t i = 0; i < ARRAY_LEN(missing); i++)
		assert_dies(check_worker, missing[i]);
	worker_check(WORKER_STARTING, WORKER_SERVING);
	worker_check(WORKER_STARTING, WORKER_DRAINING);
	worker_check(WORKER_STARTING, WORKER_LEAVING);
	worker_check(WORKER_SERVING, WORKER_DRAINING);
	worker_check(WORKER_SERVING, WORKER_LEAVING);
	worker_check(WORKER_DRAINING, WORKER_LEAVING);
}

static void a_link_is_paused_before_it_is_redirected(void **state UNUSED) {
	static enum control_link_state missing[][2] = {{CONTROL_HERE, CONTROL_ELSEWHERE},
						       {CONTROL_HERE, CONTROL_HERE},
						       {CONTROL_PAUSED, CONTROL_PAUSED},
						       {CONTROL_ELSEWHERE, CONTROL_HERE},
						       {CONTROL_ELSEWHERE, CONTROL_PAUSED}};
	for (size_t i = 0; i < ARRAY_LEN(missing); i++)
		assert_dies(check_link, missing[i]);
	control_link_check(CONTROL_HERE, CONTROL_PAUSED);
	control_link_check(CONTROL_PAUSED, CONTROL_HERE);
	control_link_check(CONTROL_PAUSED, CONTROL_ELSEWHERE);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_that_drains_or_leaves_does_not_serve_again),
		cmocka_unit_test(a_link_is_paused_before_it_is_redirected),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
