/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a call through the router; call_state.h has its states:
 *
 *   first bytes ─▶ verb_peek reads the verb ─▶ the routing table has its module ─▶ call_headers and call_check let it
 *   pass ─▶ balance_pick chooses a replica ─▶ a relay passes the message on unopened, and the answer back
 *
 * A call that certainly did not begin is sent to another replica; one that may have run never is. When nothing of the
 * module is alive and something is about to be, as after a restart of the Backplane or the death of the only replica,
 * the call is held until new routes come, for HOLD_MAX_MS at most.
 */
#include "router/call.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/random.h"
#include "ftl.pb-c.h"
#include "pb/wire.h"
#include "router/balance.h"
#include "router/call_check.h"
#include "router/call_headers.h"
#include "router/call_state.h"
#include "router/verb_peek.h"
#include "router/worker.h"
#include "rpc/metadata.h"
#include "rpc/relay.h"
#include "rpc/transcode.h"

enum {
	/* "max-verb-offset": first bytes of the message that must contain the verb. */
	PEEK_MAX = 1 << 20,
	HOLD_MAX_MS = 5000, /* "max-hold": how long a call waits */
	HELD_MAX = 1000, /* "max-held-calls": calls that wait, of one worker */
	HELD_MESSAGE_MAX = 256 << 10, /* "max-held-message": bytes of its message that have come by then */
	HELD_RETRY_MS = 25, /* a replica that refused a call gets it again, each time after twice as long */
	HELD_LOOK_MS = 25,
};

struct call {
	enum call_state state;
	struct worker *worker;
	struct rpc_stream *from;
	struct {
		struct buf bytes; /* the first ones, when the first piece did not contain the verb */
		size_t need; /* verb_peek wants as many before it looks again */
		size_t unpaid; /* of the piece at hand, not given back to the sender yet */
	} peek;
	bool has_message;
	size_t message_size;

	struct call_info info; /* its verb belongs to the call; module is NULL until the observers are told */
	void *tokens[CALL_OBSERVERS_MAX];
	uint64_t begun_us;
	struct http_headers headers; /* for the Runner, in from's arena */
	struct relay *relay; /* once it was held or refused */

	const struct route_replica *replica; /* of info.module; the one that has it or refused it last; NULL: none */
	uint64_t sent_ms; /* to replica */
	bool trial; /* replica is ejected, and is tried with this call */
	unsigned attempts;

	struct {
		struct list link; /* of the worker, while HELD */
		uint64_t since_ms; /* of the first time; 0: never */
		uint64_t retry_ms, retry_after_ms; /* when it is sent again though the routes are the same; 0: never */
		const char *why; /* the last replica refused it; in from's arena */
	} hold;
};

static void set_state(struct call *call, enum call_state state) {
	if (call->state == CALL_HELD) {
		list_remove(&call->hold.link);
		call->worker->held.count--;
	}
	call_state_set(&call->state, state);
}

static void end(struct call *call, enum code status, bool verb_failed) {
	struct worker *worker = call->worker;
	set_state(call, CALL_ENDED);
	if (call->info.module != NULL)
		call_observers_end(&worker->observers, &call->info,
				   &(struct call_outcome){status, verb_failed, clock_us() - call->begun_us},
				   call->tokens);
	buf_deinit(&call->peek.bytes);
	route_module_unref(call->info.module);
	pool_free((char *)call->info.verb);
	pool_free(call);
	worker_call_ended(worker);
}

/* Answers a call that no relay has yet. */
static void fail(struct call *call, const struct error *err) {
	set_state(call, CALL_ANSWERED);
	rpc_fail(call->from, err);
}

/* --- replicas ----------------------------------------------------------------------------------------------------- */

static int no_replica(const struct route_module *module, struct error *err) {
	error_set(err, CODE_UNAVAILABLE, "nothing of the module %s is alive: %s", module->name.ptr, module->problem);
	return error_set_reason(err, module->problem_reason);
}

/* Chooses a replica, which has the call from now on. */
static struct rpc_channel *send_to_replica(struct call *call) {
	struct worker *worker = call->worker;
	const struct route_module *module = call->info.module;
	call->sent_ms = loop_now_ms(&worker->loop);
	call->replica = balance_pick(module, call->replica, random_next(&worker->random), call->sent_ms, &call->trial);
	set_state(call, CALL_SENT);
	if (module->replica_count > 1)
		outlier_sent(call->replica->outlier, outlier_under_way(call->replica->outlier), call->sent_ms);
	outlier_enter(call->replica->outlier);
	call_headers_address(&call->headers, call->replica);
	call_observers_attempt(&worker->observers, &call->info, call->replica, &call->headers, call->tokens);
	return worker_channel(worker, call->replica);
}

static void send_again(struct call *call) {
	struct rpc_channel *channel = send_to_replica(call);
	relay_retry(call->relay, channel, call->replica->label, &call->headers);
}

/* The call has left its replica: how it ended there counts for the replica. */
static void leave_replica(struct call *call, enum code status) {
	const struct route_module *module = call->info.module;
	if (call->state != CALL_SENT)
		return;
	outlier_leave(call->replica->outlier);
	if (module->replica_count == 1)
		return;
	size_t place = (size_t)(call->replica - module->replicas);
	uint64_t now_ms = loop_now_ms(&call->worker->loop), took_ms = now_ms - call->sent_ms;
	if (status == CODE_UNAVAILABLE)
		outlier_failed(module->outliers, place, call->trial, now_ms);
	else if (status == CODE_CANCELLED || status == CODE_DEADLINE_EXCEEDED)
		outlier_given_up(module->outliers, place, call->trial, took_ms, now_ms);
	else
		outlier_answered(module->outliers, place, call->trial, took_ms, now_ms);
}

/* --- calls that are held ------------------------------------------------------------------------------------------ */

static void give_up(struct call *call, const struct error *why) {
	set_state(call, CALL_ANSWERED);
	relay_give_up(call->relay, why);
}

/* Fails when a call that no replica has cannot wait; the error is why, with the limit that the call has reached. */
static int check_hold(const struct call *call, uint64_t now_ms, const struct error *why, struct error *err) {
	const struct worker *worker = call->worker;
	bool may_come = call->info.module->awaited || call->info.module->replica_count > 0;
	*err = *why;
	if (worker->state == WORKER_DRAINING || !may_come)
		return -1;
	bool too_long = call->hold.since_ms != 0 && now_ms - call->hold.since_ms >= HOLD_MAX_MS;
	if (!too_long && (call->state == CALL_HELD || worker->held.count < HELD_MAX))
		return 0;
	if (too_long)
		error_set(err, why->code, "%s (the call has waited for %d ms, which is max-hold)", why->msg,
			  HOLD_MAX_MS);
	else
		error_set(err, why->code, "%s (%zu calls wait already; max-held-calls is %d)", why->msg,
			  worker->held.count, HELD_MAX);
	return error_set_reason(err, why->reason);
}

static void on_look(struct timer *timer) {
	struct worker *worker = CONTAINER_OF(timer, struct worker, held.look);
	calls_routes_changed(worker);
	if (worker->held.count > 0)
		timer_start(&worker->loop, timer, HELD_LOOK_MS);
}

static void hold(struct call *call, const struct error *why) {
	struct worker *worker = call->worker;
	uint64_t now_ms = loop_now_ms(&worker->loop);
	struct error err;
	if (check_hold(call, now_ms, why, &err) < 0) {
		give_up(call, &err);
		return;
	}
	set_state(call, CALL_HELD);
	call->hold.why = arena_strdup(&call->from->http.arena, str_from(why->msg));
	call->replica = NULL;
	call->attempts = 0;
	call->hold.since_ms = call->hold.since_ms ? call->hold.since_ms : now_ms;
	list_append(&worker->held.calls, &call->hold.link);
	worker->held.look.fire = on_look;
	if (worker->held.count++ == 0)
		timer_start(&worker->loop, &worker->held.look, HELD_LOOK_MS);
}

/* A replica refused the call: new routes that say why may be on their way, or it may take the call in a moment. */
static void hold_and_retry(struct call *call, const struct error *why) {
	call->hold.retry_after_ms = call->hold.retry_after_ms > 0 ? call->hold.retry_after_ms * 2 : HELD_RETRY_MS;
	call->hold.retry_ms = loop_now_ms(&call->worker->loop) + call->hold.retry_after_ms;
	hold(call, why);
}

/* Takes the module from the current table. Returns whether that is another one than before. */
static bool update_module(struct call *call) {
	struct route_module *before = call->info.module;
	struct route_module *module = route_table_find(call->worker->routes, before->name);
	if (module == NULL || module == before)
		return false;
	call->info.module = route_module_ref(module);
	call->info.place = route_module_find(module, str_from(strchr(call->info.verb, '.') + 1));
	call->replica = NULL;
	route_module_unref(before);
	return true;
}

/* The process that has taken over knows what is alive, and adds its own headers. */
static void pass_on(struct call *call) {
	const struct control_link *control = &call->worker->control;
	struct http_headers headers = {0};
	call_headers_pass_on(&call->headers, &call->from->http.arena, &headers);
	set_state(call, CALL_PASSED_ON);
	relay_retry(call->relay, control->channel, control_link_peer(control), &headers);
}

static void decide_anew(struct call *call) {
	const struct worker *worker = call->worker;
	uint64_t now_ms = loop_now_ms(&worker->loop);
	struct error why, err;
	if (rpc_has_ended(relay_from(call->relay)))
		return; /* its deadline has passed */
	if (worker->state == WORKER_LEAVING) {
		pass_on(call);
		return;
	}
	bool changed = update_module(call);
	bool due = changed || (call->hold.retry_ms != 0 && now_ms >= call->hold.retry_ms);
	bool is_alive = call->info.module->replica_count > 0;
	if (is_alive && due && worker->state != WORKER_DRAINING) {
		call->hold.retry_ms = 0;
		send_again(call);
		return;
	}
	if (is_alive)
		error_set(&why, CODE_UNAVAILABLE, "%s", call->hold.why);
	else
		no_replica(call->info.module, &why);
	if (check_hold(call, now_ms, &why, &err) < 0)
		give_up(call, &err);
}

void calls_routes_changed(struct worker *worker) {
	LIST_FOREACH(link, &worker->held.calls)
		decide_anew(LIST_ENTRY(link, struct call, hold.link));
}

/* --- relayed calls ------------------------------------------------------------------------------------------------ */

static void on_unprocessed(struct relay *relay, const struct error *why) {
	struct call *call = relay_owner(relay);
	call->relay = relay;
	leave_replica(call, CODE_UNAVAILABLE);
	if (call->worker->state == WORKER_LEAVING && ++call->attempts < CALL_ATTEMPTS_MAX) {
		pass_on(call);
		return;
	}
	/* A replica that the current table no longer has is not asked again. */
	update_module(call);
	const struct route_module *module = call->info.module;
	bool other = module->replica_count > 1 || (module->replica_count == 1 && call->replica == NULL);
	if (other && ++call->attempts < CALL_ATTEMPTS_MAX)
		send_again(call);
	else
		hold_and_retry(call, why);
}

static void on_relay_done(struct relay *relay) {
	struct call *call = relay_owner(relay);
	leave_replica(call, relay_status(relay));
	/* The first field of a CallResponse tells whether the verb succeeded. */
	end(call, relay_status(relay),
	    relay_answer_begins(relay) == WIRE_TAG(FTL__CALL_RESPONSE__RESPONSE_ERROR, WIRE_BYTES));
}

/* Nothing of the module is alive, and something is about to be. */
static void wait_for_replica(struct call *call, const struct relay_options *options) {
	struct error err;
	if (options->taken.len > HELD_MESSAGE_MAX) {
		error_set(
			&err, CODE_UNAVAILABLE,
			"nothing of the module %s is alive yet, and the call is too large to be held: %zu bytes of it have come, and "
			"max-held-message is %d",
			call->info.module->name.ptr, options->taken.len, HELD_MESSAGE_MAX);
		error_set_reason(&err, call->info.module->problem_reason);
		fail(call, &err);
		return;
	}
	no_replica(call->info.module, &err);
	call->relay = relay_wait(call->from, options);
	hold(call, &err);
}

static void start_relay(struct call *call, struct str taken) {
	struct relay_options options = {
		.taken = taken,
		.owed = call->peek.unpaid,
		.message_size = call->message_size,
		.has_message = true,
		.unprocessed = on_unprocessed,
		.done = on_relay_done,
		.owner = call,
	};
	if (call->info.module->replica_count == 0) {
		wait_for_replica(call, &options);
		return;
	}
	struct rpc_channel *channel = send_to_replica(call);
	options.peer = call->replica->label;
	options.headers = &call->headers;
	relay_start(call->from, channel, &options);
}

/* --- routing ------------------------------------------------------------------------------------------------------ */

/* "module.verb", of the pool. */
static char *full_name(const struct verb_name *verb) {
	char *text = pool_alloc(verb->module.len + verb->name.len + 2);
	memcpy(text, verb->module.ptr, verb->module.len);
	text[verb->module.len] = '.';
	memcpy(text + verb->module.len + 1, verb->name.ptr, verb->name.len);
	text[verb->module.len + 1 + verb->name.len] = '\0';
	return text;
}

static int find_module(struct call *call, const struct verb_name *verb, struct error *err) {
	const struct worker *worker = call->worker;
	struct route_module *module = route_table_find(worker->routes, verb->module);
	if (module == NULL)
		return route_table_no_module(worker->routes, verb->module, err);
	size_t place = route_module_find(module, verb->name);
	if (place == ROUTE_NO_VERB && module->verb_count > 0)
		return route_module_no_verb(module, verb->name, err);
	call->info.module = route_module_ref(module);
	call->info.place = place;
	call_observers_begin(&worker->observers, &call->info, &call->from->http.received, call->tokens);
	return module->replica_count > 0 || module->awaited ? 0 : no_replica(module, err);
}

/* Module stacks are strict, so nothing that is malformed goes on from here. */
static int check_metadata(const struct call *call, struct error *err) {
	struct http_stream *http = &call->from->http;
	/* gRPC's own clients send no such names; those of the web may. */
	if (call->from->transcoder != NULL)
		metadata_drop_foreign(&http->received);
	return metadata_normalise(&http->received, &http->arena, err);
}

static int check(const struct call *call, const struct verb_name *verb, struct str message, struct error *err) {
	const struct route_table *routes = call->worker->routes;
	const struct http_headers *received = &call->from->http.received;
	struct transcoder *transcoder = call->from->transcoder;
	bool is_plain = transcoder != NULL && transcode_options(transcoder)->shape != NULL;
	if (call_headers_check_chain(received, call->info.verb, err) < 0 ||
	    call_check_declared(routes, received, call->info.verb, err) < 0 || check_metadata(call, err) < 0)
		return -1;
	if (transcoder == NULL || (!is_plain && transcode_options(transcoder)->receive == NULL))
		return 0;
	ASSERT(message.len == call->message_size); /* JSON is turned into protobuf as a whole */
	return call_check_request(routes, call->info.module, verb->name, message, is_plain, err);
}

static void route(struct call *call, const struct verb_name *verb, struct str taken) {
	struct error err;
	call->info.verb = full_name(verb);
	if (find_module(call, verb, &err) < 0 || check(call, verb, taken, &err) < 0) {
		fail(call, &err);
		return;
	}
	call_headers_add(call->from, call->info.verb, &call->worker->random, &call->headers);
	start_relay(call, taken);
}

/* --- the first bytes ---------------------------------------------------------------------------------------------- */

static void look(struct call *call, struct str bytes) {
	struct verb_name verb;
	struct error err;
	switch (verb_peek(bytes, call->message_size, &verb, &call->peek.need, &err)) {
	case VERB_PEEK_FOUND:
		route(call, &verb, bytes);
		return;
	case VERB_PEEK_BAD:
		fail(call, &err);
		return;
	case VERB_PEEK_MORE:
		if (call->peek.need <= PEEK_MAX)
			return;
		error_set(
			&err, CODE_RESOURCE_EXHAUSTED,
			"the verb is not in the first bytes of the message, and max-verb-offset is %d; put the verb before the body",
			PEEK_MAX);
		fail(call, &err);
		return;
	}
}

static void keep(struct call *call, struct str bytes) {
	int over = buf_append(&call->peek.bytes, bytes);
	ASSERT(over == 0);
}

static void on_message(struct rpc_stream *stream, size_t size) {
	struct call *call = stream->owner;
	call->has_message = true;
	call->message_size = size;
	if (size == 0)
		look(call, str_new("", 0));
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	struct call *call = stream->owner;
	bool first = buf_len(&call->peek.bytes) == 0;
	call->peek.unpaid = bytes.len;
	if (!first)
		keep(call, bytes);
	struct str view = first ? bytes : buf_view(&call->peek.bytes);
	if (view.len >= call->peek.need)
		look(call, view);
	/* The relay has the bytes, or the call was answered and nobody needs them. */
	if (stream->owner != call || rpc_has_ended(stream))
		return;
	if (first)
		keep(call, bytes);
	/* Given back at once: max-verb-offset is the limit here, and not the sender's window. */
	rpc_consume(stream, bytes.len);
}

static void on_end(struct rpc_stream *stream) {
	struct call *call = stream->owner;
	set_state(call, CALL_ANSWERED);
	rpc_finish(stream, CODE_INVALID_ARGUMENT,
		   call->has_message ? "the message was cut short" : "the request has no message");
}

static void on_closed(struct rpc_stream *stream) {
	end(stream->owner, rpc_has_ended(stream) ? stream->status : CODE_CANCELLED, false);
}

static const struct rpc_events reading_events = {
	.message = on_message,
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
};

void call_start(struct rpc_stream *stream) {
	struct worker *worker = stream->service;
	if (worker->state == WORKER_LEAVING) {
		relay_start(stream, worker->control.channel,
			    &(struct relay_options){.peer = control_link_peer(&worker->control)});
		return;
	}
	struct call *call = pool_alloc(sizeof *call);
	*call = (struct call){
		.worker = worker,
		.from = stream,
		.peek.bytes = BUF_INIT(PEEK_MAX + LOOP_READ_SIZE),
		.info = {.worker = worker->index, .place = ROUTE_NO_VERB},
		.begun_us = clock_us(),
	};
	worker_call_began(worker);
	stream->owner = call;
	stream->events = &reading_events;
	/* A call within another one passes, as the other one could not end without it. */
	if (worker->state == WORKER_DRAINING && !call_headers_are_nested(&stream->http.received)) {
		struct error err;
		error_set(&err, CODE_UNAVAILABLE, "the Backplane is stopping, so the call did not run");
		fail(call, &err);
	}
}
