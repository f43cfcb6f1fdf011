/* SPDX-License-Identifier: Apache-2.0 */
#include "certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../cmocka_test.h"

enum { VALID_S = 3600 };

static void add_extension(X509 *cert, int kind, const char *value) {
	X509V3_CTX context;
	X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(cert, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static X509 *make_cert(EVP_PKEY *key) {
	X509 *cert = X509_new();
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), VALID_S);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"test", -1,
				   -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(cert, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	return cert;
}

void certificate_make(struct certificate *certificate) {
	*certificate = (struct certificate){.folder = "/tmp/ftl-test-XXXXXX"};
	assert_non_null(mkdtemp(certificate->folder));
	snprintf(certificate->cert_file, sizeof certificate->cert_file, "%s/cert.pem", certificate->folder);
	snprintf(certificate->key_file, sizeof certificate->key_file, "%s/key.pem", certificate->folder);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = make_cert(key);
	FILE *file = fopen(certificate->cert_file, "w");
	assert_int_equal(PEM_write_X509(file, cert), 1);
	fclose(file);
	file = fopen(certificate->key_file, "w");
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	X509_free(cert);
	EVP_PKEY_free(key);
}

void certificate_remove(struct certificate *certificate) {
	unlink(certificate->cert_file);
	unlink(certificate->key_file);
	rmdir(certificate->folder);
}
