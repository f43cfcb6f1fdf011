/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_test.h"

#include "base/str.h"
#include "http/h1_head.h"

static struct arena arena = {.max = 1 << 20};

static int tear_down(void **state UNUSED) {
	arena_deinit(&arena);
	return 0;
}

static unsigned refused(const char *text) {
	struct h1_head head;
	struct error err;
	unsigned status;
	arena_deinit(&arena);
	return h1_read_request(str_from(text), &arena, &head, &status, &err) < 0 ? status : 200;
}

static void reads_a_request(void **state UNUSED) {
	struct h1_head head;
	struct error err;
	unsigned status;
	assert_int_equal(h1_read_request(STR("POST /a/b?c HTTP/1.1\r\nHost: h:1\r\nContent-Length: 12\r\nX-A:  b \t\r\n"
					     "Connection: foo, Close\r\n\r\n"), &arena, &head, &status, &err), 0);
	assert_true(str_eq_c(head.method, "POST"));
	assert_true(str_eq_c(head.target, "/a/b?c"));
	assert_true(str_eq_c(head.host, "h:1"));
	assert_true(str_eq_c(http_headers_get(&head.headers, STR("x-a")), "b"));
	assert_int_equal(head.body, H1_BODY_LENGTH);
	assert_int_equal(head.length, 12);
	assert_true(head.close);
}

static void takes_the_path_of_an_absolute_url(void **state UNUSED) {
	static const char *const cases[][2] = {{"http://h/x", "/x"},
					       {"HTTPS://h:1/x?y", "/x?y"},
					       {"http://h", "/"},
					       {"http://h?a=/b", "/?a=/b"},
					       {"/http://h/x", "/http://h/x"}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct h1_head head;
		struct error err;
		unsigned status;
		const char *text = arena_printf(&arena, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", cases[i][0]);
		assert_int_equal(h1_read_request(str_from(text), &arena, &head, &status, &err), 0);
		assert_true(str_eq_c(head.target, cases[i][1]));
	}
}

static void a_client_of_http10_says_that_it_keeps_the_connection(void **state UNUSED) {
	static const struct {
		const char *text;
		bool is_http10, close, expects_continue;
	} cases[] = {
		{"GET / HTTP/1.0\r\n\r\n", true, true, false},
		{"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", true, false, false},
		{"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", true, true, false},
		{"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", true, true, false},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n", false, false, true},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct h1_head head;
		struct error err;
		unsigned status;
		assert_int_equal(h1_read_request(str_from(cases[i].text), &arena, &head, &status, &err), 0);
		assert_int_equal(head.is_http10, cases[i].is_http10);
		assert_int_equal(head.close, cases[i].close);
		assert_int_equal(head.expects_continue, cases[i].expects_continue);
	}
}

static void refuses_ambiguous_messages(void **state UNUSED) {
	static const char *const shapes[] = {
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\nContent-Length: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"POST / HTTP/1.1\r\nX: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		assert_int_equal(refused(shapes[i]), 400);
	assert_int_equal(refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
	assert_int_equal(refused("POST / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
	assert_int_equal(refused("POST / HTTP/1.2\r\nHost: a\r\n\r\n"), 505);
	assert_int_equal(refused("POST / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
	assert_int_equal(refused("hello\r\n\r\n"), 0);
	assert_int_equal(refused("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
}

static void reads_chunk_sizes_strictly(void **state UNUSED) {
	uint64_t size;
	assert_true(h1_read_chunk_size(STR("1aF"), &size));
	assert_int_equal(size, 0x1AF);
	assert_false(h1_read_chunk_size(STR(""), &size));
	assert_false(h1_read_chunk_size(STR("5;x=y"), &size));
	assert_false(h1_read_chunk_size(STR(" 5"), &size));
	assert_false(h1_read_chunk_size(STR("0x5"), &size));
	assert_false(h1_read_chunk_size(STR("ffffffffffffffff"), &size));
}

static void reads_responses(void **state UNUSED) {
	struct h1_head head;
	struct error err;
	assert_int_equal(h1_read_response(STR("HTTP/1.1 204 No Content\r\n\r\n"), &arena, &head, &err), 0);
	assert_int_equal(head.body, H1_BODY_NONE);
	assert_int_equal(h1_read_response(STR("HTTP/1.1 200 OK\r\n\r\n"), &arena, &head, &err), 0);
	assert_int_equal(head.body, H1_BODY_UNTIL_CLOSE);
	assert_true(head.close);
	assert_int_equal(h1_read_response(STR("ICY 200 OK\r\n\r\n"), &arena, &head, &err), -1);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(reads_a_request, tear_down),
		cmocka_unit_test_teardown(takes_the_path_of_an_absolute_url, tear_down),
		cmocka_unit_test_teardown(a_client_of_http10_says_that_it_keeps_the_connection, tear_down),
		cmocka_unit_test_teardown(refuses_ambiguous_messages, tear_down),
		cmocka_unit_test_teardown(reads_chunk_sizes_strictly, tear_down),
		cmocka_unit_test_teardown(reads_responses, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
