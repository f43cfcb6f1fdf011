/* SPDX-License-Identifier: Apache-2.0 */
#include "module/module_request.h"

#include "base/clock.h"
#include "base/nearest.h"
#include "base/reasons.h"
#include "module/call_request.h"
#include "module/module_call_out.h"

/* --- the verb runs ------------------------------------------------------------------------------------------------ */

static void run_verb(struct verb_job *job) {
	struct module_call *call = CONTAINER_OF(job, struct module_call, job);
	call->result = module_call_go_on(call, call->verb->run(&call->context));
	loop_post(call->host->options.loop, &call->done);
}

static void run_call(struct module_call *call) {
	module_call_move(call, MODULE_CALL_RUNNING);
	if (call->verb->flags & FTL_VERB_NONBLOCKING) {
		call->on_loop = true;
		module_call_returned(call, call->verb->run(&call->context));
	} else if (!verb_pool_submit(call->host->pool, &call->job)) {
		struct error err;
		error_set(
			&err, CODE_RESOURCE_EXHAUSTED,
			"all %d threads of the module are busy and %d calls wait (max-verb-threads, max-waiting-calls)",
			MODULE_THREADS_MAX, MODULE_QUEUE_MAX);
		module_call_refuse(call, &err);
	}
}

/* --- the request is read ------------------------------------------------------------------------------------------ */

const struct ftl_verb *module_find_verb(const struct ftl_module *module, struct str name) {
	for (size_t i = 0; i < module->verb_count; i++)
		if (str_eq_c(name, module->verbs[i].name))
			return &module->verbs[i];
	return NULL;
}

static struct str first_100(struct str text) {
	return str_new(text.ptr, MIN(text.len, (size_t)100));
}

static int no_such_verb(const struct ftl_module *module, struct str name, struct error *err) {
	struct nearest nearest;
	char hint[NEAREST_HINT_MAX];
	nearest_init(&nearest, name);
	for (size_t i = 0; i < module->verb_count; i++)
		nearest_offer(&nearest, module->verbs[i].name);
	bool is_near = nearest_hint(&nearest, hint) != NULL;
	error_set(err, CODE_NOT_FOUND, "the module %s has no verb \"%.*s\"%s%s", module->name, STR_ARG(first_100(name)),
		  is_near ? "; " : "", is_near ? hint : "");
	return error_set_reason(err, REASON_NO_SUCH_VERB);
}

static int check_target(const struct module_call *call, const struct call_request *request, struct error *err) {
	const char *module = call->host->options.module->name;
	if (request->module.len == 0 || request->verb.len == 0)
		return error_set(err, CODE_INVALID_ARGUMENT, "%s is missing",
				 !request->has_target       ? "verb"
				 : request->module.len == 0 ? "verb.module"
							    : "verb.name");
	if (!str_eq_c(request->module, module))
		return error_set(err, CODE_NOT_FOUND, "there is no module \"%.*s\" here: this is %s",
				 STR_ARG(first_100(request->module)), module);
	return 0;
}

/* The body, terminated by a NUL. It usually ends where the request does, and on_message left room for one more byte. */
static const char *terminate_body(struct module_call *call, struct str body) {
	struct buf *received = &call->loop.received;
	char *end = received->base + received->write;
	if (body.len > 0 && body.ptr + body.len == end) {
		*end = '\0';
		return body.ptr;
	}
	char *copy = arena_try_alloc(&call->arena, body.len + 1);
	if (copy != NULL) {
		memcpy(copy, body.ptr, body.len);
		copy[body.len] = '\0';
	}
	return copy;
}

static int read_request(struct module_call *call, struct error *err) {
	struct call_request request;
	const struct ftl_module *module = call->host->options.module;
	if (call_request_read(buf_view(&call->loop.received), &request, err) < 0 ||
	    check_target(call, &request, err) < 0)
		return -1;
	call->verb = module_find_verb(module, request.verb);
	if (call->verb == NULL)
		return no_such_verb(module, request.verb, err);
	if (memchr(request.body.ptr, '\0', request.body.len) != NULL)
		return error_set(err, CODE_INVALID_ARGUMENT, "the body has a NUL byte, which no JSON has");
	call->context.verb = call->verb->name;
	call->context.request = terminate_body(call, request.body);
	call->context.request_size = request.body.len;
	if (call->context.request == NULL)
		return error_set(err, CODE_RESOURCE_EXHAUSTED, MODULE_CALL_MEMORY_USED_UP);
	return 0;
}

/* Keeps the headers that calls out are sent with. */
static void carry_headers(struct module_call *call) {
	static const struct str names[] = {STR_INIT("ftl-verb"), STR_INIT("ftl-request-id"), STR_INIT("traceparent"),
					   STR_INIT("tracestate")};
	const struct http_headers *received = &call->loop.stream->http.received;
	for (size_t i = 0; i < received->count; i++)
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			if (str_eq(received->items[i].name, names[k]))
				http_headers_add(&call->carried, &call->arena, names[k],
						 arena_copy(&call->arena, received->items[i].value));
	struct str id = http_headers_get(&call->carried, STR("ftl-request-id"));
	if (id.len > 0)
		call->context.request_id = id.ptr;
}

static void on_closed(struct rpc_stream *stream) {
	struct module_call *call = stream->owner;
	if (call == NULL)
		return;
	call->loop.stream = NULL;
	atomic_store(&call->cancelled, true);
	if (call->loop.state != MODULE_CALL_COLLECTING)
		module_call_cancel_out(call);
	else
		module_call_free(call);
}

/* A stream may still have events after module_call_refuse: its owner is NULL then. */
static void on_message(struct rpc_stream *stream, size_t size) {
	struct module_call *call = stream->owner;
	struct error err;
	if (call == NULL)
		return;
	if (call->loop.has_message) {
		error_set(&err, CODE_INVALID_ARGUMENT, "this method takes one message, and a second one came");
		module_call_refuse(call, &err);
		return;
	}
	if (size > MODULE_HELD_MAX - call->host->held) {
		error_set(&err, CODE_RESOURCE_EXHAUSTED,
			  "requests of %zu bytes are in progress, and this one has %zu; max-held-requests is %zu",
			  call->host->held, size, (size_t)MODULE_HELD_MAX);
		module_call_refuse(call, &err);
		return;
	}
	call->loop.has_message = true;
	call->loop.held = size;
	call->host->held += size;
	call->loop.received = BUF_INIT(size + 1);
	char *room = buf_reserve(&call->loop.received, size + 1);
	ASSERT(room != NULL);
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	struct module_call *call = stream->owner;
	if (call != NULL) {
		int over = buf_append(&call->loop.received, bytes);
		ASSERT(over == 0);
	}
	rpc_consume(stream, bytes.len);
}

static void on_end(struct rpc_stream *stream) {
	struct module_call *call = stream->owner;
	struct error err;
	if (call == NULL)
		return;
	uint64_t left = rpc_time_left_ms(stream);
	call->deadline_ms = left == UINT64_MAX ? 0 : clock_ms() + left;
	carry_headers(call);
	if (!call->loop.has_message) {
		error_set(&err, CODE_INVALID_ARGUMENT, "the request has no message");
		module_call_refuse(call, &err);
	} else if (read_request(call, &err) < 0) {
		module_call_refuse(call, &err);
	} else {
		run_call(call);
	}
}

static const struct rpc_events call_events = {
	.message = on_message,
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
};

void module_request_receive(struct module_host *host, struct rpc_stream *stream) {
	struct module_call *call = module_call_new(host);
	call->job.run = run_verb;
	stream->events = &call_events;
	module_call_set_caller(call, stream);
}
