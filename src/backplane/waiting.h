/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says for whom a Backplane waits that is about to end: for calls in progress, and then for Runners. The first time
 * after WAITING_FIRST_MS, so that a stop without delay says nothing, and then each WAITING_AGAIN_MS.
 */
#pragma once

#include "base/buf.h"
#include "net/loop.h"

enum {
	WAITING_FIRST_MS = 1000,
	WAITING_AGAIN_MS = 5000,
	WAITING_NAMES_MAX = 8, /* more are counted */
};

struct control;
struct context;
struct route_builder;

struct waiting {
	struct timer timer;
	struct context *context;
	const struct route_builder *routes;
};

/* Begins, or begins anew when the Backplane waits for something else now. */
void waiting_start(struct waiting *waiting, struct context *context, const struct route_builder *routes);
void waiting_stop(struct waiting *waiting);

/* Adds "slow on rnr-c-1, rnr-c-2, which is idle": the managed Runners that have not ended. Returns how many there are.
 */
size_t waiting_name_runners(const struct control *control, struct buf *text);
