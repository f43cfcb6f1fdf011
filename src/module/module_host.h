/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the verbs of a C module: the same code in the Runner that loaded a shared object and in a process of its own.
 *
 * A call comes as the stream of VerbService.Call and is answered on it. Verbs run in threads (verb_pool.h), or on the
 * loop when they are FTL_VERB_NONBLOCKING. Calls that a verb makes go out from the loop, with the deadline, the
 * cancellation and the trace of the call that caused them.
 */
#pragma once

#include "base/log.h"
#include "ftl/module.h"
#include "rpc/channel.h"
#include "rpc/server.h"

/* "max-verb-threads", "max-waiting-calls" */
enum { MODULE_THREADS_MAX = 128, MODULE_QUEUE_MAX = 1024 };
/* "max-held-requests": bytes of all requests that are in progress. */
#define MODULE_HELD_MAX MIB(256)
/* "max-call-memory": of what a verb allocates for one call. */
#define MODULE_CALL_MEMORY_MAX MIB(256)

struct module_host;

struct module_log {
	enum log_level level;
	const char *verb; /* "module.verb"; "" outside of a call */
	const char *request_id; /* "" without one */
	const char *message; /* valid UTF-8 */
};

struct module_events {
	/* The module's start is over; with err NULL it takes calls. Once, never from inside. */
	void (*started)(void *owner, const struct error *err);
	/* The last call was answered. */
	void (*idle)(void *owner);
	/* After module_host_stop: the module's stop is over and no thread of its is left. */
	void (*stopped)(void *owner);
	/* From any thread. */
	void (*log)(void *owner, const struct module_log *line);
};

struct module_host_options {
	struct loop *loop;
	const struct ftl_module *module;
	/* Borrowed. */
	const char *deployment;
	const char *working_dir;
	struct rpc_channel *backplane; /* for calls out; NULL: there are none */
	const struct module_events *events;
	void *owner;
};

/* Whether we know the interface that the module was built for, and what it says makes sense. */
int module_check(const struct ftl_module *module, struct error *err);

/* For a module that was checked. Starts it. */
struct module_host *module_host_new(const struct module_host_options *options);

/* VerbService.Call and List. */
void module_host_call(struct module_host *host, struct rpc_stream *stream);
void module_host_list(struct module_host *host, struct rpc_stream *stream);

size_t module_host_calls(const struct module_host *host);

/* Tells every call in progress that nobody waits any more, and their calls out. */
void module_host_cancel(struct module_host *host);

/* When it has started and no call is in progress. `stopped` follows. */
void module_host_stop(struct module_host *host);

/* After `stopped`, or after a `started` that failed. */
void module_host_free(struct module_host *host);
