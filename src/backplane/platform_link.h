/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Backplane's connection to its Platform: opens it, waits until it has listed its Runners, and turns its events
 * into events of the control side.
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
	PLATFORM_LINK_LISTING, /* queues the Runners that the Platform finds: the control side is not loaded yet */
	PLATFORM_LINK_LISTED, /* the list is complete; Runners found later are queued as well */
	PLATFORM_LINK_SERVING, /* events go to the control side */
};

enum { PLATFORM_LINK_STATE_COUNT = 4, PLATFORM_LISTING_MAX_MS = 30000 };

struct platform_link {
	struct context *context;
	enum platform_link_state state;
	struct platform *platform; /* NULL while CLOSED */
	struct list found; /* struct found_key: Runners that were found before platform_link_begin */
	struct timer limit; /* of LISTING */
	uint64_t limit_ms;
	bool failed; /* LISTING failed; err says why */
	struct error err;
};

/* Opens the Platform that the options name, and runs the loop until it has listed its Runners, limit_ms at most.
 * Nothing else may be on the loop yet. The caller closes the link after an error, too. */
int platform_link_open(struct platform_link *link, uint64_t limit_ms, struct error *err);
/* Reports the Runners that were found to the control side. */
void platform_link_begin(struct platform_link *link);
/* Leaves the Runners running. Does nothing when the link is closed. */
void platform_link_close(struct platform_link *link);

/* Do nothing when the link is closed: connections that end later may still make the control side give up Runners. */
void platform_link_create(struct platform_link *link, const char *runner_key, const char *language);
void platform_link_destroy(struct platform_link *link, const char *runner_key);

/* Asserts that the diagram has the transition. */
void platform_link_set_state(struct platform_link *link, enum platform_link_state state);
