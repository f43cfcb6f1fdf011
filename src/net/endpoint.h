/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address of a peer: "http://HOST:PORT", "https://HOST:PORT" or "unix:PATH".
 */
#pragma once

#include <sys/socket.h>

#include "base/error.h"
#include "base/str.h"

enum { ENDPOINT_MAX = 512 };

enum endpoint_kind { ENDPOINT_TCP, ENDPOINT_UNIX };

struct endpoint {
	enum endpoint_kind kind;
	bool tls;
	uint16_t port; /* TCP; 0: any */
	char host[256]; /* TCP: a name or an address, without brackets */
	char path[108]; /* UNIX */
};

/* The error shows the text and the three forms. */
int endpoint_parse(struct str text, struct endpoint *ret_endpoint, struct error *err);

/* The text that endpoint_parse reads. */
void endpoint_format(const struct endpoint *endpoint, char ret_text[ENDPOINT_MAX]);

/* A UNIX socket's path is made absolute by the folder that this process works in, as others that get the endpoint work
 * elsewhere. Fails when such a path is too long for a socket. */
int endpoint_make_absolute(struct endpoint *endpoint, struct error *err);

/* Whether it stands for every address of a machine, so that one can listen on it and not connect to it. */
bool endpoint_is_wildcard(const struct endpoint *endpoint);

/* Whether an endpoint that another process has sent leads to the same place from here: its path is absolute, and its
 * address one that can be connected to. */
int endpoint_check_given(const struct endpoint *endpoint, struct error *err);

/* Whether the address is of this machine only: a UNIX socket, or a loopback name or address. */
bool endpoint_is_loopback(const struct endpoint *endpoint);
