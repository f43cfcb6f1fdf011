/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another process takes the place of this one (packets.h).
 *
 *   IDLE ──connection──▶ ASKED ──ASK──▶ PAUSING ──quiet──▶ CLOSING ──still quiet──▶ HANDING ──TAKEN──▶ GONE
 *    ▲                     │               │  ▲               │                       │
 *    │                     │ no ASK        │  └──not quiet────┤                       │
 *    │                     ▼               ▼ max-takeover-pause, stop                 │ anything else
 *    └──connection closed──DISMISSING ◀────┴──────────────────┴───────────────────────┘
 *
 * PAUSING    Calls go on, on the workers. Requests to the control side wait in connections that nobody reads, until no
 *            request is in progress and all changes are stored.
 * CLOSING    The artefacts are being closed, which takes turns of the loop.
 * HANDING    The store is closed and this thread stands still while the other process opens the data and starts. So
 *            nothing changes behind its back, and nothing has to be undone when it fails: this process opens the data
 *            again and reads the connections that waited.
 * GONE       Reached from CLOSING, too, if the data cannot be opened again. The other process listens on the same
 * sockets. Clients are sent there, and whatever they still ask here is passed on. The Runners' registrations end, so
 * that they register there at once; calls in progress end here.
 */
#pragma once

#include "backplane/takeover/packets.h"
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
	int asker; /* the connection of the other process; -1: none */
	uv_poll_t asker_poll;
	struct timer look; /* PAUSING: whether it is quiet */
	uint64_t since_ms; /* PAUSING */
	unsigned quiet; /* looks in a row that found no request in progress */
	unsigned pauses; /* rounds of worker_pause_control that not all workers have reported */
	int ends[TAKEOVER_FDS_MAX]; /* the connections that nobody reads */
	size_t end_count;
	struct timer limit; /* GONE: drain-timeout */
};

void giver_init(struct giver *giver, struct backplane *backplane);
/* Listens for a process that wants to take over; takes the socket of an offer if there is one. */
int giver_open(struct giver *giver, struct error *err);
/* This process has begun to stop: a process that waits for it to pause is refused. */
void giver_stop(struct giver *giver);
void giver_close(struct giver *giver);

/* Asserts that the diagram has the transition. */
void giver_set_state(struct giver *giver, enum giver_state state);
