/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listeners of a Backplane: the port for clients and, when that port accepts TLS only, a socket in the data folder
 * for its own Runners, which have no certificates.
 */
#pragma once

#include "net/listener.h"
#include "net/tls_files.h"

struct offer;

struct ports {
	struct listener port;
	struct listener inner; /* the socket in the data folder; fd -1: not open */
	bool tls_only; /* whether port accepts TLS only */
	struct tls_files tls_files;
	struct tls_config *client_tls; /* for connections of the control side to Runners; NULL: none */
	/* Takes a connection. trusted: it arrived at inner. */
	void (*accept)(void *owner, int fd, bool trusted);
	void *owner;
};

struct backplane_options;

void ports_init(struct ports *ports, void (*accept)(void *owner, int fd, bool trusted), void *owner);
/* Opens the listeners, or adopts the sockets of the offer; offer NULL: this start is no takeover. */
int ports_open(struct ports *ports, struct loop *loop, const struct backplane_options *options, const char *data_folder,
	       struct offer *offer, struct error *err);
/* Closes the listeners and removes the files of their sockets. */
void ports_close(struct ports *ports);
/* Closes the listeners of this process only: another process listens on the same sockets. */
void ports_abandon(struct ports *ports);
void ports_deinit(struct ports *ports);

/* The endpoint of the port for processes of this machine: a loopback address in place of a wildcard. */
void ports_name(const struct ports *ports, char ret_endpoint[ENDPOINT_MAX]);
/* The endpoint for Runners of this machine: inner if it is open, else the port. */
void ports_name_inner(const struct ports *ports, char ret_endpoint[ENDPOINT_MAX]);
/* The listener of that endpoint. */
const struct listener *ports_trusted(const struct ports *ports);
