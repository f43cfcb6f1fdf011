/* SPDX-License-Identifier: Apache-2.0 */
#include "../cmocka_test.h"

#include "base/reasons.h"
#include "certificate.h"
#include "net/endpoint.h"
#include "net/tls.h"
#include "net/tls_files.h"

static struct certificate certificate;

/* The text must not speak of options: SDKs and pages show it too. */
static void expect_refusal(const struct tls_files *files, bool needed, const char *reason) {
	struct error err;
	assert_int_equal(tls_files_check(files, needed, &err), -1);
	assert_int_equal(err.code, CODE_INVALID_ARGUMENT);
	assert_string_equal(err.reason, reason);
	assert_null(strstr(err.msg, "--"));
}

static void certificate_and_key_go_together(void **state UNUSED) {
	struct tls_files cert_alone = {.cert_file = "cert.pem"}, key_alone = {.key_file = "key.pem"};
	struct tls_files both = {.cert_file = "cert.pem", .key_file = "key.pem"}, none = {0};
	struct error err;
	for (int needed = 0; needed < 2; needed++) {
		expect_refusal(&cert_alone, needed, REASON_CERTIFICATE_WITHOUT_KEY);
		expect_refusal(&key_alone, needed, REASON_CERTIFICATE_WITHOUT_KEY);
		assert_int_equal(tls_files_check(&both, needed, &err), 0);
	}
	assert_int_equal(tls_files_check(&none, false, &err), 0);
	expect_refusal(&none, true, REASON_CERTIFICATE_MISSING);
}

static void https_and_client_certificates_need_tls(void **state UNUSED) {
	struct endpoint http = {.kind = ENDPOINT_TCP}, https = {.kind = ENDPOINT_TCP, .tls = true};
	struct tls_files none = {0}, client_ca = {.client_ca_file = "ca.pem"}, server_ca = {.server_ca_file = "ca.pem"};
	assert_false(tls_files_need_tls(&none, &http));
	assert_true(tls_files_need_tls(&none, &https));
	assert_true(tls_files_need_tls(&client_ca, &http));
	assert_false(tls_files_need_tls(&server_ca, &http));
}

static void each_side_is_opened_if_the_files_say_something_about_it(void **state UNUSED) {
	struct tls_files none = {0}, server_ca = {.server_ca_file = certificate.cert_file};
	struct tls_files both = {.cert_file = certificate.cert_file, .key_file = certificate.key_file};
	struct tls_pair pair;
	struct error err;
	assert_int_equal(tls_pair_open(&pair, &none, &err), 0);
	assert_null(pair.server);
	assert_null(pair.client);
	assert_int_equal(tls_pair_open(&pair, &server_ca, &err), 0);
	assert_null(pair.server);
	assert_non_null(pair.client);
	tls_pair_close(&pair);
	assert_int_equal(tls_pair_open(&pair, &both, &err), 0);
	assert_non_null(pair.server);
	assert_non_null(pair.client);
	tls_pair_close(&pair);
	assert_null(pair.client);
}

static void a_file_that_does_not_load_is_named(void **state UNUSED) {
	struct tls_files swapped = {.cert_file = certificate.key_file, .key_file = certificate.cert_file};
	struct tls_files no_ca = {.server_ca_file = "/nowhere/ca.pem"};
	struct tls_pair pair;
	struct error err;
	assert_int_equal(tls_pair_open(&pair, &swapped, &err), -1);
	assert_non_null(strstr(err.msg, certificate.key_file));
	assert_int_equal(tls_pair_open(&pair, &no_ca, &err), -1);
	assert_non_null(strstr(err.msg, "/nowhere/ca.pem"));
}

static void a_configuration_checks_its_certificate_too(void **state UNUSED) {
	struct tls_options none = {0}, key_alone = {.key_file = certificate.key_file};
	struct error err;
	assert_null(tls_config_new(true, &none, &err));
	assert_string_equal(err.reason, REASON_CERTIFICATE_MISSING);
	assert_null(tls_config_new(false, &key_alone, &err));
	assert_string_equal(err.reason, REASON_CERTIFICATE_WITHOUT_KEY);
}

static int make_certificate(void **state UNUSED) {
	certificate_make(&certificate);
	return 0;
}

static int remove_certificate(void **state UNUSED) {
	certificate_remove(&certificate);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificate_and_key_go_together),
		cmocka_unit_test(https_and_client_certificates_need_tls),
		cmocka_unit_test(each_side_is_opened_if_the_files_say_something_about_it),
		cmocka_unit_test(a_file_that_does_not_load_is_named),
		cmocka_unit_test(a_configuration_checks_its_certificate_too),
	};
	return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
