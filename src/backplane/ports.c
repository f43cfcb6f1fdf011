/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/ports.h"

#include <stdio.h>
#include <string.h>

#include "backplane/backplane.h"
#include "backplane/takeover/offer.h"
#include "base/reasons.h"
#include "net/tls.h"

static void on_accept(struct listener *listener, int fd) {
	struct ports *ports = listener->owner;
	ports->accept(ports->owner, fd, listener == &ports->inner);
}

static int read_tls_files(struct ports *ports, const struct backplane_options *options, const struct endpoint *bind,
			  struct error *err) {
	ports->tls_files = (struct tls_files){.cert_file = options->tls_cert,
					      .key_file = options->tls_key,
					      .client_ca_file = options->tls_client_ca,
					      .server_ca_file = options->ca};
	ports->tls_only = tls_files_need_tls(&ports->tls_files, bind);
	if (tls_files_check(&ports->tls_files, ports->tls_only, err) < 0)
		return -1;
	return tls_files_open_client(&ports->tls_files, &ports->client_tls, err);
}

/* Only this user can connect to a socket in the data folder, so its connections need no certificate. */
static int open_inner(struct ports *ports, struct loop *loop, const char *data_folder, struct offer *offer,
		      struct error *err) {
	struct endpoint endpoint = {.kind = ENDPOINT_UNIX};
	if (offer != NULL && offer->inner >= 0) {
		listener_adopt(&ports->inner, loop, offer->inner, &offer->inner_endpoint, on_accept, ports);
		offer->inner = -1;
		return 0;
	}
	int len = snprintf(endpoint.path, sizeof endpoint.path, "%s/backplane.sock", data_folder);
	if (len >= (int)sizeof endpoint.path) {
		error_set(
			err, CODE_INVALID_ARGUMENT,
			"%s/backplane.sock has more than 107 bytes, which no socket's path may; choose a data folder with a "
			"shorter path",
			data_folder);
		return error_set_reason(err, REASON_SOCKET_PATH_TOO_LONG);
	}
	return listener_open(&ports->inner, loop, &endpoint, on_accept, ports, err);
}

static int open_port(struct ports *ports, struct loop *loop, const struct endpoint *endpoint, struct offer *offer,
		     struct error *err) {
	if (offer == NULL)
		return listener_open(&ports->port, loop, endpoint, on_accept, ports, err);
	listener_adopt(&ports->port, loop, offer->listener, endpoint, on_accept, ports);
	offer->listener = -1;
	return 0;
}

void ports_init(struct ports *ports, void (*accept)(void *owner, int fd, bool trusted), void *owner) {
	*ports = (struct ports){.port.fd = -1, .inner.fd = -1, .accept = accept, .owner = owner};
}

int ports_open(struct ports *ports, struct loop *loop, const struct backplane_options *options, const char *data_folder,
	       struct offer *offer, struct error *err) {
	struct endpoint endpoint;
	if (offer != NULL)
		endpoint = offer->endpoint;
	else if (endpoint_parse(str_from(options->bind), &endpoint, err) < 0)
		return -1;
	if (read_tls_files(ports, options, &endpoint, err) < 0 || open_port(ports, loop, &endpoint, offer, err) < 0)
		return -1;
	ports->port.endpoint.tls |= ports->tls_only;
	/* Runners that the previous Backplane started may connect to its inner socket. */
	if (ports->tls_only || (offer != NULL && offer->inner >= 0))
		return open_inner(ports, loop, data_folder, offer, err);
	return 0;
}

void ports_close(struct ports *ports) {
	listener_close(&ports->port);
	listener_close(&ports->inner);
}

void ports_abandon(struct ports *ports) {
	listener_abandon(&ports->port);
	listener_abandon(&ports->inner);
}

void ports_deinit(struct ports *ports) {
	tls_config_unref(ports->client_tls);
}

void ports_name(const struct ports *ports, char ret_endpoint[ENDPOINT_MAX]) {
	struct endpoint endpoint = ports->port.endpoint;
	if (endpoint_is_wildcard(&endpoint))
		snprintf(endpoint.host, sizeof endpoint.host, "%s",
			 strchr(endpoint.host, ':') != NULL ? "::1" : "127.0.0.1");
	endpoint_format(&endpoint, ret_endpoint);
}

void ports_name_inner(const struct ports *ports, char ret_endpoint[ENDPOINT_MAX]) {
	if (ports->inner.fd >= 0)
		endpoint_format(&ports->inner.endpoint, ret_endpoint);
	else
		ports_name(ports, ret_endpoint);
}

const struct listener *ports_trusted(const struct ports *ports) {
	return ports->inner.fd >= 0 ? &ports->inner : &ports->port;
}
