/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_test.h"

#include "base/base64.h"

static void is_strict_about_alphabet_padding_and_stray_bits(void **state UNUSED) {
	static const char *const good[] = {"", "AAAA", "AQ==", "AAE=", "+/+/", "Zm9vYmFy"};
	static const char *const bad[] = {"A",    "AA",   "AA=",  "AB==",  "AAB=", "====",
					  "A===", "-_-_", "AA A", "AAAA=", "=AAA"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!base64_is_strict(str_from(good[i])))
			fail_msg("\"%s\" is refused", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (base64_is_strict(str_from(bad[i])))
			fail_msg("\"%s\" is accepted", bad[i]);
}

static void decodes_either_alphabet_with_or_without_padding(void **state UNUSED) {
	static const char *const texts[] = {"++//AQ==", "--__AQ==", "++//AQ", "-+_/AQ"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char bytes[16];
		size_t len;
		assert_true(base64_decode(bytes, &len, str_from(texts[i])));
		assert_int_equal(len, 4);
		assert_memory_equal(bytes, "\xFB\xEF\xFF\x01", 4);
	}
}

static void refuses_to_decode_what_is_no_base64(void **state UNUSED) {
	static const char *const bad[] = {"A", "AA?A", "AA A", "=AAA"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char bytes[16];
		size_t len;
		assert_false(base64_decode(bytes, &len, str_from(bad[i])));
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_strict_about_alphabet_padding_and_stray_bits),
		cmocka_unit_test(decodes_either_alphabet_with_or_without_padding),
		cmocka_unit_test(refuses_to_decode_what_is_no_base64),
	};
	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
