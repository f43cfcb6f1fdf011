/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS of a process that is a server and a client: the files that it was given, and the configurations made of them.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct endpoint;
struct tls_config;

/* Names of PEM files, each borrowed; NULL: not given. */
struct tls_files {
	const char *cert_file, *key_file; /* shown to clients, and to servers that ask for a certificate */
	const char *client_ca_file; /* signs the certificates that clients must show. NULL: they need none */
	const char *server_ca_file; /* signs the certificates of servers. NULL: the system's authorities do */
};

/* Whether a server with these files refuses clear text: at https://, or when clients must show a certificate. */
bool tls_files_need_tls(const struct tls_files *files, const struct endpoint *bind);

/* Checks that certificate and key are given together, and that they are given if needed. The error has the reason
 * CERTIFICATE_WITHOUT_KEY or CERTIFICATE_MISSING. */
int tls_files_check(const struct tls_files *files, bool needed, struct error *err);

/* A configuration of one loop. *ret_config is NULL if the files say nothing about that side. */
int tls_files_open_server(const struct tls_files *files, struct tls_config **ret_config, struct error *err);
int tls_files_open_client(const struct tls_files *files, struct tls_config **ret_config, struct error *err);

/* Both sides of one loop; each may be NULL. */
struct tls_pair {
	struct tls_config *server, *client;
};

int tls_pair_open(struct tls_pair *ret_pair, const struct tls_files *files, struct error *err);
void tls_pair_close(struct tls_pair *pair);
