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

/* Whether the address is of this machine only: a UNIX socket, or a loopback name or address. */
bool endpoint_is_loopback(const struct endpoint *endpoint);
