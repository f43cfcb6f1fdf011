/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Backplane's end of its Platform: opens it, waits until it has told what runs, and turns its events into events of
 * the control side.
 *
 *   CLOSED ──open──▶ LISTING ──listed──▶ LISTED ──begin──▶ SERVING
 *     ▲                │ error, limit      │                  │ close
 *     └────────────────┴───────────────────┴──────────────────┘
 */
#pragma once

#include "base/list.h"
#include "net/loop.h"
#include "platform/platform.h"

struct context;

enum platform_link_state {
	PLATFORM_LINK_CLOSED,
	PLATFORM_LINK_LISTING, /* what it finds is kept for the control side, which has not been loaded yet */
	PLATFORM_LINK_LISTED, /* the same: no order is given yet */
	PLATFORM_LINK_SERVING, /* its events go to the control side */
};

enum { PLATFORM_LINK_STATE_COUNT = 4, PLATFORM_LISTING_MAX_MS = 30000 };

struct platform_link {
	struct context *context;
	enum platform_link_state state;
	struct platform *platform; /* NULL: CLOSED */
	struct list found; /* Runners, until begin */
	struct timer limit; /* LISTING */
	uint64_t limit_ms;
	bool failed; /* as err says */
	struct error err;
};

/* Opens the Platform of the options and waits until it has listed what runs, limit_ms at most. Nothing else may be on
 * the loop yet. After an error, too, it is to be closed. */
int platform_link_open(struct platform_link *link, uint64_t limit_ms, struct error *err);
/* Tells the control side what was found. */
void platform_link_begin(struct platform_link *link);
/* The Runners go on; harmless when it is not open. */
void platform_link_close(struct platform_link *link);

/* Harmless when it is closed: connections that end afterwards may still make the control side give Runners up. */
void platform_link_create(struct platform_link *link, const char *runner_key, const char *language);
void platform_link_destroy(struct platform_link *link, const char *runner_key);

/* Asserts that the table allows it. */
void platform_link_set_state(struct platform_link *link, enum platform_link_state state);
