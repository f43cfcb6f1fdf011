/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names in headers that have no case.
 */
#include "../cmocka_test.h"

#include "rpc/content.h"

static void media_types_have_no_case(void **state UNUSED) {
	static const struct {
		const char *type, *wanted;
		bool is;
	} cases[] = {
		{"application/json", "application/json", true},
		{"Application/JSON", "application/json", true},
		{"APPLICATION/JSON ; Charset=UTF-8", "application/json", true},
		{"application/grpc+PROTO", "application/grpc", true},
		{"Application/Connect+Json", "application/connect+json", true},
		{"application/jsonp", "application/json", false},
		{"application/grpc+json", "application/grpc", false},
		{"", "application/json", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(content_is_type(str_from(cases[i].type), str_from(cases[i].wanted)), cases[i].is);
}

static void encodings_have_no_case(void **state UNUSED) {
	bool gzip = false;
	assert_true(content_read_encoding(STR("GZip"), &gzip) && gzip);
	assert_true(content_read_encoding(STR("Identity"), &gzip) && !gzip);
	assert_true(content_read_encoding(STR(""), &gzip) && !gzip);
	assert_false(content_read_encoding(STR("br"), &gzip));
}

static void a_client_says_what_it_accepts(void **state UNUSED) {
	static const struct {
		const char *list;
		bool takes;
	} cases[] = {
		{"gzip", true},
		{"br, GZIP;q=0.5", true},
		{"gzip ; Q=0.001", true},
		{"*", true},
		{"identity, *", true},
		{"gzip;q=0", false},
		{"gzip; q=0.000", false},
		{"*;q=0", false},
		{"*, gzip;q=0", false},
		{"identity", false},
		{"", false},
		{"x-gzip2", false},
		{"gzip;q=0, *", false},
		{"deflate;q=0, gzip", true},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(content_accepts_gzip(str_from(cases[i].list)), cases[i].takes);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(media_types_have_no_case),
		cmocka_unit_test(encodings_have_no_case),
		cmocka_unit_test(a_client_says_what_it_accepts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
