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

static void open_stream(struct registrar *registrar);

static void on_delay_over(struct timer *timer) {
	open_stream(CONTAINER_OF(timer, struct registrar, limit));
}

static void retry_after(struct registrar *registrar, uint64_t ms) {
	registrar->state = REGISTRAR_WAITING;
	registrar->limit.fire = on_delay_over;
	timer_start(registrar->loop, &registrar->limit, ms);
}

/* Between half and all of the delay, so that Runners do not come back all at once. */
static void wait_to_retry(struct registrar *registrar) {
	registrar->delay_ms = MIN(MAX(registrar->delay_ms * 2, (uint64_t)DELAY_FIRST_MS), (uint64_t)DELAY_LAST_MS);
	uint64_t half = registrar->delay_ms / 2;
	retry_after(registrar, half + random_u64() % (half + 1));
}

static void on_too_slow(struct timer *timer) {
	struct registrar *registrar = CONTAINER_OF(timer, struct registrar, limit);
	rpc_cancel(registrar->stream, CODE_DEADLINE_EXCEEDED, "the Backplane did not accept the registration in time");
}

static void on_orphan_limit(struct timer *timer) {
	struct registrar *registrar = CONTAINER_OF(timer, struct registrar, orphan);
	registrar->events->orphaned(registrar);
}

/* --- the stream's events ------------------------------------------------------------------------------------------ */

static void take_key(struct registrar *registrar) {
	struct str key = http_headers_get(&registrar->stream->http.received, STR("ftl-runner-key"));
	if (registrar->key[0] == '\0' && key.len > 0 && key.len < KEY_MAX)
		snprintf(registrar->key, sizeof registrar->key, "%.*s", STR_ARG(key));
}

static void on_headers(struct rpc_stream *stream) {
	struct registrar *registrar = stream->owner;
	/* A refusal comes as headers that hold a status. */
	if (registrar->state != REGISTRAR_OPENING ||
	    http_headers_find(&stream->http.received, STR("grpc-status")) != NULL)
		return;
	if (registrar->said_hosted[0] != '\0' && strcmp(registrar->said_hosted, registrar->hosted) != 0) {
		/* What we said is no longer so. (What came alive since is reported.) */
		rpc_cancel(stream, CODE_ABORTED, "what the Runner hosts has changed");
		return;
	}
	take_key(registrar);
	registrar->state = REGISTRAR_ACCEPTED;
	registrar->was_accepted = true;
	registrar->delay_ms = 0;
	timer_stop(registrar->loop, &registrar->limit);
	timer_stop(registrar->loop, &registrar->orphan);
	registrar->events->accepted(registrar);
}

static void on_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	rpc_consume(stream, bytes.len);
}

/* Trying again would be told the same. */
static bool is_final(const struct registrar *registrar, enum code code) {
	if (code == CODE_ALREADY_EXISTS)
		/* A Backplane that has not yet seen our last connection break takes us for another. */
		return !registrar->was_accepted;
	return code == CODE_FAILED_PRECONDITION || code == CODE_INVALID_ARGUMENT || code == CODE_PERMISSION_DENIED ||
	       code == CODE_UNAUTHENTICATED || code == CODE_UNIMPLEMENTED;
}

static void on_closed(struct rpc_stream *stream) {
	struct registrar *registrar = stream->owner;
	if (registrar == NULL)
		return;
	bool was_accepted = registrar->state == REGISTRAR_ACCEPTED;
	registrar->stream = NULL;
	if (registrar->state == REGISTRAR_LEAVING) {
		registrar->state = REGISTRAR_ENDED;
		return;
	}
	struct error why;
	error_set(&why, stream->status == CODE_OK ? CODE_UNAVAILABLE : stream->status, "%.*s",
		  STR_ARG(stream->status_text));
	timer_stop(registrar->loop, &registrar->limit);
	if (!was_accepted && is_final(registrar, why.code)) {
		registrar->state = REGISTRAR_ENDED;
		timer_stop(registrar->loop, &registrar->orphan);
		registrar->events->refused(registrar, &why);
		return;
	}
	if (was_accepted)
		timer_start(registrar->loop, &registrar->orphan, registrar->orphan_timeout_ms);
	if (was_accepted && stream->status == CODE_OK) {
		log_info("another Backplane takes over");
		retry_after(registrar, 0);
		return;
	}
	if (was_accepted)
		log_failure(LOG_WARN, &why, "lost the Backplane");
	else
		log_failure(LOG_DEBUG, &why, "not registered");
	wait_to_retry(registrar);
}

static const struct rpc_events stream_events = {
	.headers = on_headers,
	.message = on_message,
	.data = on_data,
	.closed = on_closed,
};

static void open_stream(struct registrar *registrar) {
	registrar->state = REGISTRAR_OPENING;
	snprintf(registrar->said_hosted, sizeof registrar->said_hosted, "%s", registrar->hosted);
	registrar->stream =
		rpc_call(registrar->backplane, &(struct rpc_call_options){
						       .path = STR("/xyz.block.ftl.v1.BackplaneService/RegisterRunner"),
						       .events = &stream_events,
						       .owner = registrar,
					       });
	Ftl__RegisterRunnerRequest request = FTL__REGISTER_RUNNER_REQUEST__INIT;
	request.language = (char *)registrar->language;
	request.endpoint = (char *)registrar->endpoint;
	request.runner_key = registrar->key;
	request.deployment_key = registrar->said_hosted;
	struct arena arena = ARENA_INIT(KIB(4));
	rpc_send(registrar->stream, pb_pack(&request.base, &arena));
	arena_deinit(&arena);
	registrar->limit.fire = on_too_slow;
	timer_start(registrar->loop, &registrar->limit, OPENING_MAX_MS);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void registrar_start(struct registrar *registrar) {
	registrar->orphan.fire = on_orphan_limit;
	timer_start(registrar->loop, &registrar->orphan, registrar->orphan_timeout_ms);
	open_stream(registrar);
}

void registrar_set_hosted(struct registrar *registrar, const char *deployment_key) {
	snprintf(registrar->hosted, sizeof registrar->hosted, "%s", deployment_key);
}

static void stop_timers(struct registrar *registrar) {
	timer_stop(registrar->loop, &registrar->limit);
	timer_stop(registrar->loop, &registrar->orphan);
}

void registrar_leave(struct registrar *registrar) {
	stop_timers(registrar);
	if (registrar->state == REGISTRAR_ACCEPTED) {
		registrar->state = REGISTRAR_LEAVING;
		rpc_half_close(registrar->stream);
	} else {
		registrar_end(registrar);
	}
}

void registrar_end(struct registrar *registrar) {
	stop_timers(registrar);
	if (registrar->stream != NULL) {
		registrar->stream->owner = NULL;
		rpc_cancel(registrar->stream, CODE_CANCELLED, "the Runner goes");
	}
	registrar->stream = NULL;
	registrar->state = REGISTRAR_ENDED;
}
