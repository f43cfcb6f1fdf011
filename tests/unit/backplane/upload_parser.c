/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_test.h"

#include "backplane/services/upload_parser.h"
#include "base/buf.h"

/* Feeds a message in pieces of size bytes; returns -1 when it is refused. */
static int parse(struct str message, size_t size, struct buf *ret_content) {
	struct upload_parser parser;
	struct error err;
	upload_parser_start(&parser);
	while (message.len > 0) {
		struct str piece = str_new(message.ptr, MIN(size, message.len));
		message = str_from_offset(message, piece.len);
		while (piece.len > 0) {
			struct str content;
			if (upload_parser_next(&parser, &piece, &content, &err) < 0)
				return -1;
			assert_int_equal(buf_append(ret_content, content), 0);
		}
	}
	return upload_parser_may_end(&parser) ? 0 : -1;
}

static void parses_content_in_any_pieces(void **state UNUSED) {
	/* An unknown varint, a fixed64, the content, an unknown text, a fixed32, and content once more. */
	const struct str message = STR_INIT("\x10\x96\x01\x19"
					    "12345678\x0a\x05hello\x22\x03xyz\x2d"
					    "1234\x0a\x00\x0a\x01!");
	for (size_t size = 1; size <= message.len; size++) {
		struct buf content = BUF_INIT(64);
		assert_int_equal(parse(message, size, &content), 0);
		assert_true(str_eq(buf_view(&content), STR("hello!")));
		buf_deinit(&content);
	}
	struct buf content = BUF_INIT(64);
	assert_int_equal(parse(STR(""), 1, &content), 0);
	assert_int_equal(parse(STR("\x0a\x05hel"), 1, &content), -1);
	assert_int_equal(parse(STR("\x0b"), 1, &content), -1);
	assert_int_equal(parse(STR("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 1, &content), -1);
	buf_deinit(&content);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_content_in_any_pieces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
