/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "../cmocka_test.h"

#include "net/endpoint.h"
#include "net/own_address.h"

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

/* The text after endpoint_make_absolute in that folder, or the error's. */
static const char *absolute_in(const char *folder, const char *text) {
	static char printed[ENDPOINT_MAX];
	static struct error err;
	struct endpoint endpoint;
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(endpoint_parse(str_from(text), &endpoint, &err), 0);
	if (endpoint_make_absolute(&endpoint, &err) < 0)
		return err.msg;
	endpoint_format(&endpoint, printed);
	return printed;
}

static void paths_become_absolute(void **state UNUSED) {
	assert_string_equal(absolute_in("/usr/bin", "unix:b.sock"), "unix:/usr/bin/b.sock");
	assert_string_equal(absolute_in("/usr", "unix:bin/b.sock"), "unix:/usr/bin/b.sock");
	assert_string_equal(absolute_in("/usr/bin", "unix:././b.sock"), "unix:/usr/bin/b.sock");
	assert_string_equal(absolute_in("/usr/bin", "unix:../b.sock"), "unix:/usr/b.sock");
	assert_string_equal(absolute_in("/usr/bin", "unix:no-such/b.sock"), "unix:/usr/bin/no-such/b.sock");
	assert_string_equal(absolute_in("/", "unix:b.sock"), "unix:/b.sock");
	assert_string_equal(absolute_in("/usr/bin", "unix:/run/b.sock"), "unix:/run/b.sock");
	assert_string_equal(absolute_in("/usr/bin", "http://a:1"), "http://a:1");
}

/* 107 bytes fit, and 108 do not. */
static void a_path_may_become_too_long(void **state UNUSED) {
	char text[160] = "unix:";
	size_t fits = 107 - strlen("/usr/bin/");
	memset(text + strlen(text), 'x', fits);
	assert_int_equal(strlen(absolute_in("/usr/bin", text)), strlen("unix:") + 107);
	text[strlen(text)] = 'y';
	assert_non_null(strstr(absolute_in("/usr/bin", text), "has 108 bytes; the path of a socket has at most 107"));
}

static void what_others_give_leads_somewhere(void **state UNUSED) {
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"unix:/run/b.sock", NULL},
		{"http://a:1", NULL},
		{"http://127.0.0.1:1", NULL},
		{"unix:b.sock", "is relative"},
		{"http://a:0", "port 0"},
		{"http://0.0.0.0:1", "every address"},
		{"https://[::]:1", "every address"},
		{"http://[0:0::0]:1", "every address"},
		{"http://[::1]:1", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct endpoint endpoint;
		struct error err;
		assert_int_equal(endpoint_parse(str_from(cases[i].text), &endpoint, &err), 0);
		assert_int_equal(endpoint_check_given(&endpoint, &err), cases[i].why == NULL ? 0 : -1);
		if (cases[i].why != NULL)
			assert_non_null(strstr(err.msg, cases[i].why));
	}
}

static void finds_the_own_address(void **state UNUSED) {
	static const struct {
		const char *peer;
		int family;
		const char *host;
	} cases[] = {
		{"http://127.0.0.1:1", AF_UNSPEC, "127.0.0.1"},
		{"http://localhost:1", AF_INET6, "::1"},
		{"unix:/run/b.sock", AF_INET, "127.0.0.1"},
	};
	struct own_address own;
	struct endpoint peer;
	struct error err;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(endpoint_parse(str_from(cases[i].peer), &peer, &err), 0);
		assert_true(own_address_find(&peer, cases[i].family, &own));
		assert_string_equal(own.host, cases[i].host);
		assert_true(own.peer_is_here);
	}
	snprintf(peer.host, sizeof peer.host, "no.such.host.invalid");
	peer.kind = ENDPOINT_TCP;
	assert_false(own_address_find(&peer, AF_UNSPEC, &own));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_three_forms),
		cmocka_unit_test(schemes_have_no_case),
		cmocka_unit_test(paths_become_absolute),
		cmocka_unit_test(a_path_may_become_too_long),
		cmocka_unit_test(what_others_give_leads_somewhere),
		cmocka_unit_test(finds_the_own_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
