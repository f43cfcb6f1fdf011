/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's way to the control side, for all that is not a call: a channel, and who is at its other end. A takeover
 * by another process changes that:
 *
 *            pause                    redirect
 *   HERE ────────────▶ PAUSED ─────────────────────▶ ELSEWHERE
 *    ▲   ◀────────────
 *            resume
 *
 * HERE       the control side of this process reads at the other end.
 * PAUSED     requests wait in the stock: connections that nobody reads yet. Whoever serves next, this process or the
 *            other, reads their other ends.
 * ELSEWHERE  the other process serves; further connections are made to its address.
 *
 * Embedded in its worker; everything runs on the worker's thread.
 */
#pragma once

#include <sys/socket.h>

#include "rpc/channel.h"

enum { CONTROL_LINK_STOCK = 2 /* connections */ };

enum control_link_state { CONTROL_HERE, CONTROL_PAUSED, CONTROL_ELSEWHERE };

struct control_link {
	struct loop *loop;
	enum control_link_state state;
	struct rpc_channel *channel; /* for new requests */
	struct list retired; /* struct retired_channel: earlier channels, until their requests have been answered */
	int (*dial)(void *data); /* connects to the control side of this process; -1: it cannot */
	void *dial_data;
	struct {
		int fds[CONTROL_LINK_STOCK];
		size_t count;
	} stock; /* connected, not in use yet */
	struct {
		struct sockaddr_storage address;
		socklen_t len;
	} successor;
};

/* name stands in errors only. */
void control_link_init(struct control_link *link, struct loop *loop, const struct endpoint *name,
		       int (*dial)(void *data), void *dial_data);
void control_link_close(struct control_link *link);

/* New requests go over the connections of the stock, which are the link's from now on; requests in progress finish on
 * the channel they began on. */
void control_link_pause(struct control_link *link, const int stock[CONTROL_LINK_STOCK]);
void control_link_resume(struct control_link *link);
void control_link_redirect(struct control_link *link, const struct sockaddr_storage *successor, socklen_t len);

/* Who answers, for errors: "the control side". */
const char *control_link_peer(const struct control_link *link);

/* Asserts that the diagram has the transition. */
void control_link_check(enum control_link_state from, enum control_link_state to);
