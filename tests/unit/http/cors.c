/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_test.h"

#include "http/cors.h"

static struct http_stream request;

static int set_up(void **state UNUSED) {
	http_stream_init(&request, NULL, KIB(16));
	request.method = STR("POST");
	request.authority = STR("ftl.example.org:8892");
	return 0;
}

static int tear_down(void **state UNUSED) {
	http_stream_deinit(&request);
	return 0;
}

static void say(const char *name, const char *value) {
	http_headers_add(&request.received, &request.arena, str_from(name), str_from(value));
}

static bool allows(const char *const *origins, const char *origin) {
	request.received = (struct http_headers){0};
	say("origin", origin);
	return cors_allows(origins, &request.received);
}

static const char *header(const struct http_headers *headers, const char *name) {
	return http_headers_get(headers, str_from(name)).ptr;
}

static void a_request_without_an_origin_is_allowed(void **state UNUSED) {
	assert_true(cors_allows(NULL, &request.received));
	struct http_headers headers = {0};
	cors_add_headers(&request, &headers);
	assert_int_equal(headers.count, 0);
}

static void allows_origins_of_this_machine(void **state UNUSED) {
	static const char *const ours[] = {"http://localhost", "https://localhost:3000", "http://127.0.0.1:1",
					   "http://127.3.2.1", "http://[::1]", "http://[::1]:8080"};
	static const char *const others[] = {"http://127.0.0.1.example.org",
					     "http://localhost.example.org",
					     "http://example.org",
					     "http://[::2]",
					     "http://10.0.0.1",
					     "null",
					     "",
					     "localhost",
					     "http://",
					     "http://0.0.0.0.0",
					     "file://"};
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		assert_true(allows(NULL, ours[i]));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(allows(NULL, others[i]));
}

/* DNS rebinding: evil.example changes its address to 127.0.0.1, and its page then calls its own host. */
static void refuses_an_origin_that_equals_the_host(void **state UNUSED) {
	assert_false(allows(NULL, "http://ftl.example.org:8892"));
	assert_false(allows(NULL, "https://ftl.example.org:8892"));
}

static void allows_listed_origins(void **state UNUSED) {
	static const char *const listed[] = {"https://a.example.org", "https://b.example.org:8443", NULL};
	static const char *const all[] = {"*", NULL};
	assert_true(allows(listed, "https://a.example.org"));
	assert_true(allows(listed, "https://b.example.org:8443"));
	assert_false(allows(listed, "http://a.example.org"));
	assert_false(allows(listed, "https://a.example.org:8443"));
	assert_false(allows(listed, "https://a.example.org.evil.example"));
	assert_false(allows(listed, "*"));
	assert_true(allows(all, "https://anyone.example"));
}

static void lists_the_headers_that_a_page_may_read(void **state UNUSED) {
	struct http_headers headers = {0};
	say("origin", "http://localhost");
	cors_add_headers(&request, &headers);
	assert_string_equal(header(&headers, "access-control-allow-origin"), "http://localhost");
	assert_string_equal(header(&headers, "vary"), "Origin");
	assert_non_null(header(&headers, "access-control-expose-headers"));
	assert_null(header(&headers, "access-control-allow-methods"));
}

static void lists_what_may_be_sent_after_a_preflight(void **state UNUSED) {
	struct http_headers headers = {0};
	say("origin", "http://localhost");
	request.method = STR("OPTIONS");
	assert_false(cors_is_preflight(request.method, &request.received));
	say("access-control-request-method", "POST");
	assert_true(cors_is_preflight(request.method, &request.received));
	say("access-control-request-headers", "x-one,x-two");
	cors_add_headers(&request, &headers);
	assert_string_equal(header(&headers, "access-control-allow-methods"), "GET, POST");
	assert_string_equal(header(&headers, "access-control-allow-headers"), "x-one,x-two");
	assert_non_null(header(&headers, "access-control-max-age"));
}

static void recognises_an_origin(void **state UNUSED) {
	static const char *const right[] =
		{"http://a",     "https://a.example.org", "https://a-b.c_d.org:8443", "http://a:443",
		 "https://a:80", "http://[::1]",          "http://[fe80::1]:3000",    "http://a:65535"};
	static const char *const wrong[] = {"",
					    "*",
					    "a",
					    "null",
					    "a.org:80",
					    "http://",
					    "http://A",
					    "HTTP://a",
					    "http://a/",
					    "http://a/b",
					    "http://a?b",
					    "http://a b",
					    "http://a:",
					    "http://a:0",
					    "http://a:80",
					    "https://a:443",
					    "http://a:65536",
					    "http://a:080",
					    "http://a:8x",
					    "http://:80",
					    "http://[::1",
					    "http://[]",
					    "http://u@a",
					    "file://a",
					    "https:///a",
					    "http://a:1:2",
					    "http://*.a.org"};
	for (size_t i = 0; i < ARRAY_LEN(right); i++)
		assert_true(cors_is_origin(str_from(right[i])));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(cors_is_origin(str_from(wrong[i])));
	assert_false(cors_is_origin(str_new("http://a\0b", 10)));
}

#define CORS_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		CORS_TEST(a_request_without_an_origin_is_allowed),
		CORS_TEST(allows_origins_of_this_machine),
		CORS_TEST(refuses_an_origin_that_equals_the_host),
		CORS_TEST(allows_listed_origins),
		CORS_TEST(lists_the_headers_that_a_page_may_read),
		CORS_TEST(lists_what_may_be_sent_after_a_preflight),
		cmocka_unit_test(recognises_an_origin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
