/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/services/runners.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "ftl.pb-c.h"
#include "pb/pb.h"
#include "rpc/unary.h"

enum {
	REGISTRATION_MAX = 64 << 10, /* bytes of the request */
	/* The connection of a Runner that dies breaks before the Platform reports the exit: waits for that report, which
	 * takes long while the machine is overloaded. */
	CAUSE_WAIT_MS = 1000,
};

#define TO(state) (1u << (state))

static const unsigned allowed[REGISTRATION_STREAM_STATE_COUNT] = {
	[REGISTRATION_STREAM_RECEIVING] = TO(REGISTRATION_STREAM_CHECKING) | TO(REGISTRATION_STREAM_REFUSED),
	[REGISTRATION_STREAM_CHECKING] =
		TO(REGISTRATION_STREAM_ACCEPTED) | TO(REGISTRATION_STREAM_REFUSED) | TO(REGISTRATION_STREAM_CLOSED),
	[REGISTRATION_STREAM_ACCEPTED] = TO(REGISTRATION_STREAM_REFUSED) | TO(REGISTRATION_STREAM_CLOSED),
	[REGISTRATION_STREAM_CLOSED] = TO(REGISTRATION_STREAM_REFUSED),
};

void registration_stream_move(enum registration_stream_state *state, enum registration_stream_state next) {
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

struct registration_stream {
	struct list link;
	struct runners_service *service;
	enum registration_stream_state state;
	struct rpc_stream *stream; /* NULL: closed */
	struct buf received; /* RECEIVING: the request */
	uint64_t id; /* of the registration at the control side, from CHECKING on */
	char managed_key[KEY_MAX]; /* of a Runner of the Platform; empty: of another Runner */
	bool half_closed; /* the client sends no more: it treats the method as unary */
	struct timer cause; /* of CLOSED: CAUSE_WAIT_MS */
};

static bool is_open(const struct registration_stream *registration) {
	return registration->stream != NULL && !rpc_has_ended(registration->stream);
}

static void answer_unary(struct registration_stream *registration) {
	Ftl__RegisterRunnerResponse response;
	ftl__register_runner_response__init(&response);
	struct arena arena = ARENA_INIT(KIB(1));
	rpc_send(registration->stream, pb_pack(&response.base, &arena));
	rpc_finish(registration->stream, CODE_OK, "");
	arena_deinit(&arena);
}

static struct registration_stream *find(struct runners_service *service, uint64_t id) {
	LIST_FOREACH(link, &service->registrations) {
		struct registration_stream *registration = LIST_ENTRY(link, struct registration_stream, link);
		if (registration->id == id && registration->state != REGISTRATION_STREAM_REFUSED)
			return registration;
	}
	return NULL;
}

void runners_service_accept(struct runners_service *service, uint64_t id, const struct runner *runner) {
	struct registration_stream *registration = find(service, id);
	if (registration == NULL || !is_open(registration))
		return;
	struct rpc_stream *stream = registration->stream;
	failpoint(FAILPOINT_RUNNER_ACCEPTED);
	http_headers_add(&stream->response_headers, &stream->http.arena, STR("ftl-runner-key"),
			 arena_copy(&stream->http.arena, str_from(runner->key)));
	rpc_respond(stream);
	registration_stream_move(&registration->state, REGISTRATION_STREAM_ACCEPTED);
	if (registration->half_closed)
		answer_unary(registration);
}

void runners_service_refuse(struct runners_service *service, uint64_t id, const struct error *why) {
	struct registration_stream *registration = find(service, id);
	if (registration == NULL)
		return;
	registration_stream_move(&registration->state, REGISTRATION_STREAM_REFUSED);
	if (is_open(registration))
		rpc_fail(registration->stream, why);
}

static void registration_free(struct registration_stream *registration) {
	timer_stop(&registration->service->context->loop, &registration->cause);
	list_remove(&registration->link);
	buf_deinit(&registration->received);
	free(registration);
}

/* The control side ignores the end of a registration when the Platform has reported the exit of its Runner. */
static void end_registration(struct registration_stream *registration) {
	struct context *context = registration->service->context;
	uint64_t id = registration->id;
	bool is_known = registration->state == REGISTRATION_STREAM_CLOSED, half_closed = registration->half_closed;
	registration_free(registration);
	if (!is_known)
		return;
	control_registration_ended(context_event(context), id, half_closed);
	context_event_done(context);
}

void runners_service_report_closed(struct runners_service *service) {
	LIST_FOREACH(link, &service->registrations) {
		struct registration_stream *registration = LIST_ENTRY(link, struct registration_stream, link);
		if (registration->stream == NULL)
			end_registration(registration);
	}
}

/* A Runner that is back has ended before. Other Runners keep waiting for their causes. */
static void report_closed_of(struct runners_service *service, const char *runner_key) {
	LIST_FOREACH(link, &service->registrations) {
		struct registration_stream *registration = LIST_ENTRY(link, struct registration_stream, link);
		if (registration->stream == NULL && strcmp(registration->managed_key, runner_key) == 0)
			end_registration(registration);
	}
}

static void on_no_cause(struct timer *timer) {
	end_registration(CONTAINER_OF(timer, struct registration_stream, cause));
}

static int read_registration(struct registration_stream *registration, struct arena *arena,
			     Ftl__RegisterRunnerRequest **ret_request, struct error *err) {
	struct str bytes = buf_view(&registration->received);
	ProtobufCMessage *message;
	struct endpoint endpoint;
	arena_init(arena, pb_arena_max(bytes.len));
	if (pb_unpack(&ftl__register_runner_request__descriptor, bytes, arena, &message, err) < 0)
		return -1;
	*ret_request = (Ftl__RegisterRunnerRequest *)message;
	if (endpoint_parse(str_from((*ret_request)->endpoint), &endpoint, err) < 0 ||
	    endpoint_check_given(&endpoint, err) < 0)
		return error_wrap(err, "the Runner's endpoint");
	return 0;
}

static void take_registration(struct registration_stream *registration) {
	struct runners_service *service = registration->service;
	struct arena arena = ARENA_INIT(0);
	Ftl__RegisterRunnerRequest *request;
	struct error err;
	registration->stream->open_ended = true;
	if (service->context->state == BACKPLANE_LEAVING) {
		registration_stream_move(&registration->state, REGISTRATION_STREAM_REFUSED);
		rpc_finish(registration->stream, CODE_UNAVAILABLE, "another Backplane has taken over");
		return;
	}
	if (read_registration(registration, &arena, &request, &err) < 0) {
		registration_stream_move(&registration->state, REGISTRATION_STREAM_REFUSED);
		rpc_fail(registration->stream, &err);
		arena_deinit(&arena);
		return;
	}
	report_closed_of(service, request->runner_key);
	registration_stream_move(&registration->state, REGISTRATION_STREAM_CHECKING);
	registration->id = ++service->last_id;
	if (control_is_of_platform(&service->context->control, str_from(request->runner_key)))
		snprintf(registration->managed_key, sizeof registration->managed_key, "%s", request->runner_key);
	struct registration event = {
		.id = registration->id,
		.language = str_from(request->language),
		.endpoint = str_from(request->endpoint),
		.runner_key = str_from(request->runner_key),
		.deployment_key = str_from(request->deployment_key),
	};
	control_register(context_event(service->context), &event);
	context_event_done(service->context);
	arena_deinit(&arena);
}

static void on_message(struct rpc_stream *stream, size_t size) {
	struct registration_stream *registration = stream->owner;
	if (registration->state == REGISTRATION_STREAM_RECEIVING && size == 0)
		take_registration(registration);
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	struct registration_stream *registration = stream->owner;
	rpc_consume(stream, bytes.len);
	if (registration->state != REGISTRATION_STREAM_RECEIVING)
		return;
	int over = buf_append(&registration->received, bytes);
	ASSERT(over == 0);
	if (stream->message_left == 0)
		take_registration(registration);
}

static void on_end(struct rpc_stream *stream) {
	struct registration_stream *registration = stream->owner;
	registration->half_closed = true;
	if (registration->state == REGISTRATION_STREAM_RECEIVING) {
		registration_stream_move(&registration->state, REGISTRATION_STREAM_REFUSED);
		rpc_finish(stream, CODE_INVALID_ARGUMENT, "the request has no message");
	} else if (registration->state == REGISTRATION_STREAM_ACCEPTED) {
		answer_unary(registration);
	}
}

static void on_closed(struct rpc_stream *stream) {
	struct registration_stream *registration = stream->owner;
	struct context *context = registration->service->context;
	bool is_known = registration->state == REGISTRATION_STREAM_CHECKING ||
			registration->state == REGISTRATION_STREAM_ACCEPTED;
	registration->stream = NULL;
	registration->half_closed = registration->half_closed && registration->state == REGISTRATION_STREAM_ACCEPTED;
	if (is_known)
		registration_stream_move(&registration->state, REGISTRATION_STREAM_CLOSED);
	if (is_known && registration->managed_key[0] != '\0' && context->state != BACKPLANE_STOPPED)
		timer_start(&context->loop, &registration->cause, CAUSE_WAIT_MS);
	else
		end_registration(registration);
}

static const struct rpc_events registration_events = {
	.message = on_message,
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
};

static void start_registration(struct rpc_stream *stream) {
	struct runners_service *service = stream->service;
	struct registration_stream *registration = mem_alloc(sizeof *registration);
	*registration = (struct registration_stream){.service = service,
						     .stream = stream,
						     .cause.fire = on_no_cause,
						     .received = BUF_INIT(REGISTRATION_MAX)};
	list_append(&service->registrations, &registration->link);
	stream->message_max = REGISTRATION_MAX;
	stream->owner = registration;
	stream->events = &registration_events;
}

static void on_deployed(struct rpc_unary *unary, const ProtobufCMessage *message) {
	struct runners_service *service = unary->service;
	const Ftl__DeployedRequest *request = (const Ftl__DeployedRequest *)message;
	struct error err;
	const struct deployed event = {
		.runner_key = request->runner_key,
		.deployment_key = request->deployment_key,
		.attempt = request->attempt,
		.end = {request->error, (const char *const *)request->last_lines, request->n_last_lines},
		.runner_fault = request->runner_fault,
		.fetch_us = request->fetch_us,
		.start_us = request->start_us,
	};
	failpoint(FAILPOINT_REPLICA_REPORTED);
	int result = control_deployed(context_event(service->context), &event, &err);
	context_event_done(service->context);
	failpoint(FAILPOINT_REPLICA_ALIVE);
	if (result < 0) {
		rpc_unary_fail(unary, &err);
		return;
	}
	Ftl__DeployedResponse response;
	ftl__deployed_response__init(&response);
	rpc_unary_reply(unary, &response.base);
}

static const struct rpc_method runner_methods[] = {
	{.path = "/xyz.block.ftl.v1.BackplaneService/RegisterRunner", .start = start_registration},
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.BackplaneService/Deployed", on_deployed, ftl__deployed_request__descriptor),
};

void runners_service_add(struct runners_service *service, struct rpc_server *server) {
	rpc_server_add(server, runner_methods, ARRAY_LEN(runner_methods), service);
}

void runners_service_init(struct runners_service *service, struct context *context) {
	*service = (struct runners_service){.context = context};
	list_init(&service->registrations);
}

void runners_service_deinit(struct runners_service *service) {
	ASSERT(list_is_empty(&service->registrations));
}

void runners_service_end(struct runners_service *service) {
	LIST_FOREACH(link, &service->registrations) {
		struct registration_stream *registration = LIST_ENTRY(link, struct registration_stream, link);
		registration->id = 0;
		/* The status OK tells the Runner to register again at once. */
		if (registration->stream == NULL)
			registration_free(registration);
		else if (!rpc_has_ended(registration->stream))
			rpc_finish(registration->stream, CODE_OK, "");
	}
}
