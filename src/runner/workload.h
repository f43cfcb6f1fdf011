/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deployment's files and its host: what hosting.h decides about. One step after the other is ordered: fetch, check,
 * start, stop, remove.
 */
#pragma once

#include "base/last_lines.h"
#include "rpc/server.h"
#include "runner/hosting.h"
#include "runner/logs.h"

struct workload;

/* None of them comes from inside of an order. */
struct workload_events {
	void (*fetched)(void *owner);
	void (*fetch_failed)(void *owner, const struct error *err);
	void (*checked)(void *owner, uint64_t fetch_us); /* since workload_fetch */
	void (*alive)(void *owner, uint64_t start_us); /* since `checked` */
	void (*idle)(void *owner); /* the last call was answered */
	/* A step failed, was stopped, or the host ended; why tells which. The lines may be taken. */
	void (*ended)(void *owner, const struct error *why, struct last_lines *last_lines,
		      enum hosting_remains remains);
	void (*removed)(void *owner); /* the workload is gone when this returns */
};

/* Texts are borrowed for the life of the workload. */
struct workload_options {
	struct loop *loop;
	const char *work_folder;
	const char *backplane_endpoint;
	struct rpc_channel *backplane;
	struct logs *logs;
	uint64_t start_timeout_ms;
	uint64_t kill_timeout_ms;
	uint64_t child_ping_ms;
	const struct workload_events *events;
	void *owner;
};

struct workload *workload_fetch(const char *deployment_key, const struct workload_options *options);
void workload_check(struct workload *workload);
void workload_start(struct workload *workload);
void workload_stop(struct workload *workload);
void workload_remove(struct workload *workload);

/* While it is alive: passes on a stream whose method is VerbService.Call, or List. */
void workload_call(struct workload *workload, struct rpc_stream *stream);
void workload_list(struct workload *workload, struct rpc_stream *stream);
size_t workload_calls(const struct workload *workload);

/* Why calls may go unanswered; "": no reason is known. */
const char *workload_trouble(const struct workload *workload);
