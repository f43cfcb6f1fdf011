/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gets a deployment from the Backplane: first its description, then its files, into a folder.
 *
 * Memory does not grow with the size of the files, as each chunk is written when it arrives. Writing a chunk blocks the
 * loop; the Runner hosts nothing meanwhile, so no call waits for that.
 */
#pragma once

#include "rpc/unary.h"
#include "runner/layout.h"

/* "max-chunk" of GetDeploymentArtefacts, and room for the fields around it. */
#define FETCH_MESSAGE_MAX (MIB(1) + KIB(16))

struct fetch {
	struct rpc_channel *backplane;
	const char *deployment_key; /* borrowed */
	/* err NULL: all files are there. Comes exactly once, never from inside of fetch_start or fetch_cancel; the
	 * fetch is unused from then on. */
	void (*done)(struct fetch *fetch, const struct error *err);

	/* The description of the deployment; its texts are in layout.arena. */
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
