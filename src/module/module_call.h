/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of a verb, between the loop that received it and the thread that runs the verb: its memory, its state and
 * its answer.
 *
 *   COLLECTING ──the request is complete──▶ RUNNING ◀──answered── WAITING
 *       │                                    │    └──calls another──▲
 *       │ the caller leaves                  │ the verb returns
 *       ▼                                    ▼
 *     freed                            answered, freed
 *
 * A caller that leaves while the verb runs only cancels it: the call is freed when the verb returns. WAITING is for
 * verbs on the loop: such a verb has returned, and ftl_call_then goes on with the answer of the verb that it called.
 * The start and the stop of the module are calls without a caller.
 *
 * The loop may touch `loop` at any time, and the rest before the verb runs and after; the verb's thread may touch the
 * rest while the verb runs.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "module/module_host.h"
#include "module/verb_pool.h"

#define MODULE_CALL_MEMORY_USED_UP "the call needs more memory than max-call-memory, 256 MiB"

/* What all calls of a module share. */
struct module_host {
	struct module_host_options options;
	const struct ftl_host *functions; /* that verbs are given */
	struct verb_pool *pool;
	struct list calls; /* of struct module_call: those that have a caller */
	size_t call_count;
	size_t held; /* bytes of their requests */
	void *user; /* what the module's start left in its context */
	struct task told; /* the end of start or stop, when the module has none */
};

enum module_call_state { MODULE_CALL_COLLECTING, MODULE_CALL_RUNNING, MODULE_CALL_WAITING };

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

	/* On a thread: the call out has its answer, and `then` goes on with it. NULL: nothing does. */
	struct {
		ftl_continue *then;
		void *data;
		const char *answer;
	} next;

	/* How the verb ended. */
	int result;
	enum code code; /* of the failure; CODE_OK: none was told */
	const char *failure;
	struct str answer; /* with a NULL pointer there is none */
	bool out_of_memory;

	struct {
		enum module_call_state state;
		struct list link; /* of the host's calls */
		struct rpc_stream *stream; /* NULL: the caller is gone, or there never was one */
		struct buf received;
		bool has_message;
		size_t held; /* bytes that count against MODULE_HELD_MAX */
		struct list calls_out; /* of struct call_out */
	} loop;
	struct {
		pthread_mutex_t lock;
		pthread_cond_t answered; /* the call out */
	} shared;
};

static inline struct module_call *module_call_of(struct ftl_context *context) {
	return CONTAINER_OF(context, struct module_call, context);
}

/* A call in COLLECTING, without a caller. The caller sets job.run. */
struct module_call *module_call_new(struct module_host *host);

/* On the loop: the request of this stream is being received. */
void module_call_set_caller(struct module_call *call, struct rpc_stream *stream);

/* On the loop. The host hears `idle` when the last call that has a caller is freed. */
void module_call_free(struct module_call *call);

/* On the loop: the one place where the state changes. Aborts when the diagram above has no such arrow. */
void module_call_move(struct module_call *call, enum module_call_state next);

/* On the loop: answers a call whose verb did not run with an error, and frees it. */
void module_call_refuse(struct module_call *call, const struct error *err);

/* On the loop: a verb, or the function that goes on in its place, has returned. Answers the call and frees it, unless
 * it is WAITING. */
void module_call_returned(struct module_call *call, int result);
