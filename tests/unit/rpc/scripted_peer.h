/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers of a channel that follow scripts: they read and write frames of HTTP/2 by hand on the other end of a socket
 * pair.
 */
#pragma once

#include "base/buf.h"
#include "net/transport.h"

enum script {
	ANSWERS,
	ANSWERS_AFTER_PINGS, /* holds its answers until two pings have come */
	ANSWERS_ONE_AT_A_TIME,
	ANSWERS_ONE_AFTER_PINGS, /* both of the above */
	SILENT, /* sends nothing, not even SETTINGS */
	HANGS, /* sends nothing after its SETTINGS */
	REFUSES, /* resets each stream with REFUSED_STREAM */
	GOAWAY_EXCLUDING, /* answers the first request with a GOAWAY that excludes it */
	GOAWAY_INCLUDING, /* answers the first request with a GOAWAY that includes it, then closes */
	BREAKS, /* closes at the first request */
	CLOSES, /* closes before its SETTINGS */
};

enum { SCRIPTS_MAX = 16, HOLD_MAX = 8 };

/* One connection. */
struct scripted_peer {
	enum script script;
	struct transport *transport;
	struct buf received;
	unsigned pings, requests;
	size_t body;
	unsigned held[HOLD_MAX]; /* streams to answer later */
	size_t held_count;
	bool greeted;
};

struct scripted_peers {
	struct loop *loop;
	enum script scripts[SCRIPTS_MAX]; /* of the connections in their order; the last one repeats */
	size_t script_count;
	struct scripted_peer items[SCRIPTS_MAX]; /* by connection */
	size_t dials;
};

/* For rpc_channel_options.dial; data is a struct scripted_peers. */
int scripted_peers_dial(void *data);
void scripted_peers_close(struct scripted_peers *peers);
