/* SPDX-License-Identifier: Apache-2.0 */
#include "module/call_request.h"

#include "cmocka_test.h"

static struct str bytes_of(const char *text, size_t len) {
	return str_new(text, len);
}

#define BYTES(literal) bytes_of(literal, sizeof literal - 1)

static void reads_the_parts(void **state UNUSED) {
	struct call_request request;
	struct error err;
	/* verb {name: "echo", module: "m"}, body: "{}"; after metadata and an unknown field. */
	struct str bytes = BYTES("\x0A\x02\x0A\x00"
				 "\x98\x06\x07"
				 "\x12\x09\x12\x04"
				 "echo\x1A\x01m"
				 "\x1A\x02{}");
	assert_int_equal(call_request_read(bytes, &request, &err), 0);
	assert_true(request.has_target);
	assert_true(str_eq(request.verb, STR("echo")));
	assert_true(str_eq(request.module, STR("m")));
	assert_true(str_eq(request.body, STR("{}")));
	assert_ptr_equal(request.body.ptr, bytes.ptr + bytes.len - 2);
}

static void missing_fields_are_empty(void **state UNUSED) {
	struct call_request request;
	struct error err;
	assert_int_equal(call_request_read(STR(""), &request, &err), 0);
	assert_false(request.has_target);
	assert_int_equal(request.body.len, 0);
	assert_non_null(request.body.ptr);
	assert_int_equal(call_request_read(BYTES("\x12\x00"), &request, &err), 0);
	assert_true(request.has_target);
	assert_int_equal(request.verb.len, 0);
}

static void refuses_what_is_malformed(void **state UNUSED) {
	static const struct {
		const char *bytes;
		size_t len;
		const char *said;
	} wrong[] = {
		{"\x12\x09\x12", 3, "CallRequest: the message is malformed"},
		{"\x12\x02\x12\x05", 4, "VerbRef: the message is malformed"},
		{"\x12\x03\x12\x01\xFF", 5, "VerbRef.name: not UTF-8"},
		{"\x12\x03\x1A\x01\x00", 5, "VerbRef.module: not UTF-8"},
		{"\x1A", 1, "CallRequest: the message is malformed"},
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct call_request request;
		struct error err;
		assert_int_equal(call_request_read(bytes_of(wrong[i].bytes, wrong[i].len), &request, &err), -1);
		assert_int_equal(err.code, CODE_INVALID_ARGUMENT);
		assert_non_null(strstr(err.msg, wrong[i].said));
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_parts),
		cmocka_unit_test(missing_fields_are_empty),
		cmocka_unit_test(refuses_what_is_malformed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
