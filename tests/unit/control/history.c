/* SPDX-License-Identifier: Apache-2.0 */
#include "control/history.h"

#include "base/macros.h"
#include "cmocka_test.h"

#define LIFE(number, stands_at, name) \
	{ .life = number, .origin = stands_at, .deployment.key = name }
#define NEVER(name) \
	{ .deployment.key = name }

static void expect(const struct history_entry *entries, size_t count, const char *current, uint64_t expected) {
	const struct history_entry *found = history_find_earlier(entries, count, current);
	assert_int_equal(found != NULL ? found->life : 0, expected);
}

#define EXPECT(entries, current, expected) expect(entries, ARRAY_LEN(entries), current, expected)

static void goes_to_the_life_before(void **state UNUSED) {
	const struct history_entry entries[] = {LIFE(3, 3, "c"), NEVER("x"), LIFE(2, 2, "b"), LIFE(1, 1, "a")};
	EXPECT(entries, "c", 2);
}

static void a_deployment_that_came_back_stands_at_its_last_life(void **state UNUSED) {
	const struct history_entry entries[] = {LIFE(3, 3, "a"), LIFE(2, 2, "b"), LIFE(1, 1, "a")};
	EXPECT(entries, "a", 2);
}

static void after_a_rollback_goes_further_back_and_not_forth(void **state UNUSED) {
	const struct history_entry entries[] = {LIFE(4, 2, "b"), LIFE(3, 3, "c"), LIFE(2, 2, "b"), LIFE(1, 1, "a")};
	EXPECT(entries, "b", 1);
	const struct history_entry last[] = {LIFE(5, 1, "a"), LIFE(4, 2, "b"), LIFE(3, 3, "c"), LIFE(2, 2, "b"),
					     LIFE(1, 1, "a")};
	EXPECT(last, "a", 0);
}

static void a_deploy_after_a_rollback_stands_at_itself(void **state UNUSED) {
	const struct history_entry entries[] = {LIFE(4, 4, "c"), LIFE(3, 1, "a"), LIFE(2, 2, "b"), LIFE(1, 1, "a")};
	EXPECT(entries, "c", 3);
}

static void passes_over_lives_of_itself_and_of_what_failed(void **state UNUSED) {
	struct history_entry entries[] = {LIFE(4, 4, "c"), LIFE(3, 3, "c"), LIFE(2, 2, "b"), LIFE(1, 1, "a")};
	entries[2].deployment.state = DEPLOYMENT_FAILED;
	EXPECT(entries, "c", 1);
}

static void a_killed_module_goes_to_its_last_life(void **state UNUSED) {
	const struct history_entry entries[] = {LIFE(2, 2, "b"), LIFE(1, 1, "a")};
	EXPECT(entries, "", 2);
}

static void from_one_that_was_never_active_goes_to_the_last_life_of_another(void **state UNUSED) {
	const struct history_entry entries[] = {NEVER("c"), LIFE(2, 2, "b"), LIFE(1, 1, "a")};
	EXPECT(entries, "c", 2);
	EXPECT(entries, "a", 2);
	const struct history_entry never[] = {NEVER("c"), NEVER("b")};
	EXPECT(never, "c", 0);
	expect(NULL, 0, "c", 0);
}

/* Life 3, at which it stands, is not kept any more. */
static void stands_at_itself_when_its_origin_is_forgotten(void **state UNUSED) {
	const struct history_entry entries[] = {LIFE(9, 3, "a"), LIFE(8, 8, "b"), LIFE(7, 3, "a"), LIFE(6, 6, "b")};
	EXPECT(entries, "a", 8);
}

static void finds_lives(void **state UNUSED) {
	const struct history_entry entries[] = {LIFE(7, 7, "a"), NEVER("c"), LIFE(4, 4, "b"), LIFE(1, 1, "a")};
	size_t count = ARRAY_LEN(entries);
	assert_int_equal(history_find_life(entries, count, "a")->life, 7);
	assert_int_equal(history_find_life(entries, count, "b")->life, 4);
	assert_null(history_find_life(entries, count, "c"));
	assert_int_equal(history_find_next(entries, count, &entries[3])->life, 4);
	assert_null(history_find_next(entries, count, &entries[0]));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_to_the_life_before),
		cmocka_unit_test(a_deployment_that_came_back_stands_at_its_last_life),
		cmocka_unit_test(after_a_rollback_goes_further_back_and_not_forth),
		cmocka_unit_test(a_deploy_after_a_rollback_stands_at_itself),
		cmocka_unit_test(passes_over_lives_of_itself_and_of_what_failed),
		cmocka_unit_test(a_killed_module_goes_to_its_last_life),
		cmocka_unit_test(from_one_that_was_never_active_goes_to_the_last_life_of_another),
		cmocka_unit_test(stands_at_itself_when_its_origin_is_forgotten),
		cmocka_unit_test(finds_lives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
