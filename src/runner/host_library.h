/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A deployment as a shared object in this process.
 *
 *   LOADING ──loaded──▶ STARTING ──started──▶ ALIVE ──stop──▶ CANCELLING ──no calls──▶ STOPPING
 *      │ stop              │ stop                                 ▲                       │
 *      ▼                   ▼                                      │                       │ stopped
 *   LOADING_TO_END    STARTING_TO_END ──started───────────────────┘                       ▼
 *      └──loaded─────────────────────────────────────────────────────────────────────▶ ENDED
 *      every state but ALIVE ──failed, start limit, kill limit───────────────────────────▲
 *
 * A limit that passes leaves a thread that nothing can end (stuck).
 *
 * The shared object is loaded in a thread of its own, as what runs when it is (constructors, its dependencies' too) may
 * take long, and the Runner answers pings meanwhile. It is never unloaded: threads that it started may still run its
 * code, and a Runner that loaded a shared object ends after it anyway.
 */
#pragma once

#include "runner/host.h"

enum library_host_state {
	LIBRARY_LOADING,
	LIBRARY_LOADING_TO_END, /* it was stopped meanwhile */
	LIBRARY_STARTING,
	LIBRARY_STARTING_TO_END,
	LIBRARY_ALIVE,
	LIBRARY_CANCELLING, /* calls in progress are told that nobody waits */
	LIBRARY_STOPPING,
	LIBRARY_ENDED,
};

/* NULL: loading could not even begin; err says why and nothing is left of it. */
struct host *host_library_start(const struct host_options *options, struct error *err);

/* The one place where the state changes. Aborts when the diagram has no such arrow. */
void library_host_move(enum library_host_state *state, enum library_host_state next);
