/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of a verb, between the loop that received it and the thread that runs the verb.
 *
 * Who may touch what: the loop the sub-struct `loop` always, and the rest before the verb runs and after; the verb's
 * thread the rest while it runs.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "module/module_host.h"
#include "module/verb_pool.h"

struct module_call {
	struct ftl_context context; /* what the verb sees; first */
	struct module_host *host;
	const struct ftl_verb *verb; /* NULL: start or stop of the module */
	struct verb_job job;
	struct task done;
	struct arena arena; /* MODULE_CALL_MEMORY_MAX */
	struct http_headers carried; /* what calls out are sent with */
	uint64_t deadline_ms; /* by clock_ms; 0: none */
	atomic_bool cancelled;
	bool on_loop; /* the verb runs on the loop's thread */

	/* On a thread: the call out was waited for, and `then` goes on with its answer. NULL: nothing does. */
	struct {
		ftl_continue *then;
		void *data;
		const char *answer;
	} next;

	/* What came of it. */
	int result;
	enum code code; /* of the failure; CODE_OK: none was told */
	const char *failure;
	struct str answer; /* with a NULL pointer there is none */
	bool out_of_memory;

	struct {
		struct list link; /* of the host's calls */
		struct rpc_stream *stream; /* NULL: the caller is gone, or there never was one */
		struct buf received;
		bool has_message;
		bool running;
		bool later; /* the verb has returned, and its call out goes on in its place */
		size_t held; /* bytes that count against MODULE_HELD_MAX */
		struct list calls_out; /* of struct call_out */
	} loop;
	struct {
		pthread_mutex_t lock;
		pthread_cond_t answered; /* the call out */
	} shared;
};

static inline struct module_call *call_of(struct ftl_context *context) {
	return CONTAINER_OF(context, struct module_call, context);
}

/* What the functions of ftl/module.h are for a module that we host. */
extern const struct ftl_host module_functions;

/* The end of a call that a verb makes. On the verb's thread. */
const char *module_call_out(struct ftl_context *context, const char *verb, const char *request);

/* ftl_call_then. */
int module_call_then(struct ftl_context *context, const char *verb, const char *request, ftl_continue *then,
		     void *data);

/* On a thread: a verb has returned, and what goes on in its place does so now. Returns what the last of it does. */
int module_call_go_on(struct module_call *call, int result);

/* On the loop: a verb, or what goes on in its place, has returned. Frees the call unless it goes on later. */
void module_call_returned(struct module_call *call, int result);

/* On the loop: gives up the calls out that are in progress. */
void module_cancel_calls_out(struct module_call *call);

const struct module_host_options *module_host_options(const struct module_host *host);
