/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_files.h"

#include "net/endpoint.h"
#include "net/tls.h"

bool tls_files_need_tls(const struct tls_files *files, const struct endpoint *bind) {
	return bind->tls || files->client_ca_file != NULL;
}

int tls_files_check(const struct tls_files *files, bool needed, struct error *err) {
	return tls_check_certificate(files->cert_file, files->key_file, needed, err);
}

int tls_files_open_server(const struct tls_files *files, struct tls_config **ret_config, struct error *err) {
	const struct tls_options options = {.cert_file = files->cert_file,
					    .key_file = files->key_file,
					    .ca_file = files->client_ca_file};
	struct tls_config *config = NULL;
	if (files->cert_file != NULL && (config = tls_config_new(true, &options, err)) == NULL)
		return -1;
	*ret_config = config;
	return 0;
}

int tls_files_open_client(const struct tls_files *files, struct tls_config **ret_config, struct error *err) {
	const struct tls_options options = {.cert_file = files->cert_file,
					    .key_file = files->key_file,
					    .ca_file = files->server_ca_file};
	bool is_given = files->cert_file != NULL || files->server_ca_file != NULL;
	struct tls_config *config = NULL;
	if (is_given && (config = tls_config_new(false, &options, err)) == NULL)
		return -1;
	*ret_config = config;
	return 0;
}

int tls_pair_open(struct tls_pair *ret_pair, const struct tls_files *files, struct error *err) {
	struct tls_pair pair;
	if (tls_files_open_server(files, &pair.server, err) < 0)
		return -1;
	if (tls_files_open_client(files, &pair.client, err) < 0) {
		tls_config_unref(pair.server);
		return -1;
	}
	*ret_pair = pair;
	return 0;
}

void tls_pair_close(struct tls_pair *pair) {
	tls_config_unref(pair->server);
	tls_config_unref(pair->client);
	*pair = (struct tls_pair){0};
}
