/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/artefacts.h"
#include "dies.h"

static void an_upload_writes_pieces_and_commits(void **state UNUSED) {
	static const enum upload_state steps[] = {UPLOAD_WRITING, UPLOAD_RECEIVING, UPLOAD_COMMITTING, UPLOAD_ANSWERED};
	enum upload_state at = UPLOAD_RECEIVING;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		upload_state_change(&at, steps[i]);
}

struct step {
	enum upload_state from, to;
};

static void take(void *argument) {
	struct step step = *(const struct step *)argument;
	upload_state_change(&step.from, step.to);
}

static void other_transitions_abort(void **state UNUSED) {
	struct step steps[] = {
		{UPLOAD_WRITING, UPLOAD_COMMITTING},
		{UPLOAD_COMMITTING, UPLOAD_RECEIVING},
		{UPLOAD_ANSWERED, UPLOAD_ANSWERED},
		{UPLOAD_ANSWERED, UPLOAD_WRITING},
	};
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		assert_dies(take, &steps[i]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_upload_writes_pieces_and_commits),
		cmocka_unit_test(other_transitions_abort),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
