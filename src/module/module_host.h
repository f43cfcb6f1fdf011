/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the verbs of a C module: in the Runner, which loaded a shared object, or in a process of the module's own.
 *
 * A call arrives as the stream of VerbService.Call, and is answered on it. Verbs run in threads (verb_pool.h), or on
 * the loop when they are FTL_VERB_NONBLOCKING. Calls that a verb makes go out from the loop (module_call_out.h).
 */
#pragma once

#include "base/log.h"
#include "ftl/module.h"
#include "rpc/channel.h"
#include "rpc/server.h"

/* "max-verb-threads", "max-waiting-calls" */
enum { MODULE_THREADS_MAX = 128, MODULE_QUEUE_MAX = 1024 };
/* "max-held-requests": bytes of all requests in progress. */
#define MODULE_HELD_MAX MIB(256)
/* "max-call-memory": bytes that a verb may allocate for one call. */
#define MODULE_CALL_MEMORY_MAX MIB(256)

struct module_host;

struct module_log {
	enum log_level level;
	const char *verb; /* "module.verb"; "" outside of a call */
	const char *request_id; /* "" without one */
	const char *message; /* valid UTF-8 */
};

struct module_events {
	/* The module's start has returned; err NULL: it takes calls. Once, never from inside of a function of this
	 * file. */
	void (*started)(void *owner, const struct error *err);
	/* The last call was answered. */
	void (*idle)(void *owner);
	/* After module_host_stop: the module's stop has returned, and no thread runs its code. */
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

/* Checks that this process knows the version of ftl/module.h that the module was built for, and that its constant is
 * complete. */
int module_check(const struct ftl_module *module, struct error *err);

/* Starts a module that was checked. */
struct module_host *module_host_new(const struct module_host_options *options);

/* VerbService.Call and List. */
void module_host_call(struct module_host *host, struct rpc_stream *stream);
void module_host_list(struct module_host *host, struct rpc_stream *stream);

size_t module_host_calls(const struct module_host *host);

/* Cancels every call in progress, and the calls that those make. */
void module_host_cancel(struct module_host *host);

/* To be called after `started` while no call is in progress. `stopped` follows. */
void module_host_stop(struct module_host *host);

/* After `stopped`, or after a `started` that failed. */
void module_host_free(struct module_host *host);
