/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One deployment on this Runner, from the order to host it until nothing is left of it: fetched, checked, started,
 * alive, drained, ended. It owns its folder and its host.
 */
#pragma once

#include "base/last_lines.h"
#include "rpc/server.h"
#include "runner/logs.h"

struct hosting;

struct hosting_events {
	/* Calls may come now. Once at most. */
	void (*alive)(struct hosting *hosting);
	/* It did not come up, or it ended: why tells, also after hosting_terminate. Nothing of it runs and its
	 * folder is gone. Once, never from inside; the deployment is gone when this returns. */
	void (*ended)(struct hosting *hosting, const struct error *why, const struct last_lines *last_lines);
};

/* Texts are borrowed for the life of the deployment. */
struct hosting_options {
	struct loop *loop;
	const char *work_folder;
	const char *backplane_endpoint;
	struct rpc_channel *backplane;
	struct logs *logs;
	uint64_t start_timeout_ms;
	uint64_t kill_timeout_ms;
	const struct hosting_events *events;
	void *owner;
};

/* Starts to fetch it. */
struct hosting *hosting_new(const char *key, const struct hosting_options *options);

/* VerbService.Call and List: passed to what is hosted, or refused unless it is alive. */
void hosting_call(struct hosting *hosting, struct rpc_stream *stream);
void hosting_list(struct hosting *hosting, struct rpc_stream *stream);

/* Takes no new calls; ends it when those in progress are answered, or after the grace. A further order can only shorten
 * the grace. */
void hosting_terminate(struct hosting *hosting, uint64_t grace_ms);

const char *hosting_key(const struct hosting *hosting);
void *hosting_owner(const struct hosting *hosting);
bool hosting_is_alive(const struct hosting *hosting);
/* It was terminated, or failed. */
bool hosting_is_ending(const struct hosting *hosting);
/* What it is doing: "fetching", "alive", … */
const char *hosting_state_text(const struct hosting *hosting);
/* It runs code in this process, or did. */
bool hosting_is_library(const struct hosting *hosting);
/* In `ended`: some of it still runs in this process, and only the end of the process will end it. */
bool hosting_is_stuck(const struct hosting *hosting);
/* It ended before it ran, as it could not be fetched just now. */
bool hosting_was_unreachable(const struct hosting *hosting);
uint64_t hosting_fetch_us(const struct hosting *hosting);
uint64_t hosting_start_us(const struct hosting *hosting);

/* A key that can name a folder; the error shows it. */
int hosting_check_key(const char *key, struct error *err);
