/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/create_deployment.h"
#include "dies.h"

static void a_deployment_is_answered_when_its_changes_are_kept(void **state UNUSED) {
	static const enum creation_state steps[] = {CREATION_STORING, CREATION_APPLIED, CREATION_ANSWERED};
	enum creation_state at = CREATION_CHECKING;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		creation_state_change(&at, steps[i]);
	assert_int_equal(at, CREATION_ANSWERED);
}

static void is_refused_in_each_state_before_it_is_applied(void **state UNUSED) {
	for (enum creation_state from = CREATION_CHECKING; from <= CREATION_STORING; from++) {
		enum creation_state at = from;
		creation_state_change(&at, CREATION_ANSWERED);
	}
}

struct step {
	enum creation_state from, to;
};

static void take(void *argument) {
	struct step step = *(const struct step *)argument;
	creation_state_change(&step.from, step.to);
}

static void other_transitions_abort(void **state UNUSED) {
	struct step steps[] = {
		{CREATION_CHECKING, CREATION_APPLIED},  {CREATION_STORING, CREATION_CHECKING},
		{CREATION_APPLIED, CREATION_STORING},   {CREATION_ANSWERED, CREATION_ANSWERED},
		{CREATION_ANSWERED, CREATION_CHECKING},
	};
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		assert_dies(take, &steps[i]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deployment_is_answered_when_its_changes_are_kept),
		cmocka_unit_test(is_refused_in_each_state_before_it_is_applied),
		cmocka_unit_test(other_transitions_abort),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
