/* SPDX-License-Identifier: Apache-2.0 */
#include "store/artefacts.h"

#include "place.h"

static void on_closed(struct artefact_op *op UNUSED, const struct error *err) {
	assert_null(err);
}

static void refuses_a_place_that_it_does_not_know(void **state UNUSED) {
	struct artefacts *artefacts;
	struct error err;
	assert_int_equal(artefacts_open("tape://robot/7", &artefacts, &err), -1);
	assert_int_equal(err.code, CODE_INVALID_ARGUMENT);
	assert_non_null(strstr(err.msg, "tape://robot/7"));
	assert_non_null(strstr(err.msg, "file:"));
}

static void a_folder_belongs_to_one_process(void **state UNUSED) {
	struct place place;
	struct artefacts *first, *second;
	struct error err;
	struct loop loop;
	struct artefact_op closing = {.loop = &loop, .done = on_closed};
	loop_init(&loop);
	place_make(&place);
	assert_int_equal(artefacts_open(place.path, &first, &err), 0);
	assert_int_equal(artefacts_open(place.path, &second, &err), -1);
	assert_int_equal(err.code, CODE_FAILED_PRECONDITION);
	assert_non_null(strstr(err.msg, place.path));
	artefacts_close(first, &closing);
	loop_run_out(&loop);
	loop_deinit(&loop);
	place_remove(&place);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_a_place_that_it_does_not_know),
		cmocka_unit_test(a_folder_belongs_to_one_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
