/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gets a deployment from the Backplane: first what it is, then its files, into a folder.
 *
 * Memory does not grow with the files: a chunk is written as it comes. Writing blocks the loop for one chunk at a time,
 * which only happens while the Runner hosts nothing.
 */
#pragma once

#include "rpc/unary.h"
#include "runner/layout.h"

/* "max-chunk" of GetDeploymentArtefacts, with what is around it. */
#define FETCH_MESSAGE_MAX (MIB(1) + KIB(16))

struct fetch {
	struct rpc_channel *backplane;
	const char *deployment_key; /* borrowed */
	/* With err NULL all is there. Exactly once, never from inside; nothing of the fetch is in use any more. */
	void (*done)(struct fetch *fetch, const struct error *err);

	/* What the deployment is; in layout.arena. */
	const char *module;
	const char *entry;
	const char *bind;
	struct layout layout;

	struct rpc_unary_call *describing;
	struct rpc_stream *receiving;
	struct buf chunk;
	struct error failure; /* CODE_OK: none */
};

/* The fields above the first empty line are set and the layout is initialised; the rest is zero. */
void fetch_start(struct fetch *fetch);

/* done follows with Cancelled. */
void fetch_cancel(struct fetch *fetch);
