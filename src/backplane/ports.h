/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a Backplane listens: the port of its clients, and, when that takes TLS alone, a socket in the data folder for
 * its own Runners, which have no certificates.
 */
#pragma once

#include "net/listener.h"
#include "net/tls_files.h"

struct offer;

struct ports {
	struct listener port;
	struct listener inner; /* fd -1: not open */
	bool tls_only; /* of port */
	struct tls_files tls_files;
	struct tls_config *client_tls; /* of the control side, towards Runners; NULL: none */
	/* Takes a connection. trusted: it came by inner. */
	void (*accept)(void *owner, int fd, bool trusted);
	void *owner;
};

struct backplane_options;

void ports_init(struct ports *ports, void (*accept)(void *owner, int fd, bool trusted), void *owner);
/* Opens both, or adopts the sockets of an offer; offer NULL: there is none. */
int ports_open(struct ports *ports, struct loop *loop, const struct backplane_options *options, const char *data_folder,
	       struct offer *offer, struct error *err);
/* Closes the listeners. The files of their sockets go. */
void ports_close(struct ports *ports);
/* Closes the listeners of this process; another process listens on. */
void ports_abandon(struct ports *ports);
void ports_deinit(struct ports *ports);

/* Where processes of this machine find the port, as a wildcard address is none to connect to. */
void ports_name(const struct ports *ports, char ret_endpoint[ENDPOINT_MAX]);
/* Where Runners of this machine connect to. */
void ports_name_inner(const struct ports *ports, char ret_endpoint[ENDPOINT_MAX]);
/* The listener to which another process of this machine connects. */
const struct listener *ports_trusted(const struct ports *ports);
