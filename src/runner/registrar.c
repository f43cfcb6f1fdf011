/* SPDX-License-Identifier: Apache-2.0 */
/*
 *        ┌────────────delay over───────────┐
 *        ▼                                 │
 *     OPENING ──headers──▶ ACCEPTED ──stream ends──▶ WAITING
 *        │ │ error, too slow ──────────────────────────▲
 *        │ └─ a refusal that is final ──▶ ENDED
 *        └── any ── leave ──▶ LEAVING ──stream ends──▶ ENDED
 *
 * A stream that ends in order though we did not leave says that another Backplane is there: WAITING is no time then.
 */
#include "runner/registrar.h"

#include <stdio.h>

#include "base/log.h"
#include "ftl.pb-c.h"
#include "pb/pb.h"

enum {
	OPENING_MAX_MS = 10000,
	DELAY_FIRST_MS = 50,
	DELAY_LAST_MS = 250, /* a Backplane that comes back is answered through within a second */
};

static void open_stream(struct registration *registration);

static void on_delay_over(struct timer *timer) {
	open_stream(CONTAINER_OF(timer, struct registration, limit));
}

static void retry_after(struct registration *registration, uint64_t ms) {
	registration->state = REGISTRATION_WAITING;
	registration->limit.fire = on_delay_over;
	timer_start(registration->loop, &registration->limit, ms);
}

/* Between half and all of the delay, so that Runners do not come back all at once. */
static void wait_to_retry(struct registration *registration) {
	registration->delay_ms =
		MIN(MAX(registration->delay_ms * 2, (uint64_t)DELAY_FIRST_MS), (uint64_t)DELAY_LAST_MS);
	uint64_t half = registration->delay_ms / 2;
	retry_after(registration, half + random_u64() % (half + 1));
}

static void on_too_slow(struct timer *timer) {
	struct registration *registration = CONTAINER_OF(timer, struct registration, limit);
	rpc_cancel(registration->stream, CODE_DEADLINE_EXCEEDED,
		   "the Backplane did not accept the registration in time");
}

static void on_orphan_limit(struct timer *timer) {
	struct registration *registration = CONTAINER_OF(timer, struct registration, orphan);
	registration->events->orphaned(registration);
}

/* --- the stream's events ------------------------------------------------------------------------------------------ */

static void take_key(struct registration *registration) {
	struct str key = http_headers_get(&registration->stream->http.received, STR("ftl-runner-key"));
	if (registration->key[0] == '\0' && key.len > 0 && key.len < KEY_MAX)
		snprintf(registration->key, sizeof registration->key, "%.*s", STR_ARG(key));
}

static void on_headers(struct rpc_stream *stream) {
	struct registration *registration = stream->owner;
	/* A refusal comes as headers that hold a status. */
	if (registration->state != REGISTRATION_OPENING ||
	    http_headers_find(&stream->http.received, STR("grpc-status")) != NULL)
		return;
	if (registration->said_hosted[0] != '\0' && strcmp(registration->said_hosted, registration->hosted) != 0) {
		/* What we said is no longer so. (What came alive since is reported.) */
		rpc_cancel(stream, CODE_ABORTED, "what the Runner hosts has changed");
		return;
	}
	take_key(registration);
	registration->state = REGISTRATION_ACCEPTED;
	registration->was_accepted = true;
	registration->delay_ms = 0;
	timer_stop(registration->loop, &registration->limit);
	timer_stop(registration->loop, &registration->orphan);
	registration->events->accepted(registration);
}

static void on_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	rpc_consume(stream, bytes.len);
}

/* Trying again would be told the same. */
static bool is_final(const struct registration *registration, enum code code) {
	if (code == CODE_ALREADY_EXISTS)
		/* A Backplane that has not yet seen our last connection break takes us for another. */
		return !registration->was_accepted;
	return code == CODE_FAILED_PRECONDITION || code == CODE_INVALID_ARGUMENT || code == CODE_PERMISSION_DENIED ||
	       code == CODE_UNAUTHENTICATED || code == CODE_UNIMPLEMENTED;
}

static void on_closed(struct rpc_stream *stream) {
	struct registration *registration = stream->owner;
	if (registration == NULL)
		return;
	bool was_accepted = registration->state == REGISTRATION_ACCEPTED;
	registration->stream = NULL;
	if (registration->state == REGISTRATION_LEAVING) {
		registration->state = REGISTRATION_ENDED;
		return;
	}
	struct error why;
	error_set(&why, stream->status == CODE_OK ? CODE_UNAVAILABLE : stream->status, "%.*s",
		  STR_ARG(stream->status_text));
	timer_stop(registration->loop, &registration->limit);
	if (!was_accepted && is_final(registration, why.code)) {
		registration->state = REGISTRATION_ENDED;
		timer_stop(registration->loop, &registration->orphan);
		registration->events->refused(registration, &why);
		return;
	}
	if (was_accepted)
		timer_start(registration->loop, &registration->orphan, registration->orphan_timeout_ms);
	if (was_accepted && stream->status == CODE_OK) {
		log_info("another Backplane takes over");
		retry_after(registration, 0);
		return;
	}
	if (was_accepted)
		log_failure(LOG_WARN, &why, "lost the Backplane");
	else
		log_failure(LOG_DEBUG, &why, "not registered");
	wait_to_retry(registration);
}

static const struct rpc_events stream_events = {
	.headers = on_headers,
	.message = on_message,
	.data = on_data,
	.closed = on_closed,
};

static void open_stream(struct registration *registration) {
	registration->state = REGISTRATION_OPENING;
	snprintf(registration->said_hosted, sizeof registration->said_hosted, "%s", registration->hosted);
	registration->stream = rpc_call(registration->backplane,
					&(struct rpc_call_options){
						.path = STR("/xyz.block.ftl.v1.BackplaneService/RegisterRunner"),
						.events = &stream_events,
						.owner = registration,
					});
	Ftl__RegisterRunnerRequest request = FTL__REGISTER_RUNNER_REQUEST__INIT;
	request.language = (char *)registration->language;
	request.endpoint = (char *)registration->endpoint;
	request.runner_key = registration->key;
	request.deployment_key = registration->said_hosted;
	struct arena arena = ARENA_INIT(KIB(4));
	rpc_send(registration->stream, pb_pack(&request.base, &arena));
	arena_deinit(&arena);
	registration->limit.fire = on_too_slow;
	timer_start(registration->loop, &registration->limit, OPENING_MAX_MS);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void registration_start(struct registration *registration) {
	registration->orphan.fire = on_orphan_limit;
	timer_start(registration->loop, &registration->orphan, registration->orphan_timeout_ms);
	open_stream(registration);
}

void registration_set_hosted(struct registration *registration, const char *deployment_key) {
	snprintf(registration->hosted, sizeof registration->hosted, "%s", deployment_key);
}

static void stop_timers(struct registration *registration) {
	timer_stop(registration->loop, &registration->limit);
	timer_stop(registration->loop, &registration->orphan);
}

void registration_leave(struct registration *registration) {
	stop_timers(registration);
	if (registration->state == REGISTRATION_ACCEPTED) {
		registration->state = REGISTRATION_LEAVING;
		rpc_half_close(registration->stream);
	} else {
		registration_end(registration);
	}
}

void registration_end(struct registration *registration) {
	stop_timers(registration);
	if (registration->stream != NULL) {
		registration->stream->owner = NULL;
		rpc_cancel(registration->stream, CODE_CANCELLED, "the Runner goes");
	}
	registration->stream = NULL;
	registration->state = REGISTRATION_ENDED;
}
