/* SPDX-License-Identifier: Apache-2.0 */
#include "store/artefacts.h"

#include "base/memory.h"
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

struct question {
	struct artefact_op op;
	unsigned answers;
	enum code code;
};

static bool is_closed;

static void on_answered(struct artefact_op *op, const struct error *err) {
	struct question *question = CONTAINER_OF(op, struct question, op);
	question->answers++;
	question->code = err != NULL ? err->code : CODE_OK;
	assert_false(is_closed);
}

static void on_closed_behind(struct artefact_op *op UNUSED, const struct error *err UNUSED) {
	is_closed = true;
}

static void closing_ends_a_long_question(void **state UNUSED) {
	enum { COUNT = 10000 };
	struct place place;
	struct artefacts *artefacts;
	struct error err;
	struct loop loop;
	struct digest *digests = mem_zalloc(COUNT * sizeof *digests);
	bool *found = mem_zalloc(COUNT * sizeof *found);
	struct question question = {.op = {.loop = &loop, .done = on_answered}};
	struct artefact_op closing = {.loop = &loop, .done = on_closed_behind};
	is_closed = false;
	loop_init(&loop);
	place_make(&place);
	assert_int_equal(artefacts_open(place.path, &artefacts, &err), 0);
	artefacts_have(artefacts, &question.op, digests, COUNT, found);
	artefacts_close(artefacts, &closing);
	loop_run_out(&loop);
	assert_int_equal(question.answers, 1);
	assert_int_equal(question.code, CODE_UNAVAILABLE);
	assert_true(is_closed);
	loop_deinit(&loop);
	place_remove(&place);
	free(digests);
	free(found);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_a_place_that_it_does_not_know),
		cmocka_unit_test(a_folder_belongs_to_one_process),
		cmocka_unit_test(closing_ends_a_long_question),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
