/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One deployment on this Runner, from the order to host it until nothing is left of it: fetched, checked, started,
 * alive, drained, ended. It owns its folder and its host.
 */
#pragma once

#include "base/last_lines.h"
#include "rpc/server.h"
#include "runner/logs.h"

struct deployment;

struct deployment_events {
	/* Calls may come now. Once at most. */
	void (*alive)(struct deployment *deployment);
	/* It did not come up, or it ended: why tells, also after deployment_terminate. Nothing of it runs and its
	 * folder is gone. Once, never from inside; the deployment is gone when this returns. */
	void (*ended)(struct deployment *deployment, const struct error *why, const struct last_lines *last_lines);
};

/* Texts are borrowed for the life of the deployment. */
struct deployment_options {
	struct loop *loop;
	const char *work_folder;
	const char *backplane_endpoint;
	struct rpc_channel *backplane;
	struct logs *logs;
	uint64_t start_timeout_ms;
	uint64_t kill_timeout_ms;
	const struct deployment_events *events;
	void *owner;
};

/* Starts to fetch it. */
struct deployment *deployment_new(const char *key, const struct deployment_options *options);

/* VerbService.Call and List: passed to what is hosted, or refused unless it is alive. */
void deployment_call(struct deployment *deployment, struct rpc_stream *stream);
void deployment_list(struct deployment *deployment, struct rpc_stream *stream);

/* Takes no new calls; ends it when those in progress are answered, or after the grace. A further order can only shorten
 * the grace. */
void deployment_terminate(struct deployment *deployment, uint64_t grace_ms);

const char *deployment_key(const struct deployment *deployment);
void *deployment_owner(const struct deployment *deployment);
bool deployment_is_alive(const struct deployment *deployment);
/* It was terminated, or failed. */
bool deployment_is_ending(const struct deployment *deployment);
/* What it is doing: "fetching", "alive", … */
const char *deployment_state_text(const struct deployment *deployment);
/* It runs code in this process, or did. */
bool deployment_is_library(const struct deployment *deployment);
/* In `ended`: some of it still runs in this process, and only the end of the process will end it. */
bool deployment_is_stuck(const struct deployment *deployment);
/* It ended before it ran, as it could not be fetched just now. */
bool deployment_was_unreachable(const struct deployment *deployment);
uint64_t deployment_fetch_us(const struct deployment *deployment);
uint64_t deployment_start_us(const struct deployment *deployment);

/* A key that can name a folder; the error shows it. */
int deployment_check_key(const char *key, struct error *err);
