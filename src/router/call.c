/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a call through the Backplane:
 *
 *   its first bytes arrive ─▶ verb_peek reads the verb ─▶ the routing table gives the module ─▶ a replica is chosen
 *   ─▶ a relay passes the message on unopened, and the answer back
 *
 * A call that certainly did not begin is sent to another replica; one that may have run never is. When nothing of the
 * module is alive and something is about to be, as after a restart of the Backplane or the death of the only replica,
 * the call is held meanwhile:
 *
 *   ─▶ no replica, or none that can be reached ─▶ HELD ──new routes, a while later──▶ as above
 *                                                  └──max-hold, nothing to wait for──▶ Unavailable
 */
#include "router/call.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/pool.h"
#include "ftl.pb-c.h"
#include "pb/wire.h"
#include "router/verb_peek.h"
#include "router/verb_stats.h"
#include "rpc/relay.h"
#include "rpc/transcode.h"
#include "rpc/unary.h"
#include "schema/json_check.h"
#include "schema/packed.h"

enum {
	/* "max-verb-offset": a verb must stand in this many first bytes of its message. */
	PEEK_MAX = 1 << 20,
	/* "max-call-depth": calls that a call may lead to, one within the other. */
	CHAIN_MAX = 64,
	ATTEMPTS_MAX = 4,
	HOLD_MAX_MS = 5000, /* "max-hold": how long a call waits */
	HELD_MAX = 1000, /* "max-held-calls": how many may, of one worker */
	HELD_MESSAGE_MAX = 256 << 10, /* "max-held-message": what is there of its message by then */
	HELD_RETRY_MS = 25, /* a replica that refuses a call is asked again, each time after twice as long */
	HELD_LOOK_MS = 25,
	REQUEST_ID_SIZE = 20,
	TRACE_SIZE = 55,
};

/* A call on its way. */
struct call {
	struct worker *worker;
	struct rpc_stream *from;
	struct buf peeked; /* the first bytes, when the verb did not stand in the first piece */
	size_t message_size;
	size_t need; /* no use in looking before there are as many */
	size_t unpaid; /* of the piece at hand, not given back to the sender yet */
	bool has_message;

	struct route_module *module; /* a reference: the label of the replica lives in it */
	char *verb; /* "module.verb" */
	struct verb_stats *stats; /* a reference; NULL: of no verb that is known yet */
	struct verb_counts *counts; /* this worker's, in stats */
	uint64_t begun_us;
	struct http_headers headers; /* added for the Runner, in from's arena */
	unsigned attempts;
	const struct route_replica *tried; /* of module; where the call is, or was last */
	bool is_there;
	uint64_t sent_ms; /* there */
	bool trial; /* by it a replica that is left out is tried */

	struct relay *relay; /* while it is held, else of no use */
	struct list in_held;
	uint64_t held_ms; /* since when; 0: never */
	uint64_t retry_ms, retry_after_ms; /* when it is sent again though the routes are the same; 0: not */
	const char *why; /* it was turned away by the last replica; in from's arena */
};

static void end_hold(struct call *call) {
	if (list_is_empty(&call->in_held))
		return;
	list_remove(&call->in_held);
	call->worker->held_count--;
}

static void call_free(struct call *call, enum code status, bool verb_failed) {
	struct worker *worker = call->worker;
	end_hold(call);
	if (call->counts != NULL)
		verb_counts_end(call->counts, status, verb_failed, clock_us() - call->begun_us);
	verb_stats_unref(call->stats);
	buf_deinit(&call->peeked);
	route_module_unref(call->module);
	pool_free(call->verb);
	pool_free(call);
	worker->calls--;
	worker_tell_if_idle(worker);
}

/* --- headers ------------------------------------------------------------------------------------------------------ */

static const struct str header_verb = STR_INIT("ftl-verb");
static const struct str header_request_id = STR_INIT("ftl-request-id");
static const struct str header_deployment = STR_INIT("ftl-deployment");
static const struct str header_trace = STR_INIT("traceparent");

/* The calls that led to this one, oldest first, as "a.b → c.d". */
static void print_chain(const struct http_headers *headers, const char *last, struct buf *ret_text) {
	for (size_t i = 0; i < headers->count; i++)
		if (str_eq(headers->items[i].name, header_verb) &&
		    buf_printf(ret_text, "%.*s \xE2\x86\x92 ", STR_ARG(headers->items[i].value)) < 0)
			return;
	(void)!buf_printf(ret_text, "%s", last);
}

static int check_chain(const struct call *call, struct error *err) {
	const struct http_headers *headers = &call->from->http.received;
	size_t depth = 0;
	bool loops = false;
	for (size_t i = 0; i < headers->count; i++) {
		if (!str_eq(headers->items[i].name, header_verb))
			continue;
		depth++;
		loops |= str_eq_c(headers->items[i].value, call->verb);
	}
	if (!loops && depth < CHAIN_MAX)
		return 0;
	struct buf text = BUF_INIT(KIB(1) - 200);
	print_chain(headers, call->verb, &text);
	struct str chain = buf_view(&text);
	if (loops)
		error_set(err, CODE_FAILED_PRECONDITION, "this call would go round in a circle: %.*s", STR_ARG(chain));
	else
		error_set(err, CODE_FAILED_PRECONDITION,
			  "%zu calls lie within each other, and max-call-depth is %d: %.*s", depth + 1, CHAIN_MAX,
			  STR_ARG(chain));
	buf_deinit(&text);
	return -1;
}

/* A verb calls what its schema declares. What the Backplane knows nothing of is let through. */
static int check_declared(const struct call *call, struct error *err) {
	const struct http_headers *headers = &call->from->http.received;
	struct str caller = {0}, verb;
	for (size_t i = 0; i < headers->count; i++)
		if (str_eq(headers->items[i].name, header_verb))
			caller = headers->items[i].value;
	struct str name = str_cut(caller, '.', &verb);
	const struct route_module *module = caller.len > 0 ? route_table_find(call->worker->routes, name) : NULL;
	if (module == NULL || !route_module_has(module, verb) ||
	    route_module_may_call(module, verb, str_from(call->verb)))
		return 0;
	return error_set(err, CODE_PERMISSION_DENIED,
			 "%.*s may not call %s, as its schema does not say so; add to the verb %.*s: +calls %s",
			 STR_ARG(caller), call->verb, STR_ARG(verb), call->verb);
}

/* --- requests in JSON --------------------------------------------------------------------------------------------- */

/* The field `bytes body = 3` of a whole CallRequest; of several the last one counts. */
static struct str find_body(struct str message) {
	struct str body = STR("");
	for (struct wire_field field; wire_take(&message, &field);)
		if (field.type == WIRE_BYTES && field.number == 3)
			body = field.bytes;
	return body;
}

static const struct schema_module *find_model(void *owner, const char *name) {
	const struct worker *worker = owner;
	const struct route_module *module = route_table_find(worker->routes, str_from(name));
	return module != NULL && module->schema != NULL ? packed_schema_module(module->schema) : NULL;
}

/* A call whose message came as JSON is one of a browser, a script or a person, and is opened to become protobuf anyhow.
 * What is wrong with its request is said here. All others go on unopened, and their verb says it. */
static int check_request(const struct call *call, const struct verb_name *verb, struct str message, struct error *err) {
	struct transcoder *transcoder = call->from->transcoder;
	if (transcoder == NULL || transcode_options(transcoder)->receive == NULL || call->module->schema == NULL)
		return 0;
	ASSERT(message.len == call->message_size); /* it was turned as a whole */
	const struct schema_module *module = packed_schema_module(call->module->schema);
	const struct schema_decl *decl = NULL;
	while ((decl = schema_next_verb(module, decl)) != NULL && !str_eq_c(verb->name, decl->name))
		;
	struct str body = find_body(message);
	if (decl == NULL || (body.len == 0 && decl->verb.request.kind == SCHEMA_UNIT))
		return 0;
	const struct schema_json json = {.module = module,
					 .find = find_model,
					 .owner = call->worker,
					 .root = "request"};
	return schema_check_json(&json, &decl->verb.request, body, err);
}

/* --- headers for the Runner --------------------------------------------------------------------------------------- */

/* Sixteen hexadecimal digits. printf would cost as much as all else that routing does. */
static void put_hex(char *at, uint64_t number) {
	for (size_t i = 16; i-- > 0; number >>= 4)
		at[i] = "0123456789abcdef"[number & 15];
}

static struct str make_request_id(struct call *call) {
	char *id = arena_alloc(&call->from->http.arena, REQUEST_ID_SIZE);
	memcpy(id, "req-", 4);
	put_hex(id + 4, worker_random(call->worker));
	return str_new(id, REQUEST_ID_SIZE);
}

/* W3C trace context: version, trace, span, flags. */
static struct str make_trace(struct call *call) {
	char *trace = arena_alloc(&call->from->http.arena, TRACE_SIZE);
	memcpy(trace, "00-", 3);
	put_hex(trace + 3, worker_random(call->worker));
	put_hex(trace + 19, worker_random(call->worker) | 1);
	trace[35] = '-';
	put_hex(trace + 36, worker_random(call->worker) | 1);
	memcpy(trace + 52, "-01", 3);
	return str_new(trace, TRACE_SIZE);
}

/* What only the Backplane may say. */
static void drop_header(struct http_headers *headers, struct str name) {
	size_t kept = 0;
	for (size_t i = 0; i < headers->count; i++)
		if (!str_eq(headers->items[i].name, name))
			headers->items[kept++] = headers->items[i];
	headers->count = kept;
}

static void add_headers(struct call *call) {
	struct arena *arena = &call->from->http.arena;
	const struct http_headers *received = &call->from->http.received;
	drop_header(&call->from->http.received, header_deployment);
	struct str id = http_headers_get(received, header_request_id);
	if (id.ptr == NULL) {
		id = make_request_id(call);
		http_headers_add(&call->headers, arena, header_request_id, id)->never_indexed = true;
	}
	if (http_headers_find(received, header_trace) == NULL)
		http_headers_add(&call->headers, arena, header_trace, make_trace(call))->never_indexed = true;
	http_headers_add(&call->headers, arena, header_verb, str_from(call->verb));
	/* The last, as it differs from replica to replica: see headers_for. */
	http_headers_add(&call->headers, arena, header_deployment, STR(""));
	http_headers_add(&call->from->response_headers, arena, header_request_id, id)->never_indexed = true;
}

/* --- routing ------------------------------------------------------------------------------------------------------ */

static int no_such_verb(const struct route_module *module, const struct verb_name *verb, struct error *err) {
	const char *near = route_module_nearest(module, verb->name), *name = module->name.ptr;
	if (near == NULL)
		return error_set(err, CODE_NOT_FOUND, "the module %s has no verb %.*s", name, STR_ARG(verb->name));
	return error_set(err, CODE_NOT_FOUND, "the module %s has no verb %.*s; did you mean %s.%s?", name,
			 STR_ARG(verb->name), name, near);
}

static void no_replica(const struct route_module *module, struct error *err) {
	error_set(err, CODE_UNAVAILABLE, "nothing of the module %s is alive: %s", module->name.ptr, module->problem);
}

/* From here on the call counts. One that waits for its module may learn only later what its verb is. */
static void count_call(struct call *call, struct verb_stats *stats) {
	if (call->stats != NULL || stats == NULL)
		return;
	call->stats = verb_stats_ref(stats);
	call->counts = verb_stats_begin(stats, call->worker->index);
}

static int find_module(struct call *call, const struct verb_name *verb, struct error *err) {
	struct route_module *module = route_table_find(call->worker->routes, verb->module);
	if (module == NULL)
		return route_table_no_module(call->worker->routes, verb->module, err);
	/* What has statistics is there: usually one look-up tells both. */
	struct verb_stats *stats = route_module_stats(module, verb->name);
	if (stats == NULL && module->verb_count > 0 && !route_module_has(module, verb->name))
		return no_such_verb(module, verb, err);
	count_call(call, stats);
	if (module->replica_count == 0 && !module->awaited) {
		no_replica(module, err);
		return -1;
	}
	call->module = route_module_ref(module);
	return 0;
}

static size_t place_of(const struct call *call, const struct route_replica *replica) {
	return (size_t)(replica - call->module->replicas);
}

static bool try_left_out(struct call *call, const struct route_replica *replica) {
	call->trial = replica != call->tried && outlier_try(replica->outlier, loop_now_ms(&call->worker->loop));
	return call->trial;
}

/* One of those that are not left out, or one whose time to be tried has come. */
static const struct route_replica *pick_around(struct call *call, const struct route_replica *a,
					       const struct route_replica *b) {
	const struct route_module *module = call->module;
	if (try_left_out(call, a))
		return a;
	if (try_left_out(call, b))
		return b;
	for (size_t i = 0; i < module->replica_count; i++) {
		const struct route_replica *replica =
			&module->replicas[(place_of(call, a) + i) % module->replica_count];
		if (replica != call->tried && !outlier_is_out(replica->outlier))
			return replica;
	}
	/* All are out, by workers that decided at the same time, or but for the one that was tried just now. */
	return call->tried == a ? b : a;
}

/* The less busy of two that are drawn at random: nearly as good as the least busy of all, at no cost. */
static const struct route_replica *pick_replica(struct call *call) {
	const struct route_module *module = call->module;
	size_t count = module->replica_count;
	if (count == 1)
		return &module->replicas[0];
	uint64_t random = worker_random(call->worker);
	size_t first = (size_t)(random >> 32) % count;
	size_t second = (first + 1 + (size_t)(random & 0xFFFFFFFF) % (count - 1)) % count;
	const struct route_replica *a = &module->replicas[first], *b = &module->replicas[second];
	if (outlier_is_out(a->outlier) || outlier_is_out(b->outlier))
		return pick_around(call, a, b);
	if (call->tried == a || call->tried == b)
		return call->tried == a ? b : a;
	unsigned busy_a = outlier_under_way(a->outlier), busy_b = outlier_under_way(b->outlier);
	if (busy_a != busy_b)
		outlier_look(module->outliers, busy_a < busy_b ? second : first, loop_now_ms(&call->worker->loop));
	return busy_a <= busy_b ? a : b;
}

/* The channel to a replica that has just been picked. */
static struct rpc_channel *send_to(struct call *call, const struct route_replica *replica) {
	call->tried = replica;
	call->sent_ms = loop_now_ms(&call->worker->loop);
	if (call->module->replica_count > 1)
		outlier_sent(replica->outlier, outlier_under_way(replica->outlier), call->sent_ms);
	outlier_enter(replica->outlier);
	call->is_there = true;
	return worker_channel(call->worker, replica);
}

/* What the end of the call says of the replica that had it. */
static void note_end(struct call *call, enum code status) {
	const struct route_module *module = call->module;
	if (!call->is_there)
		return;
	call->is_there = false;
	outlier_leave(call->tried->outlier);
	if (module->replica_count == 1)
		return;
	size_t place = place_of(call, call->tried);
	uint64_t now_ms = loop_now_ms(&call->worker->loop), took_ms = now_ms - call->sent_ms;
	if (status == CODE_UNAVAILABLE)
		outlier_failed(module->outliers, place, call->trial, now_ms);
	else if (status == CODE_CANCELLED || status == CODE_DEADLINE_EXCEEDED)
		outlier_given_up(module->outliers, place, call->trial, took_ms, now_ms);
	else
		outlier_answered(module->outliers, place, call->trial, took_ms, now_ms);
	call->trial = false;
}

/* The headers for one replica: what is the same for all, and the deployment that it must host. */
static const struct http_headers *headers_for(struct call *call, const struct route_replica *replica) {
	call->headers.items[call->headers.count - 1].value = str_from(replica->deployment_key);
	return &call->headers;
}

static void send_again(struct call *call) {
	const struct route_replica *replica = pick_replica(call);
	end_hold(call);
	relay_retry(call->relay, send_to(call, replica), replica->label, headers_for(call, replica));
}

/* --- calls that wait ---------------------------------------------------------------------------------------------- */

static void give_up(struct call *call, const struct error *why) {
	end_hold(call);
	call->tried = NULL;
	relay_give_up(call->relay, why);
}

/* Why a call that nothing can take now does not wait. */
static int check_hold(const struct call *call, uint64_t now_ms, const char *why, struct error *err) {
	const struct worker *worker = call->worker;
	bool may_come = call->module->awaited || call->module->replica_count > 0;
	if (worker->draining || !may_come)
		return error_set(err, CODE_UNAVAILABLE, "%s", why);
	if (call->held_ms != 0 && now_ms - call->held_ms >= HOLD_MAX_MS)
		return error_set(err, CODE_UNAVAILABLE, "%s (the call has waited for %d ms, which is max-hold)", why,
				 HOLD_MAX_MS);
	if (list_is_empty(&call->in_held) && worker->held_count >= HELD_MAX)
		return error_set(err, CODE_UNAVAILABLE, "%s (%zu calls wait already; max-held-calls is %d)", why,
				 worker->held_count, HELD_MAX);
	return 0;
}

static void hold(struct call *call, const struct error *why) {
	struct worker *worker = call->worker;
	uint64_t now_ms = loop_now_ms(&worker->loop);
	struct error err;
	if (check_hold(call, now_ms, why->msg, &err) < 0) {
		give_up(call, &err);
		return;
	}
	call->why = arena_strdup(&call->from->http.arena, str_from(why->msg));
	call->tried = NULL;
	call->attempts = 0;
	call->held_ms = call->held_ms ? call->held_ms : now_ms;
	list_append(&worker->held, &call->in_held);
	if (worker->held_count++ == 0)
		timer_start(&worker->loop, &worker->held_timer, HELD_LOOK_MS);
}

/* A replica turned it away: the routes that tell why may be on their way, or else it may fare better soon. */
static void hold_and_retry(struct call *call, const struct error *why) {
	call->retry_after_ms = call->retry_after_ms > 0 ? call->retry_after_ms * 2 : HELD_RETRY_MS;
	call->retry_ms = loop_now_ms(&call->worker->loop) + call->retry_after_ms;
	hold(call, why);
}

/* Takes the module as it is now. Returns whether that is another one than before. */
static bool look_up_again(struct call *call) {
	struct route_module *module = route_table_find(call->worker->routes, call->module->name);
	if (module == NULL || module == call->module)
		return false;
	route_module_unref(call->module);
	call->module = route_module_ref(module);
	call->tried = NULL;
	if (call->stats == NULL)
		count_call(call, route_module_stats(module, str_from(strchr(call->verb, '.') + 1)));
	return true;
}

/* To the process that has taken over, which knows what is alive now, and adds its own headers. */
static void pass_on(struct call *call) {
	struct arena *arena = &call->from->http.arena;
	struct http_headers headers = {0};
	for (size_t i = 0; i < call->headers.count; i++)
		if (!str_eq(call->headers.items[i].name, header_verb) &&
		    !str_eq(call->headers.items[i].name, header_deployment))
			http_headers_pass(&headers, arena, &call->headers.items[i]);
	end_hold(call);
	call->tried = NULL;
	relay_retry(call->relay, call->worker->control, "the Backplane that has taken over", &headers);
}

static void look_again(struct call *call) {
	uint64_t now_ms = loop_now_ms(&call->worker->loop);
	struct error err;
	if (rpc_has_ended(relay_from(call->relay)))
		return; /* its deadline has passed */
	if (call->worker->leaving) {
		pass_on(call);
		return;
	}
	bool changed = look_up_again(call);
	bool due = changed || (call->retry_ms != 0 && now_ms >= call->retry_ms);
	if (call->module->replica_count > 0 && due && !call->worker->draining) {
		call->retry_ms = 0;
		send_again(call);
		return;
	}
	const char *why = call->why;
	struct error none;
	if (call->module->replica_count == 0) {
		no_replica(call->module, &none);
		why = none.msg;
	}
	if (check_hold(call, now_ms, why, &err) < 0)
		give_up(call, &err);
}

void calls_look_again(struct worker *worker) {
	LIST_FOREACH(link, &worker->held)
		look_again(LIST_ENTRY(link, struct call, in_held));
}

static void on_held_timer(struct timer *timer) {
	struct worker *worker = CONTAINER_OF(timer, struct worker, held_timer);
	calls_look_again(worker);
	if (worker->held_count > 0)
		timer_start(&worker->loop, timer, HELD_LOOK_MS);
}

void calls_init(struct worker *worker) {
	list_init(&worker->held);
	worker->held_timer.fire = on_held_timer;
}

/* --- on its way --------------------------------------------------------------------------------------------------- */

static void on_unprocessed(struct relay *relay, const struct error *why) {
	struct call *call = relay_owner(relay);
	call->relay = relay;
	note_end(call, CODE_UNAVAILABLE);
	if (call->worker->leaving && ++call->attempts < ATTEMPTS_MAX) {
		pass_on(call);
		return;
	}
	/* The table may have moved on since: a replica that is gone is not asked again. */
	look_up_again(call);
	bool other = call->module->replica_count > 1 || (call->module->replica_count == 1 && call->tried == NULL);
	if (other && ++call->attempts < ATTEMPTS_MAX)
		send_again(call);
	else
		hold_and_retry(call, why);
}

static void on_relay_done(struct relay *relay) {
	struct call *call = relay_owner(relay);
	note_end(call, relay_status(relay));
	/* The first field of a CallResponse tells whether the verb succeeded. */
	call_free(call, relay_status(relay),
		  relay_answer_begins(relay) == WIRE_TAG(FTL__CALL_RESPONSE__RESPONSE_ERROR, WIRE_BYTES));
}

/* "module.verb", of the pool. */
static char *full_name(const struct verb_name *verb) {
	char *text = pool_alloc(verb->module.len + verb->name.len + 2);
	memcpy(text, verb->module.ptr, verb->module.len);
	text[verb->module.len] = '.';
	memcpy(text + verb->module.len + 1, verb->name.ptr, verb->name.len);
	text[verb->module.len + 1 + verb->name.len] = '\0';
	return text;
}

/* Nothing of the module is alive, and something is about to be. */
static void wait_for_replica(struct call *call, const struct relay_options *options) {
	struct error err;
	if (options->taken.len > HELD_MESSAGE_MAX) {
		error_set(
			&err, CODE_UNAVAILABLE,
			"nothing of the module %s is alive yet, and the call is too large to wait: %zu bytes of it are here, and "
			"max-held-message is %d",
			call->module->name.ptr, options->taken.len, HELD_MESSAGE_MAX);
		rpc_fail(call->from, &err);
		return;
	}
	no_replica(call->module, &err);
	call->relay = relay_wait(call->from, options);
	hold(call, &err);
}

static void route(struct call *call, const struct verb_name *verb, struct str taken) {
	struct rpc_stream *from = call->from;
	struct error err;
	call->verb = full_name(verb);
	if (find_module(call, verb, &err) < 0 || check_chain(call, &err) < 0 || check_declared(call, &err) < 0 ||
	    check_request(call, verb, taken, &err) < 0) {
		rpc_fail(from, &err);
		return;
	}
	add_headers(call);
	struct relay_options options = {
		.taken = taken,
		.owed = call->unpaid,
		.message_size = call->message_size,
		.has_message = true,
		.unprocessed = on_unprocessed,
		.done = on_relay_done,
		.owner = call,
	};
	if (call->module->replica_count == 0) {
		wait_for_replica(call, &options);
		return;
	}
	const struct route_replica *replica = pick_replica(call);
	options.peer = replica->label;
	options.headers = headers_for(call, replica);
	relay_start(from, send_to(call, replica), &options);
}

/* --- the first bytes ---------------------------------------------------------------------------------------------- */

static void look(struct call *call, struct str bytes) {
	struct verb_name verb;
	struct error err;
	switch (verb_peek(bytes, call->message_size, &verb, &call->need, &err)) {
	case VERB_PEEK_FOUND:
		route(call, &verb, bytes);
		return;
	case VERB_PEEK_BAD:
		rpc_fail(call->from, &err);
		return;
	case VERB_PEEK_MORE:
		if (call->need <= PEEK_MAX)
			return;
		error_set(
			&err, CODE_RESOURCE_EXHAUSTED,
			"the verb does not stand in the first bytes of the message, and max-verb-offset is %d: put it before the body",
			PEEK_MAX);
		rpc_fail(call->from, &err);
		return;
	}
}

static void keep(struct call *call, struct str bytes) {
	int over = buf_append(&call->peeked, bytes);
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
	bool first = buf_len(&call->peeked) == 0;
	call->unpaid = bytes.len;
	if (!first)
		keep(call, bytes);
	struct str view = first ? bytes : buf_view(&call->peeked);
	if (view.len >= call->need)
		look(call, view);
	/* The relay has them, or nobody wants them. */
	if (stream->owner != call || rpc_has_ended(stream))
		return;
	if (first)
		keep(call, bytes);
	/* The sender is paid at once: max-verb-offset is the limit here, and not its window. */
	rpc_consume(stream, bytes.len);
}

static void on_end(struct rpc_stream *stream) {
	struct call *call = stream->owner;
	rpc_finish(stream, CODE_INVALID_ARGUMENT,
		   call->has_message ? "the message was cut short" : "the request has no message");
}

static void on_closed(struct rpc_stream *stream) {
	call_free(stream->owner, rpc_has_ended(stream) ? stream->status : CODE_CANCELLED, false);
}

static const struct rpc_events peek_events = {
	.message = on_message,
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
};

static void start_call(struct rpc_stream *stream) {
	struct worker *worker = stream->service;
	if (worker->leaving) {
		relay_start(stream, worker->control,
			    &(struct relay_options){.peer = "the Backplane that has taken over"});
		return;
	}
	struct call *call = pool_alloc(sizeof *call);
	*call = (struct call){
		.worker = worker,
		.from = stream,
		.peeked = BUF_INIT(PEEK_MAX + LOOP_READ_SIZE),
		.begun_us = clock_us(),
	};
	list_init(&call->in_held);
	worker->calls++;
	stream->owner = call;
	stream->events = &peek_events;
	/* A call that another one waits for must get through for that one to end. */
	bool outermost = http_headers_find(&stream->http.received, header_verb) == NULL;
	if (worker->draining && outermost)
		rpc_finish(stream, CODE_UNAVAILABLE, "the Backplane is stopping, so the call did not run");
}

/* --- the rest of VerbService -------------------------------------------------------------------------------------- */

static void on_ping(struct rpc_unary *unary, const ProtobufCMessage *request UNUSED) {
	Ftl__PingResponse response;
	ftl__ping_response__init(&response);
	rpc_unary_reply(unary, &response.base);
}

static void on_list(struct rpc_unary *unary, const ProtobufCMessage *request UNUSED) {
	const struct worker *worker = unary->service;
	size_t count = 0, cursor = 0;
	for (const struct route_module *module; (module = route_table_next(worker->routes, &cursor)) != NULL;)
		count += module->verb_count;
	Schema__VerbRef *refs = mem_alloc((count + 1) * sizeof *refs);
	Schema__VerbRef **list = mem_alloc((count + 1) * sizeof *list);
	size_t at = 0;
	cursor = 0;
	for (const struct route_module *module; (module = route_table_next(worker->routes, &cursor)) != NULL;) {
		for (size_t i = 0; i < module->verb_count; i++, at++) {
			schema__verb_ref__init(&refs[at]);
			refs[at].module = (char *)module->name.ptr;
			refs[at].name = (char *)module->verbs[i].ptr;
			list[at] = &refs[at];
		}
	}
	Ftl__ListResponse response;
	ftl__list_response__init(&response);
	response.n_verbs = count;
	response.verbs = list;
	rpc_unary_reply(unary, &response.base);
	free(list);
	free(refs);
}

const struct rpc_method call_methods[] = {
	{.path = "/xyz.block.ftl.v1.VerbService/Call", .start = start_call},
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.VerbService/Ping", on_ping, ftl__ping_request__descriptor),
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.VerbService/List", on_list, ftl__list_request__descriptor),
};
const size_t call_method_count = ARRAY_LEN(call_methods);
