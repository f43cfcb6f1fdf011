/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_explain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/reasons.h"

enum { NAMES_MAX = 4, NAMES_TEXT_MAX = 256, NAME_BYTES_MAX = 60 };

/* --- files -------------------------------------------------------------------------------------------------------- */

int tls_explain_file(const char *what, const char *file, struct error *err) {
	unsigned long number = ERR_peek_last_error();
	const char *why = ERR_reason_error_string(number);
	struct stat status;
	ERR_clear_error();
	if (access(file, R_OK) < 0 || stat(file, &status) < 0)
		return error_set_errno(err, errno, "%s %s", what, file);
	if (S_ISDIR(status.st_mode))
		return error_set(err, CODE_INVALID_ARGUMENT, "%s %s: it is a folder; name a PEM file", what, file);
	if (ERR_GET_LIB(number) == ERR_LIB_X509 && ERR_GET_REASON(number) == X509_R_KEY_VALUES_MISMATCH)
		return error_set(err, CODE_INVALID_ARGUMENT, "%s %s: it is not the key of the certificate", what, file);
	/* The last error of OpenSSL's reader is often only the name of its library. */
	return error_set(err, CODE_INVALID_ARGUMENT, "%s %s: the file has no such PEM block that can be read (%s)",
			 what, file, why != NULL ? why : "it is empty");
}

/* --- the peer's certificate --------------------------------------------------------------------------------------- */

static size_t add_name(char *text, size_t used, const char *name, size_t len) {
	int added = snprintf(text + used, NAMES_TEXT_MAX - used, "%s%.*s", used > 0 ? ", " : "",
			     (int)MIN(len, (size_t)NAME_BYTES_MAX), name);
	return MIN(used + (size_t)added, (size_t)NAMES_TEXT_MAX - 1);
}

static size_t add_general_name(char *text, size_t used, const GENERAL_NAME *name) {
	char address[INET6_ADDRSTRLEN];
	const ASN1_STRING *value = name->d.ia5;
	const unsigned char *bytes = ASN1_STRING_get0_data(value);
	int len = ASN1_STRING_length(value);
	if (name->type == GEN_DNS)
		return add_name(text, used, (const char *)bytes, (size_t)len);
	if (name->type != GEN_IPADD || (len != 4 && len != 16))
		return used;
	inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, address, sizeof address);
	return add_name(text, used, address, strlen(address));
}

/* Writes "localhost, 127.0.0.1", the first few names that the certificate is for; "": it has none. */
static void name_peer(SSL *ssl, char text[NAMES_TEXT_MAX]) {
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	text[0] = '\0';
	if (chain == NULL || sk_X509_num(chain) == 0)
		return;
	GENERAL_NAMES *names = X509_get_ext_d2i(sk_X509_value(chain, 0), NID_subject_alt_name, NULL, NULL);
	size_t used = 0;
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < NAMES_MAX; i++)
		used = add_general_name(text, used, sk_GENERAL_NAME_value(names, i));
	if (sk_GENERAL_NAME_num(names) > NAMES_MAX)
		add_name(text, used, "…", strlen("…"));
	GENERAL_NAMES_free(names);
}

static int other_name(SSL *ssl, const struct tls_side *side, struct error *err) {
	char names[NAMES_TEXT_MAX];
	name_peer(ssl, names);
	error_set(err, CODE_UNAVAILABLE, "TLS: the server's certificate is for %s, and not for %s",
		  names[0] != '\0' ? names : "no host", side->host);
	return error_set_reason(err, REASON_CERTIFICATE_OTHER_NAME);
}

/* verified: what is wrong with the peer's certificate. */
static int refuse_peer(SSL *ssl, const struct tls_side *side, long verified, enum code code, struct error *err) {
	const char *peer = SSL_is_server(ssl) ? "client" : "server";
	const char *why = X509_verify_cert_error_string(verified);
	switch (verified) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return other_name(ssl, side, err);
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
		error_set(err, code, "TLS: the %s's certificate is not valid now (%s); check it, and the clock", peer,
			  why);
		return error_set_reason(err, REASON_CERTIFICATE_EXPIRED);
	default:
		error_set(err, code, "TLS: the %s's certificate is not trusted by %s: certificate verify failed (%s)",
			  peer, side->ca_file != NULL ? side->ca_file : "the authorities of this system", why);
		return error_set_reason(err, REASON_CERTIFICATE_NOT_TRUSTED);
	}
}

/* --- what the peer says ------------------------------------------------------------------------------------------- */

static int want_certificate(enum code code, struct error *err) {
	error_set(err, code,
		  "TLS: the server admits only clients with a certificate, and none was shown "
		  "(certificate required)");
	return error_set_reason(err, REASON_CLIENT_CERTIFICATE_WANTED);
}

/* The peer ended the handshake with the alert of this number (RFC 8446 section 6). */
static int explain_alert(SSL *ssl, const struct tls_side *side, int alert, enum code code, struct error *err) {
	const char *why = SSL_alert_desc_string_long(alert);
	bool shows_none = !SSL_is_server(ssl) && side->cert_file == NULL;
	switch (alert) {
	case SSL_AD_HANDSHAKE_FAILURE: /* of TLS 1.2, when a client shows no certificate */
		if (shows_none && SSL_get0_peer_CA_list(ssl) != NULL)
			return want_certificate(code, err);
		break;
	case TLS13_AD_CERTIFICATE_REQUIRED:
		return want_certificate(code, err);
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
		error_set(err, code, "TLS: the %s refuses the certificate %s (%s)",
			  SSL_is_server(ssl) ? "client" : "server",
			  side->cert_file != NULL ? side->cert_file : "of this side", why);
		return error_set_reason(err, REASON_CERTIFICATE_REFUSED);
	default:
		break;
	}
	error_set(err, code, "TLS: the peer ended the handshake (%s)", why);
	return error_set_reason(err, REASON_TLS_FAILED);
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

/* Bytes that are no TLS come from a peer that speaks in clear text. */
static bool is_no_tls(unsigned long number) {
	switch (ERR_GET_REASON(number)) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_RECORD_LENGTH_MISMATCH:
	case SSL_R_BAD_RECORD_TYPE:
		return true;
	default:
		return false;
	}
}

void tls_explain(SSL *ssl, const struct tls_side *side, struct error *err) {
	/* A client that breaks TLS is logged; a server with which no TLS is possible is as good as none. */
	enum code code = SSL_is_server(ssl) ? CODE_INVALID_ARGUMENT : CODE_UNAVAILABLE;
	long verified = SSL_get_verify_result(ssl);
	unsigned long number = ERR_peek_error();
	const char *why = ERR_reason_error_string(number);
	ERR_clear_error();
	bool is_ssl = ERR_GET_LIB(number) == ERR_LIB_SSL;
	if (verified != X509_V_OK) {
		refuse_peer(ssl, side, verified, code, err);
	} else if (is_ssl && ERR_GET_REASON(number) > SSL_AD_REASON_OFFSET) {
		explain_alert(ssl, side, ERR_GET_REASON(number) - SSL_AD_REASON_OFFSET, code, err);
	} else if (is_ssl && ERR_GET_REASON(number) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
		error_set(err, code, "TLS: the client shows no certificate, and one that %s has signed is wanted",
			  side->ca_file);
		error_set_reason(err, REASON_CLIENT_CERTIFICATE_WANTED);
	} else if (is_ssl && is_no_tls(number)) {
		error_set(err, code, "TLS: the peer sends bytes that are no TLS (%s)", why);
		error_set_reason(err, REASON_TLS_FAILED);
	} else {
		error_set(err, code, "TLS: %s", why != NULL ? why : "the peer broke the protocol");
		error_set_reason(err, REASON_TLS_FAILED);
	}
}
