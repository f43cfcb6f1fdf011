/* SPDX-License-Identifier: Apache-2.0 */
#include "cmocka_test.h"

#include "rpc/metadata.h"

static void assert_one_hop(const char *const *names, size_t count, bool expected) {
	for (size_t i = 0; i < count; i++)
		if (metadata_is_of_one_hop(str_from(names[i])) != expected)
			fail_msg("%s", names[i]);
}

static void headers_of_one_hop_stay(void **state UNUSED) {
	static const char *const hop[] = {"te",
					  "connection",
					  "keep-alive",
					  "proxy-connection",
					  "proxy-authorization",
					  "proxy-authenticate",
					  "transfer-encoding",
					  "trailer",
					  "upgrade",
					  "http2-settings",
					  "host",
					  "content-type",
					  "content-length",
					  "content-encoding",
					  "accept",
					  "accept-encoding",
					  "expect",
					  "origin",
					  "x-grpc-web",
					  "connect-timeout-ms",
					  "access-control-request-method",
					  "grpc-timeout",
					  "grpc-status-details-bin"};
	static const char *const end[] = {"traceparent",
					  "tracestate",
					  "cookie",
					  "authorization",
					  "user-agent",
					  "ftl-request-id",
					  "grpc-trace-bin",
					  "grpc-tags-bin",
					  "x-own-bin",
					  "content-language",
					  "acceptable",
					  "hostess",
					  "t",
					  "proxy",
					  "upgrade-insecure-requests"};
	assert_one_hop(hop, ARRAY_LEN(hop), true);
	assert_one_hop(end, ARRAY_LEN(end), false);
}

static void connection_names_headers(void **state UNUSED) {
	assert_true(metadata_is_named(STR("keep-alive, X-Hop"), STR("x-hop")));
	assert_true(metadata_is_named(STR("x-hop"), STR("x-hop")));
	assert_false(metadata_is_named(STR("x-hopper, x"), STR("x-hop")));
	assert_false(metadata_is_named(STR(""), STR("x-hop")));
	assert_false(metadata_is_named((struct str){0}, STR("x-hop")));
}

/* The values of "a-bin" after normalisation, joined by blanks; NULL: refused. */
static const char *normalised(struct arena *arena, const char *value) {
	struct http_headers headers = {0};
	struct error err;
	const char *text = "";
	http_headers_add(&headers, arena, STR("x"), STR("!"));
	http_headers_add(&headers, arena, STR("a-bin"), str_from(value))->never_indexed = true;
	http_headers_add(&headers, arena, STR("grpc-previous-bin"), STR("!"));
	if (metadata_normalise(&headers, arena, &err) < 0) {
		assert_int_equal(err.code, CODE_INVALID_ARGUMENT);
		return NULL;
	}
	assert_true(str_eq(headers.items[0].value, STR("!")));
	assert_true(str_eq(headers.items[headers.count - 1].value, STR("!"))); /* of one hop: not looked at */
	for (size_t i = 1; i + 1 < headers.count; i++) {
		assert_true(str_eq(headers.items[i].name, STR("a-bin")) && headers.items[i].never_indexed);
		text = arena_printf(arena, "%s%s%.*s", text, i > 1 ? " " : "", STR_ARG(headers.items[i].value));
	}
	return text;
}

static void binary_values_are_written_anew(void **state UNUSED) {
	struct arena arena = ARENA_INIT(KIB(64));
	assert_string_equal(normalised(&arena, "AAE="), "AAE");
	assert_string_equal(normalised(&arena, "AAE"), "AAE");
	assert_string_equal(normalised(&arena, "_-8"), "/+8");
	assert_string_equal(normalised(&arena, "AAE=, AAI=,AAM"), "AAE AAI AAM");
	assert_string_equal(normalised(&arena, ""), "");
	assert_null(normalised(&arena, "!!!"));
	assert_null(normalised(&arena, "A"));
	assert_null(normalised(&arena, "AAE=AAE="));
	assert_null(normalised(&arena, "AAE,!"));
	arena_deinit(&arena);
}

/* A list of four thousand empty values is small, and its headers would not be. */
static void lists_have_room_for_what_may_come_as_headers(void **state UNUSED) {
	struct arena arena = ARENA_INIT(KIB(256));
	char commas[4001];
	memset(commas, ',', sizeof commas - 1);
	commas[sizeof commas - 1] = '\0';
	struct http_headers headers = {0}, made = {0};
	struct error err;
	http_headers_add(&headers, &arena, STR("a-bin"), str_from(commas));
	size_t room = metadata_room(&headers);
	assert_int_equal(room, HTTP_HEADER_BYTES_DEFAULT);
	assert_int_equal(metadata_add_binary(&made, &arena, &headers.items[0], &room, &err), -1);
	assert_int_equal(err.code, CODE_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(err.msg, "a-bin"));
	assert_int_equal(made.count, 0);
	assert_int_equal(metadata_normalise(&headers, &arena, &err), -1);
	/* A header that came in one piece goes on in one piece, however large max-header-bytes is. */
	char *large = arena_alloc(&arena, KIB(40) + 1);
	memset(large, 'A', KIB(40));
	headers.items[0].value = str_new(large, KIB(40));
	assert_int_equal(metadata_normalise(&headers, &arena, &err), 0);
	/* Other headers count as well. */
	headers = (struct http_headers){0};
	http_headers_add(&headers, &arena, STR("x"), str_new(large, KIB(12)));
	http_headers_add(&headers, &arena, STR("a-bin"), str_new(commas, 200));
	assert_int_equal(metadata_normalise(&headers, &arena, &err), -1);
	arena_deinit(&arena);
}

static void names_that_grpc_does_not_know_are_dropped(void **state UNUSED) {
	struct arena arena = ARENA_INIT(KIB(4));
	struct http_headers headers = {0};
	static const char *const names[] = {"a-b_c.9", "x!y", "x~y", "ok"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		http_headers_add(&headers, &arena, str_from(names[i]), STR("1"));
	metadata_drop_foreign(&headers);
	assert_int_equal(headers.count, 2);
	assert_true(str_eq(headers.items[1].name, STR("ok")));
	arena_deinit(&arena);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_of_one_hop_stay),
		cmocka_unit_test(connection_names_headers),
		cmocka_unit_test(binary_values_are_written_anew),
		cmocka_unit_test(lists_have_room_for_what_may_come_as_headers),
		cmocka_unit_test(names_that_grpc_does_not_know_are_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
