/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmocka_test.h"

#include "backplane/services/log_filter.h"
#include "backplane/services/log_folder.h"

static struct log_entry entry(int64_t time_ms, const char *level, const char *module, const char *attributes) {
	return (struct log_entry){.time_ms = time_ms,
				  .level = level,
				  .message = "m",
				  .module = module,
				  .attributes = attributes};
}

static bool takes(const struct log_filter *filter, struct log_entry one) {
	return log_filter_takes(filter, &one);
}

static void takes_what_is_wanted(void **state UNUSED) {
	struct log_filter filter = {0};
	struct error err;
	assert_true(takes(&filter, entry(0, "debug", "echo", "")));
	assert_int_equal(log_filter_add_module(&filter, "echo", &err), 0);
	assert_int_equal(log_filter_add_module(&filter, "time", &err), 0);
	assert_true(takes(&filter, entry(0, "debug", "time", "")));
	assert_false(takes(&filter, entry(0, "debug", "other", "")));
	assert_int_equal(log_filter_set(&filter, 5, "warn", "", &err), 0);
	assert_true(takes(&filter, entry(5, "warn", "echo", "")));
	assert_true(takes(&filter, entry(5, "loud", "echo", ""))); /* of a newer Runner */
	assert_false(takes(&filter, entry(4, "warn", "echo", "")));
	assert_false(takes(&filter, entry(5, "info", "echo", "")));
}

static void takes_lines_of_one_request(void **state UNUSED) {
	struct log_filter filter = {0};
	struct error err;
	assert_int_equal(log_filter_set(&filter, 0, "", "req-1", &err), 0);
	assert_true(takes(&filter, entry(0, "info", "echo", "{\"request_id\":\"req-1\",\"verb\":\"echo.echo\"}")));
	assert_false(takes(&filter, entry(0, "info", "echo", "{\"request_id\":\"req-12\"}")));
	assert_false(takes(&filter, entry(0, "info", "echo", "{\"other\":\"req-1\"}")));
	assert_false(takes(&filter, entry(0, "info", "echo", "req-1 is no JSON")));
	assert_false(takes(&filter, entry(0, "info", "echo", "")));
}

static void refuses_what_no_line_can_have(void **state UNUSED) {
	struct log_filter filter = {0};
	struct error err;
	char id[LOG_FILTER_REQUEST_MAX + 2] = {0};
	memset(id, 'x', sizeof id - 1);
	assert_int_equal(log_filter_add_module(&filter, "../etc", &err), -1);
	assert_int_equal(err.code, CODE_INVALID_ARGUMENT);
	assert_int_equal(log_filter_set(&filter, 0, "loud", "", &err), -1);
	assert_string_equal(err.msg, "there is no level \"loud\"; there is debug, info, warn and error");
	assert_int_equal(log_filter_set(&filter, 0, "", id, &err), -1);
	assert_string_equal(err.msg, "the request id has 129 bytes; it has at most 128");
	for (int i = 0; i < LOG_FILTER_MODULES_MAX; i++)
		assert_int_equal(log_filter_add_module(&filter, "echo", &err), 0);
	assert_int_equal(log_filter_add_module(&filter, "echo", &err), -1);
	assert_string_equal(err.msg, "the logs of more than 64 modules are asked for; ask for all");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_is_wanted),
		cmocka_unit_test(takes_lines_of_one_request),
		cmocka_unit_test(refuses_what_no_line_can_have),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
