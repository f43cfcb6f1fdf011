/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recognises the protocol of a new connection by its first bytes, so that one port serves them all: HTTP/2 with prior
 * knowledge, HTTP/1.1, or TLS, within which ALPN names one of the two.
 *
 * A sniffer frees itself after one of its events.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"
#include "net/loop.h"

struct sniffer;
struct tls_config;
struct transport;

struct sniffer_events {
	/* http is 1 or 2. The transport is the owner's from now on; first are the bytes that the peer has sent. */
	void (*recognised)(void *owner, struct transport *transport, unsigned http, struct str first);
	/* The connection was closed before its protocol was known. why is NULL when the peer closed it. */
	void (*closed)(void *owner, const char *peer, const struct error *why);
};

/* Takes fd. tls may be NULL. Never calls an event from inside. Returns NULL, and closes fd, when the system refuses the
 * socket. */
struct sniffer *sniffer_open(struct loop *loop, int fd, struct tls_config *tls, const struct sniffer_events *events,
			     void *owner);

/* `closed` follows, with why. */
void sniffer_close(struct sniffer *sniffer, const struct error *why);

uint64_t sniffer_since_ms(const struct sniffer *sniffer);
