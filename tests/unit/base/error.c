/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_test.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"

static void keeps_code_reason_and_origin_when_wrapped(void **state UNUSED) {
	struct error err;
	assert_int_equal(error_set(&err, CODE_NOT_FOUND, "there is no module %s", "echo"), -1);
	assert_string_equal(err.reason, "");
	assert_int_equal(error_set_reason(&err, "NO_MODULE"), -1);
	const char *origin = err.origin;
	error_wrap(&err, "call %d", 7);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_string_equal(err.reason, "NO_MODULE");
	assert_ptr_equal(err.origin, origin);
	assert_non_null(strstr(origin, "tests/unit/base/error.c:"));
	assert_string_equal(err.msg, "call 7: there is no module echo");
}

static void a_new_error_has_no_reason_of_the_last_one(void **state UNUSED) {
	struct error err;
	error_set(&err, CODE_UNAVAILABLE, "off");
	error_set_reason(&err, "SCALED_TO_ZERO");
	error_set_errno(&err, ENOSPC, "could not write %s", "x");
	assert_int_equal(err.code, CODE_RESOURCE_EXHAUSTED);
	assert_string_equal(err.reason, "");
	assert_non_null(strstr(err.msg, "could not write x: "));
}

static void takes_no_error_at_all(void **state UNUSED) {
	assert_int_equal(error_set(NULL, CODE_INTERNAL, "x"), -1);
	assert_int_equal(error_set_errno(NULL, EIO, "x"), -1);
	assert_int_equal(error_set_reason(NULL, "X"), -1);
}

static void read_log(enum log_level threshold, const struct error *err, char *ret_text, size_t size) {
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	log_init(threshold, "test");
	log_set_fd(ends[1]);
	log_failure(LOG_WARN, err, "could not do %s", "it");
	log_set_fd(STDERR_FILENO);
	close(ends[1]);
	ssize_t len = read(ends[0], ret_text, size - 1);
	assert_true(len > 0);
	ret_text[len] = '\0';
	close(ends[0]);
}

static void a_debug_log_names_the_origin(void **state UNUSED) {
	struct error err;
	char text[512];
	error_set(&err, CODE_INTERNAL, "no luck");
	read_log(LOG_INFO, &err, text, sizeof text);
	assert_non_null(strstr(text, "could not do it: no luck\n"));
	read_log(LOG_DEBUG, &err, text, sizeof text);
	assert_non_null(strstr(text, "could not do it: no luck [tests/unit/base/error.c:"));
}

/* Each text is a letter and then many of two bytes, so that one of the two would be cut in its middle. */
static void a_long_text_ends_at_a_character_with_a_mark(void **state UNUSED) {
	for (size_t letters = 0; letters < 2; letters++) {
		char text[2 * ERROR_TEXT_MAX] = "x";
		struct error err;
		for (size_t i = letters; i + 2 < sizeof text; i += 2)
			memcpy(text + i, "\xC3\xA9", 3);
		error_set(&err, CODE_INTERNAL, "%s", text);
		size_t len = strlen(err.msg);
		assert_true(len > ERROR_TEXT_MAX - 6 && len < ERROR_TEXT_MAX);
		assert_string_equal(err.msg + len - 3, "\xE2\x80\xA6");
		assert_true(str_is_text(str_from(err.msg)));
		error_wrap(&err, "wrapped");
		assert_true(str_starts_with(str_from(err.msg), STR("wrapped: ")));
		assert_string_equal(err.msg + strlen(err.msg) - 3, "\xE2\x80\xA6");
		assert_true(str_is_text(str_from(err.msg)));
	}
}

static void a_text_that_just_fits_has_no_mark(void **state UNUSED) {
	char text[ERROR_TEXT_MAX];
	struct error err;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	error_set(&err, CODE_INTERNAL, "%s", text);
	assert_string_equal(err.msg, text);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_code_reason_and_origin_when_wrapped),
		cmocka_unit_test(a_new_error_has_no_reason_of_the_last_one),
		cmocka_unit_test(takes_no_error_at_all),
		cmocka_unit_test(a_debug_log_names_the_origin),
		cmocka_unit_test(a_long_text_ends_at_a_character_with_a_mark),
		cmocka_unit_test(a_text_that_just_fits_has_no_mark),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
