/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_test.h"

#include "rpc/error_info.h"

static void is_what_google_defines(void **state UNUSED) {
	struct arena arena = ARENA_INIT(KIB(4));
	char reason[ERROR_REASON_MAX] = "";
	struct str value = error_info_encode(&arena, "SCALED_TO_ZERO");
	assert_true(str_eq(value, STR("\x0a\x0eSCALED_TO_ZERO\x12\x0d"
				      "ftl.block.xyz")));
	assert_true(error_info_decode(value, reason));
	assert_string_equal(reason, "SCALED_TO_ZERO");
	arena_deinit(&arena);
}

static void holds_the_longest_reason(void **state UNUSED) {
	struct arena arena = ARENA_INIT(KIB(4));
	char longest[ERROR_REASON_MAX], reason[ERROR_REASON_MAX];
	memset(longest, 'X', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_true(error_info_decode(error_info_encode(&arena, longest), reason));
	assert_string_equal(reason, longest);
	arena_deinit(&arena);
}

/* With metadata, which is field 3, behind it. */
static void passes_over_metadata(void **state UNUSED) {
	char reason[ERROR_REASON_MAX];
	assert_true(error_info_decode(STR("\x0a\x01"
					  "A\x12\x0d"
					  "ftl.block.xyz\x1a\x06\x0a\x01k\x12\x01v"),
				      reason));
	assert_string_equal(reason, "A");
}

#define DOMAIN     \
	"\x12\x0d" \
	"ftl.block.xyz"

static void refuses_what_is_no_reason_of_ours(void **state UNUSED) {
	static const struct str values[] = {
		STR_INIT(""),
		STR_INIT("\x0a\x01"
			 "A"), /* no domain */
		STR_INIT("\x0a\x01"
			 "A\x12\x0e"
			 "googleapis.com"),
		STR_INIT("\x0a\x01"
			 "a" DOMAIN),
		STR_INIT("\x0a\x02"
			 "A\n" DOMAIN),
		STR_INIT("\x0a\x00" DOMAIN),
		STR_INIT(DOMAIN),
		STR_INIT("\x0a\x01"
			 "A" DOMAIN "\x1a\x7f"), /* cut short */
		STR_INIT("\x0a\x30"
			 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" DOMAIN), /* 48 */
	};
	char reason[ERROR_REASON_MAX] = "UNTOUCHED";
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		assert_false(error_info_decode(values[i], reason));
	assert_string_equal(reason, "UNTOUCHED");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_what_google_defines),
		cmocka_unit_test(holds_the_longest_reason),
		cmocka_unit_test(passes_over_metadata),
		cmocka_unit_test(refuses_what_is_no_reason_of_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
