/* SPDX-License-Identifier: Apache-2.0 */
#include "router/verb_peek.h"

#include <stdio.h>

#include "cmocka_test.h"

#include "base/buf.h"

/* CallRequest{verb: {name: "v", module: "mod"}, body: "{}"}, by hand. */
static const struct str verb_first = STR_INIT("\x12\x08\x12\x01v\x1a\x03mod\x1a\x02{}");
static const struct str body_first = STR_INIT("\x1a\x02{}\x12\x08\x12\x01v\x1a\x03mod");
static const struct str with_metadata =
	STR_INIT("\x0a\x08\x0a\x06\x0a\x01k\x12\x01w\x12\x08\x12\x01v\x1a\x03mod\x1a\x02{}");

static void the_verb_is_found_at_any_offset(void **state UNUSED) {
	const struct str messages[] = {verb_first, body_first, with_metadata};
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		/* However the bytes are cut, the verb is found once it is whole, and need grows each time. */
		size_t have = 0, need = 0, rounds = 0;
		struct verb_name verb;
		struct error err;
		for (;;) {
			enum verb_peek_result result =
				verb_peek(str_new(messages[i].ptr, have), messages[i].len, &verb, &need, &err);
			if (result == VERB_PEEK_FOUND)
				break;
			assert_int_equal(result, VERB_PEEK_MORE);
			assert_in_range(need, have + 1, messages[i].len);
			have = need;
			assert_in_range(++rounds, 1, messages[i].len);
		}
		assert_true(str_eq(verb.module, STR("mod")));
		assert_true(str_eq(verb.name, STR("v")));
	}
}

static void the_error_names_the_missing_field(void **state UNUSED) {
	static const struct {
		struct str message;
		const char *says;
	} cases[] = {
		{STR_INIT(""), "verb is missing"},
		{STR_INIT("\x1a\x02{}"), "verb is missing"},
		{STR_INIT("\x12\x00"), "verb.module is missing"},
		{STR_INIT("\x12\x03\x12\x01v"), "verb.module is missing"},
		{STR_INIT("\x12\x05\x1a\x03mod"), "verb.name is missing"},
		{STR_INIT("\x12\x05\x12\x01"), "longer than the message"},
		{STR_INIT("\x13\x01"), "malformed"},
		{STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "malformed"},
		{STR_INIT("\x12\x08\x12\x01\xff\x1a\x03mod"), "UTF-8"},
		{STR_INIT("\x12\x04\x12\x09vv"), "verb is malformed"},
		{STR_INIT("\x12\x81\x80\x01"), "longer than the message"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct verb_name verb;
		struct error err;
		size_t need;
		assert_int_equal(verb_peek(cases[i].message, cases[i].message.len, &verb, &need, &err), VERB_PEEK_BAD);
		assert_int_equal(err.code, CODE_INVALID_ARGUMENT);
		if (strstr(err.msg, cases[i].says) == NULL)
			fail_msg("case %zu: \"%s\" does not say \"%s\"", i, err.msg, cases[i].says);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verb_is_found_at_any_offset),
		cmocka_unit_test(the_error_names_the_missing_field),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
