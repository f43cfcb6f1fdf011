/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hands this Backplane over to another process (packets.h).
 *
 *   IDLE ──connection──▶ ASKED ──ASK──▶ PAUSING ──quiet──▶ CLOSING ──still quiet──▶ HANDING ──TAKEN──▶ GONE
 *    ▲                     │               │  ▲               │                       │
 *    │                     │ no ASK        │  └──not quiet────┤                       │
 *    │                     ▼               ▼ max-takeover-pause, stop                 │ anything else
 *    └──connection closed──DISMISSING ◀────┴──────────────────┴───────────────────────┘
 *
 * PAUSING    Calls continue on the workers. New requests to the control side wait in connections that this process does
 *            not read. The state lasts until no request is in progress and all changes are stored.
 * CLOSING    The artefacts are being closed, which takes turns of the loop.
 * HANDING    The store is closed, and this thread blocks while the other process opens the data and starts. So nothing
 *            changes meanwhile, and nothing has to be undone if the other process fails: this one opens the data again
 *            and reads the connections that waited. One that hangs with the data open is killed for that.
 * GONE       The other process listens on the same sockets. Clients are told to connect there, and requests that still
 *            arrive here are forwarded. The Runners' registrations end, so that Runners register there at once; calls
 *            in progress end here. Reached from CLOSING, too, if this process cannot open the data again.
 */
#pragma once

#include "backplane/takeover/packets.h"
#include "net/file_check.h"
#include "net/loop.h"

struct backplane;

enum giver_state {
	GIVER_IDLE,
	GIVER_ASKED,
	GIVER_PAUSING,
	GIVER_CLOSING,
	GIVER_HANDING,
	GIVER_DISMISSING,
	GIVER_GONE,
};

enum { GIVER_STATE_COUNT = 7 };

struct giver {
	struct backplane *backplane;
	enum giver_state state;
	int listener; /* DATA/takeover.sock; -1: closed */
	uv_poll_t poll; /* of listener */
	struct file_check check; /* of the socket's file */
	char *socket_path;
	int asker; /* the connection of the other process; -1: none */
	uv_poll_t asker_poll;
	int asker_process; /* pidfd, so that no other process is meant; -1: none */
	struct timer look; /* PAUSING: the next look whether the Backplane is quiet */
	uint64_t since_ms; /* when PAUSING began */
	unsigned quiet; /* looks in a row that found no request in progress */
	unsigned pauses; /* calls of pause_workers that not all workers have confirmed */
	int ends[TAKEOVER_FDS_MAX]; /* the connections that are not read while paused */
	size_t end_count;
	struct timer limit; /* ASKED; GONE: drain-timeout */
};

void giver_init(struct giver *giver, struct backplane *backplane);
/* Listens for a process that wants to take over: on the socket of the offer if there is one, else on a new one. */
int giver_open(struct giver *giver, struct error *err);
/* Called when this process begins to stop: refuses a process that waits for the pause. */
void giver_stop(struct giver *giver);
void giver_close(struct giver *giver);

/* Asserts that the diagram has the transition. */
void giver_set_state(struct giver *giver, enum giver_state state);
