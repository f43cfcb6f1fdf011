/* SPDX-License-Identifier: Apache-2.0 */
#include "../cmocka_test.h"

#include "net/endpoint.h"

/* What endpoint_format prints of what endpoint_parse has read; NULL: it is refused. */
static const char *parsed(const char *text) {
	static char printed[ENDPOINT_MAX];
	struct endpoint endpoint;
	struct error err;
	if (endpoint_parse(str_from(text), &endpoint, &err) < 0)
		return NULL;
	endpoint_format(&endpoint, printed);
	return printed;
}

static void reads_the_three_forms(void **state UNUSED) {
	assert_string_equal(parsed("http://localhost:8892"), "http://localhost:8892");
	assert_string_equal(parsed("http://localhost:8892/"), "http://localhost:8892");
	assert_string_equal(parsed("https://[::1]:1"), "https://[::1]:1");
	assert_string_equal(parsed("unix:/run/a.sock"), "unix:/run/a.sock");
	assert_null(parsed("localhost:8892"));
	assert_null(parsed("http://localhost"));
	assert_null(parsed("http://localhost:65536"));
	assert_null(parsed("unix:"));
}

static void schemes_have_no_case(void **state UNUSED) {
	assert_string_equal(parsed("HTTP://Host:1"), "http://Host:1");
	assert_string_equal(parsed("Https://Host:1"), "https://Host:1");
	assert_string_equal(parsed("UNIX:/Run/A.sock"), "unix:/Run/A.sock");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_three_forms),
		cmocka_unit_test(schemes_have_no_case),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
