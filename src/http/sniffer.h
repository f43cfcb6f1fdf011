/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a new connection waits until its first bytes tell what it speaks: HTTP/2 with prior knowledge, HTTP/1.1, or
 * TLS, within which ALPN tells. So one port serves them all.
 *
 * A door frees itself after one of its events.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"
#include "net/loop.h"

struct sniffer;
struct tls_config;
struct transport;

struct sniffer_events {
	/* The transport is the owner's; http is 1 or 2. first is what the peer has sent already. */
	void (*entered)(void *owner, struct transport *transport, unsigned http, struct str first);
	/* Nothing came of it. why is NULL when the peer just left. */
	void (*left)(void *owner, const char *peer, const struct error *why);
};

/* Takes fd. tls may be NULL. Never calls an event from inside. NULL: the system refused the socket; it is closed. */
struct sniffer *sniffer_open(struct loop *loop, int fd, struct tls_config *tls, const struct sniffer_events *events,
			     void *owner);

/* `left` follows, with why. */
void sniffer_close(struct sniffer *sniffer, const struct error *why);

uint64_t sniffer_since_ms(const struct sniffer *sniffer);
