/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/reasons.h"
#include "net/tls_explain.h"

enum { FILES = 3, LOOK_AGAIN_MS = 1000 };

/* Tells a file from an earlier one of that name: the time of change (ctime), unlike mtime, cannot be set. */
struct file_mark {
	ino_t number;
	struct timespec changed;
};

struct tls_config {
	unsigned refs;
	bool is_server;
	bool http1_only;
	char *files[FILES]; /* certificate, key, CA; each may be NULL */
	struct file_mark marks[FILES];
	uint64_t looked_ms;
	SSL_CTX *context;
};

struct tls_session {
	struct tls_config *config; /* a reference */
	const char *host;
	SSL *ssl;
	BIO *in, *out; /* belong to ssl */
};

/* --- certificates ------------------------------------------------------------------------------------------------- */

/* In the order of the server's preference (RFC 7301): HTTP/2 before HTTP/1.1. */
static const unsigned char protocols[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
enum { HTTP1_OFFSET = 3 };

static int choose_protocol(SSL *ssl UNUSED, const unsigned char **ret_chosen, unsigned char *ret_len,
			   const unsigned char *offered, unsigned offered_len, void *data UNUSED) {
	unsigned char *chosen;
	if (SSL_select_next_proto(&chosen, ret_len, protocols, sizeof protocols, offered, offered_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret_chosen = chosen;
	return SSL_TLSEXT_ERR_OK;
}

int tls_check_certificate(const char *cert_file, const char *key_file, bool needed, struct error *err) {
	if ((cert_file == NULL) != (key_file == NULL)) {
		error_set(err, CODE_INVALID_ARGUMENT,
			  "a TLS certificate and its key go together, and only the %s is given",
			  cert_file != NULL ? "certificate" : "key");
		return error_set_reason(err, REASON_CERTIFICATE_WITHOUT_KEY);
	}
	if (cert_file == NULL && needed) {
		error_set(err, CODE_INVALID_ARGUMENT, "TLS needs a certificate and its key, and none is given");
		return error_set_reason(err, REASON_CERTIFICATE_MISSING);
	}
	return 0;
}

static int load_own(SSL_CTX *context, const char *cert_file, const char *key_file, struct error *err) {
	if (cert_file == NULL)
		return 0;
	if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
		return tls_explain_file("could not load the TLS certificate", cert_file, err);
	if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
		return tls_explain_file("could not load the TLS key", key_file, err);
	return 0;
}

static int load_trust(SSL_CTX *context, bool is_server, const char *ca_file, struct error *err) {
	if (ca_file != NULL && SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1)
		return tls_explain_file("could not load the TLS authorities", ca_file, err);
	if (is_server && ca_file != NULL) {
		STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca_file);
		if (names != NULL)
			SSL_CTX_set_client_CA_list(context, names);
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	} else if (!is_server) {
		if (ca_file == NULL)
			SSL_CTX_set_default_verify_paths(context);
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	}
	return 0;
}

static SSL_CTX *make_context(const struct tls_config *config, struct error *err) {
	SSL_CTX *context = SSL_CTX_new(config->is_server ? TLS_server_method() : TLS_client_method());
	ASSERT(context != NULL);
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	/* HTTP/2 asks for these suites under TLS 1.2 (RFC 9113 section 9.2.2): forward secret, and no CBC. */
	SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (config->is_server) {
		SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
		SSL_CTX_set_session_id_context(context, (const unsigned char *)"rpc", 3);
	} else {
		size_t offset = config->http1_only ? HTTP1_OFFSET : 0;
		SSL_CTX_set_alpn_protos(context, protocols + offset, (unsigned)(sizeof protocols - offset));
	}
	if (load_own(context, config->files[0], config->files[1], err) < 0 ||
	    load_trust(context, config->is_server, config->files[2], err) < 0) {
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}

/* Whether a file has changed since the last look. */
static bool look_for_changes(struct tls_config *config) {
	bool changed = false;
	for (size_t i = 0; i < FILES; i++) {
		struct stat status;
		if (config->files[i] == NULL || stat(config->files[i], &status) < 0)
			continue;
		struct file_mark *before = &config->marks[i],
				 now = {.number = status.st_ino, .changed = status.st_ctim};
		changed |= before->number != now.number || before->changed.tv_sec != now.changed.tv_sec ||
			   before->changed.tv_nsec != now.changed.tv_nsec;
		*before = now;
	}
	config->looked_ms = clock_ms();
	return changed;
}

struct tls_config *tls_config_new(bool is_server, const struct tls_options *options, struct error *err) {
	struct tls_config *config = mem_zalloc(sizeof *config);
	const char *files[FILES] = {options->cert_file, options->key_file, options->ca_file};
	config->refs = 1;
	config->is_server = is_server;
	config->http1_only = options->http1_only;
	for (size_t i = 0; i < FILES; i++)
		config->files[i] = files[i] ? mem_strdup(files[i]) : NULL;
	look_for_changes(config);
	if (tls_check_certificate(options->cert_file, options->key_file, is_server, err) == 0)
		config->context = make_context(config, err);
	if (config->context == NULL) {
		tls_config_unref(config);
		return NULL;
	}
	return config;
}

struct tls_config *tls_config_ref(struct tls_config *config) {
	if (config != NULL)
		config->refs++;
	return config;
}

void tls_config_unref(struct tls_config *config) {
	if (config == NULL || --config->refs > 0)
		return;
	for (size_t i = 0; i < FILES; i++)
		free(config->files[i]);
	SSL_CTX_free(config->context);
	free(config);
}

void tls_config_refresh(struct tls_config *config) {
	if (clock_ms() - config->looked_ms < LOOK_AGAIN_MS || !look_for_changes(config))
		return;
	struct error err;
	SSL_CTX *context = make_context(config, &err);
	if (context == NULL) {
		log_failure(LOG_ERROR, &err, "the TLS files have changed and the old ones stay in use");
		return;
	}
	SSL_CTX_free(config->context);
	config->context = context;
	log_info("the TLS files have changed and were read again");
}

/* --- one connection ----------------------------------------------------------------------------------------------- */

struct tls_session *tls_session_new(struct tls_config *config, const char *host) {
	struct tls_session *session = mem_alloc(sizeof *session);
	*session = (struct tls_session){.config = tls_config_ref(config),
					.host = host,
					.ssl = SSL_new(config->context),
					.in = BIO_new(BIO_s_mem()),
					.out = BIO_new(BIO_s_mem())};
	ASSERT(session->ssl != NULL && session->in != NULL && session->out != NULL);
	BIO_set_mem_eof_return(session->in, -1);
	SSL_set_bio(session->ssl, session->in, session->out);
	if (config->is_server) {
		SSL_set_accept_state(session->ssl);
		return session;
	}
	SSL_set_connect_state(session->ssl);
	/* A certificate names a host or an address; server names on the wire are hosts only (RFC 6066). */
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session->ssl), host) != 1) {
		SSL_set1_host(session->ssl, host);
		SSL_set_tlsext_host_name(session->ssl, host);
	}
	ERR_clear_error();
	return session;
}

void tls_session_free(struct tls_session *session) {
	if (session == NULL)
		return;
	SSL_free(session->ssl);
	tls_config_unref(session->config);
	free(session);
}

void tls_receive(struct tls_session *session, struct str wire) {
	int taken = BIO_write(session->in, wire.ptr, (int)wire.len);
	ASSERT(taken == (int)wire.len);
}

static enum tls_result explain(struct tls_session *session, int result, struct error *err) {
	switch (SSL_get_error(session->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANTS_MORE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_ENDED;
	default:
		break;
	}
	const struct tls_side side = {.cert_file = session->config->files[0],
				      .ca_file = session->config->files[2],
				      .host = session->host};
	tls_explain(session->ssl, &side, err);
	return TLS_BROKEN;
}

enum tls_result tls_handshake(struct tls_session *session, struct error *err) {
	ERR_clear_error();
	int result = SSL_do_handshake(session->ssl);
	return result == 1 ? TLS_DONE : explain(session, result, err);
}

enum tls_result tls_read(struct tls_session *session, char *ret_bytes, size_t max, size_t *ret_len, struct error *err) {
	ERR_clear_error();
	int result = SSL_read_ex(session->ssl, ret_bytes, max, ret_len);
	return result == 1 ? TLS_DONE : explain(session, result, err);
}

int tls_write(struct tls_session *session, struct str bytes, struct error *err) {
	while (bytes.len > 0) {
		size_t written = 0;
		ERR_clear_error();
		int result = SSL_write_ex(session->ssl, bytes.ptr, bytes.len, &written);
		if (result != 1 && explain(session, result, err) != TLS_BROKEN)
			return error_set(err, CODE_UNAVAILABLE, "TLS: the connection takes nothing more");
		if (result != 1)
			return -1;
		bytes = str_from_offset(bytes, written);
	}
	return 0;
}

void tls_end(struct tls_session *session) {
	if (SSL_is_init_finished(session->ssl))
		SSL_shutdown(session->ssl);
	ERR_clear_error();
}

struct str tls_outgoing(struct tls_session *session) {
	char *bytes;
	long len = BIO_get_mem_data(session->out, &bytes);
	return str_new(bytes, len > 0 ? (size_t)len : 0);
}

void tls_outgoing_consume(struct tls_session *session) {
	(void)BIO_reset(session->out);
}

struct str tls_protocol(const struct tls_session *session) {
	const unsigned char *name;
	unsigned len;
	SSL_get0_alpn_selected(session->ssl, &name, &len);
	return str_new(name, len);
}
