/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/logs.h"
#include "dies.h"

static void a_follower_reads_the_tail_and_follows(void **state UNUSED) {
	static const enum follower_state steps[] = {FOLLOWER_FOLLOWING, FOLLOWER_ENDED};
	enum follower_state at = FOLLOWER_READING;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		follower_state_change(&at, steps[i]);
}

struct step {
	enum follower_state from, to;
};

static void take(void *argument) {
	struct step step = *(const struct step *)argument;
	follower_state_change(&step.from, step.to);
}

static void other_transitions_abort(void **state UNUSED) {
	struct step steps[] = {
		{FOLLOWER_FOLLOWING, FOLLOWER_READING},
		{FOLLOWER_ENDED, FOLLOWER_FOLLOWING},
		{FOLLOWER_ENDED, FOLLOWER_ENDED},
	};
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		assert_dies(take, &steps[i]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_follower_reads_the_tail_and_follows),
		cmocka_unit_test(other_transitions_abort),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
