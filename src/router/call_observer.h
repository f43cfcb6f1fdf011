/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What others learn of calls as they pass through the router: statistics, later spans and a timeline.
 *
 *   begin ──▶ attempt ──▶ attempt … ──▶ end
 *     │ the call found its module      ▲
 *     └────────────────────────────────┘ no replica had it
 *
 * begin and end come once for a call, attempt once for each replica that it is sent to. A call that names no module of
 * the routing table is not told of. Everything runs on the thread of the worker that carries the call, and must not
 * wait.
 *
 * An observer is a table of functions; one with data of its own embeds the table. Each worker has a list of observers,
 * which are told in its order and know nothing of each other; the call has one token for each of them, which it may set
 * as it likes, NULL at first.
 */
#pragma once

#include <stdbool.h>

#include "router/route.h"

enum { CALL_OBSERVERS_MAX = 4 };

struct http_headers;

/* Lent for the time of the event. */
struct call_info {
	size_t worker; /* the index of the one that carries it */
	struct route_module *module; /* as it is routed now: a held call gets a newer one; a reference */
	size_t place; /* of the verb in module (route_module_find); ROUTE_NO_VERB: the newer module lacks it */
	const char *verb; /* "module.verb" */
};

struct call_outcome {
	enum code status; /* that the caller got */
	bool verb_failed; /* CODE_OK, and the answer is an error of the verb */
	uint64_t took_us; /* since its request's headers came */
};

struct call_observer {
	/* received: the headers of the request, lent. */
	void (*begin)(const struct call_observer *observer, const struct call_info *call,
		      const struct http_headers *received, void **token);
	/* replica: of call->module. added: the headers that the router adds for it to those of the request, lent
	 * (call_headers.h); a request id and a trace context are among them when the caller gave none. */
	void (*attempt)(const struct call_observer *observer, const struct call_info *call,
			const struct route_replica *replica, const struct http_headers *added, void **token);
	void (*end)(const struct call_observer *observer, const struct call_info *call,
		    const struct call_outcome *outcome, void **token);
};

/* The first NULL ends the list. */
struct call_observers {
	const struct call_observer *items[CALL_OBSERVERS_MAX];
};

/* tokens: one for each observer, in their order. */
void call_observers_begin(const struct call_observers *observers, const struct call_info *call,
			  const struct http_headers *received, void **tokens);
void call_observers_attempt(const struct call_observers *observers, const struct call_info *call,
			    const struct route_replica *replica, const struct http_headers *added, void **tokens);
void call_observers_end(const struct call_observers *observers, const struct call_info *call,
			const struct call_outcome *outcome, void **tokens);
