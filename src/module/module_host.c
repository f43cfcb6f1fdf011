/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call on its way:
 *
 *   COLLECTING ──all of the request──▶ RUNNING ──the verb returns──▶ answered, freed
 *       │ the caller leaves               │ the caller leaves: told, and its answer dropped
 *       ▼                                 ▼
 *     freed                            RUNNING
 *
 * A verb on the loop may return before its call is answered: what it called goes on in its place (module_call_out.c).
 * The start and the stop of the module are calls without a caller.
 */
#include "module/module_host.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ftl.pb-c.h"
#include "module/call_request.h"
#include "module/module_call.h"
#include "pb/pb.h"
#include "pb/wire.h"

/* A status travels as a header, and peers refuse large ones. */
enum { STATUS_TEXT_MAX = 500 };

struct module_host {
	struct module_host_options options;
	struct verb_pool *pool;
	struct list calls; /* of struct module_call: those of callers */
	size_t call_count;
	size_t held; /* bytes of their requests */
	void *user; /* what start left in its context */
	struct task told; /* the end of start or stop, when the module has none */
};

const struct module_host_options *module_host_options(const struct module_host *host) {
	return &host->options;
}

size_t module_host_calls(const struct module_host *host) {
	return host->call_count;
}

/* --- a call's life ------------------------------------------------------------------------------------------------ */

static void on_done(struct task *task);
static void run_verb(struct verb_job *job);

static struct module_call *new_call(struct module_host *host) {
	struct module_call *call = mem_zalloc(sizeof *call);
	call->context = (struct ftl_context){
		.host = &module_functions,
		.module = host->options.module->name,
		.request_id = "",
		.deployment = host->options.deployment,
		.working_dir = host->options.working_dir,
		.user = host->user,
	};
	call->host = host;
	call->job.run = run_verb;
	call->done.run = on_done;
	call->arena = ARENA_INIT(MODULE_CALL_MEMORY_MAX);
	list_init(&call->loop.link);
	list_init(&call->loop.calls_out);
	list_init(&call->done.link);
	pthread_mutex_init(&call->shared.lock, NULL);
	pthread_cond_init(&call->shared.answered, NULL);
	return call;
}

static void free_call(struct module_call *call) {
	struct module_host *host = call->host;
	bool of_caller = !list_is_empty(&call->loop.link);
	list_remove(&call->loop.link);
	host->held -= call->loop.held;
	buf_deinit(&call->loop.received);
	arena_deinit(&call->arena);
	pthread_mutex_destroy(&call->shared.lock);
	pthread_cond_destroy(&call->shared.answered);
	free(call);
	if (of_caller && --host->call_count == 0)
		host->options.events->idle(host->options.owner);
}

/* --- the verb is done --------------------------------------------------------------------------------------------- */

/* What the verb left becomes a code and a text; CODE_OK: it answered. */
static enum code settle_failure(struct module_call *call) {
	if (call->result == 0 && call->code == CODE_OK && call->answer.ptr != NULL)
		return CODE_OK;
	if (call->code != CODE_OK)
		return call->code;
	if (call->result == 0)
		call->failure = "the verb returned 0 without an answer (ftl_reply)";
	else
		call->failure =
			call->context.error ? call->context.error : "the verb failed and did not say why (ftl_fail)";
	return CODE_UNKNOWN;
}

/* A CallResponse, packed by hand: what is large is copied once this way. */
static void send_answer(struct rpc_stream *stream, struct str answer) {
	struct buf head = BUF_INIT(32);
	int over = wire_put_tag(&head, FTL__CALL_RESPONSE__RESPONSE_BODY, WIRE_BYTES);
	over |= wire_put_varint(&head, answer.len);
	ASSERT(over == 0);
	rpc_begin(stream, buf_len(&head) + answer.len);
	rpc_write(stream, buf_view(&head));
	rpc_write(stream, answer);
	buf_deinit(&head);
}

static void send_failure(struct rpc_stream *stream, const char *text) {
	Ftl__CallResponse response;
	ftl__call_response__init(&response);
	Ftl__CallResponse__Error failure = FTL__CALL_RESPONSE__ERROR__INIT;
	failure.message = (char *)text;
	response.response_case = FTL__CALL_RESPONSE__RESPONSE_ERROR;
	response.error = &failure;
	struct arena arena = ARENA_INIT(protobuf_c_message_get_packed_size(&response.base) + 64);
	rpc_send(stream, pb_pack(&response.base, &arena));
	arena_deinit(&arena);
}

static void answer(struct module_call *call) {
	struct rpc_stream *stream = call->loop.stream;
	if (stream == NULL)
		return;
	stream->owner = NULL; /* `closed` finds no call any more */
	if (stream->finished)
		return;
	enum code code = settle_failure(call);
	struct error err;
	if (code == CODE_OK) {
		send_answer(stream, call->answer);
		rpc_finish(stream, CODE_OK, "");
	} else if (code == CODE_UNKNOWN) {
		send_failure(stream, call->failure);
		rpc_finish(stream, CODE_OK, "");
	} else {
		error_set(&err, code, "%.*s", STATUS_TEXT_MAX, call->failure);
		rpc_fail(stream, &err);
	}
}

static void on_done(struct task *task) {
	struct module_call *call = CONTAINER_OF(task, struct module_call, done);
	answer(call);
	free_call(call);
}

/* --- the verb runs ------------------------------------------------------------------------------------------------ */

static void run_verb(struct verb_job *job) {
	struct module_call *call = CONTAINER_OF(job, struct module_call, job);
	call->result = module_call_go_on(call, call->verb->run(&call->context));
	loop_post(call->host->options.loop, &call->done);
}

void module_call_returned(struct module_call *call, int result) {
	if (call->loop.later)
		return;
	call->result = result;
	on_done(&call->done);
}

static void run_call(struct module_call *call) {
	call->loop.running = true;
	if (call->verb->flags & FTL_VERB_NONBLOCKING) {
		call->on_loop = true;
		module_call_returned(call, call->verb->run(&call->context));
	} else if (!verb_pool_submit(call->host->pool, &call->job)) {
		struct rpc_stream *stream = call->loop.stream;
		struct error err;
		error_set(
			&err, CODE_RESOURCE_EXHAUSTED,
			"all %d threads of the module are busy and %d calls wait (max-verb-threads, max-waiting-calls)",
			MODULE_THREADS_MAX, MODULE_QUEUE_MAX);
		stream->owner = NULL;
		rpc_fail(stream, &err);
		free_call(call);
	}
}

/* --- the request is read ------------------------------------------------------------------------------------------ */

static const struct ftl_verb *find_verb(const struct ftl_module *module, struct str name) {
	for (size_t i = 0; i < module->verb_count; i++)
		if (str_eq_c(name, module->verbs[i].name))
			return &module->verbs[i];
	return NULL;
}

static struct str first_100(struct str text) {
	return str_new(text.ptr, MIN(text.len, (size_t)100));
}

static int no_such_verb(const struct ftl_module *module, struct str name, struct error *err) {
	const char *nearest = NULL;
	size_t distance = 4;
	for (size_t i = 0; i < module->verb_count; i++) {
		size_t other = str_distance(name, str_from(module->verbs[i].name), distance);
		if (other < distance) {
			distance = other;
			nearest = module->verbs[i].name;
		}
	}
	if (nearest != NULL)
		return error_set(err, CODE_NOT_FOUND, "module %s has no verb \"%.*s\"; did you mean %s?",
				 module->name, STR_ARG(first_100(name)), nearest);
	return error_set(err, CODE_NOT_FOUND, "module %s has no verb \"%.*s\"; `ftl schema %s` shows those it has",
			 module->name, STR_ARG(first_100(name)), module->name);
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

/* Terminated. It usually ends where the request does, and there is room for a byte more: see on_message. */
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
	call->verb = find_verb(module, request.verb);
	if (call->verb == NULL)
		return no_such_verb(module, request.verb, err);
	if (memchr(request.body.ptr, '\0', request.body.len) != NULL)
		return error_set(err, CODE_INVALID_ARGUMENT, "the body is no JSON: it has a NUL byte");
	call->context.verb = call->verb->name;
	call->context.request = terminate_body(call, request.body);
	call->context.request_size = request.body.len;
	if (call->context.request == NULL)
		return error_set(err, CODE_RESOURCE_EXHAUSTED,
				 "the request needs more memory than max-call-memory, 256 MiB");
	return 0;
}

/* Headers that a call hands on to the calls that it causes. */
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
	if (call->loop.running)
		module_cancel_calls_out(call);
	else
		free_call(call);
}

static void refuse(struct module_call *call, const struct error *err) {
	struct rpc_stream *stream = call->loop.stream;
	stream->owner = NULL;
	if (!stream->finished)
		rpc_fail(stream, err);
	free_call(call);
}

/* After refuse the stream may still have events to come. */
static void on_message(struct rpc_stream *stream, size_t size) {
	struct module_call *call = stream->owner;
	struct error err;
	if (call == NULL)
		return;
	if (call->loop.has_message) {
		error_set(&err, CODE_INVALID_ARGUMENT, "this method takes one message, and a second one came");
		refuse(call, &err);
		return;
	}
	if (size > MODULE_HELD_MAX - call->host->held) {
		error_set(&err, CODE_RESOURCE_EXHAUSTED,
			  "requests of %zu bytes are in progress, and this one has %zu; max-held-requests is %zu",
			  call->host->held, size, (size_t)MODULE_HELD_MAX);
		refuse(call, &err);
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
		refuse(call, &err);
	} else if (read_request(call, &err) < 0) {
		refuse(call, &err);
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

void module_host_call(struct module_host *host, struct rpc_stream *stream) {
	struct module_call *call = new_call(host);
	call->loop.stream = stream;
	stream->owner = call;
	stream->events = &call_events;
	list_append(&host->calls, &call->loop.link);
	host->call_count++;
}

void module_host_cancel(struct module_host *host) {
	LIST_FOREACH(link, &host->calls) {
		struct module_call *call = LIST_ENTRY(link, struct module_call, loop.link);
		atomic_store(&call->cancelled, true);
		module_cancel_calls_out(call);
	}
}

/* --- List --------------------------------------------------------------------------------------------------------- */

static void on_list_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void on_list_data(struct rpc_stream *stream, struct str bytes) {
	rpc_consume(stream, bytes.len);
}

static void on_list_end(struct rpc_stream *stream) {
	const struct module_host *host = stream->owner;
	const struct ftl_module *module = host->options.module;
	Ftl__ListResponse response = FTL__LIST_RESPONSE__INIT;
	struct arena arena = ARENA_INIT(MIB(1));
	response.verbs = arena_alloc(&arena, (module->verb_count + 1) * sizeof *response.verbs);
	response.n_verbs = module->verb_count;
	for (size_t i = 0; i < module->verb_count; i++) {
		Schema__VerbRef *ref = arena_alloc(&arena, sizeof *ref);
		*ref = (Schema__VerbRef)SCHEMA__VERB_REF__INIT;
		ref->module = (char *)module->name;
		ref->name = (char *)module->verbs[i].name;
		response.verbs[i] = ref;
	}
	rpc_send(stream, pb_pack(&response.base, &arena));
	rpc_finish(stream, CODE_OK, "");
	arena_deinit(&arena);
}

static void on_list_closed(struct rpc_stream *stream UNUSED) {
}

static const struct rpc_events list_events = {
	.message = on_list_message, .data = on_list_data, .end = on_list_end, .closed = on_list_closed};

void module_host_list(struct module_host *host, struct rpc_stream *stream) {
	stream->owner = host;
	stream->events = &list_events;
}

/* --- start and stop of the module --------------------------------------------------------------------------------- */

static void run_start(struct verb_job *job) {
	struct module_call *call = CONTAINER_OF(job, struct module_call, job);
	call->result = module_call_go_on(call, call->host->options.module->start(&call->context));
	loop_post(call->host->options.loop, &call->done);
}

static void on_started(struct task *task) {
	struct module_call *call = CONTAINER_OF(task, struct module_call, done);
	struct module_host *host = call->host;
	host->user = call->context.user;
	struct error err;
	bool failed = call->result != 0 || call->code != CODE_OK;
	if (failed)
		error_set(&err, CODE_FAILED_PRECONDITION, "the start of module %s failed: %s", call->context.module,
			  call->failure         ? call->failure
			  : call->context.error ? call->context.error
						: "it did not say why (ftl_fail)");
	free_call(call);
	host->options.events->started(host->options.owner, failed ? &err : NULL);
}

static void run_stop(struct verb_job *job) {
	struct module_call *call = CONTAINER_OF(job, struct module_call, job);
	call->host->options.module->stop(&call->context);
	module_call_go_on(call, 0);
	loop_post(call->host->options.loop, &call->done);
}

static void on_stopped(struct task *task) {
	struct module_call *call = CONTAINER_OF(task, struct module_call, done);
	struct module_host *host = call->host;
	free_call(call);
	host->options.events->stopped(host->options.owner);
}

static void tell_started(struct task *task) {
	struct module_host *host = CONTAINER_OF(task, struct module_host, told);
	host->options.events->started(host->options.owner, NULL);
}

static void tell_stopped(struct task *task) {
	struct module_host *host = CONTAINER_OF(task, struct module_host, told);
	host->options.events->stopped(host->options.owner);
}

/* In a thread when the module has such a function; else at once, in a turn of its own. */
static void run_hook(struct module_host *host, bool has_hook, void (*run)(struct verb_job *),
		     void (*ran)(struct task *), void (*tell)(struct task *)) {
	if (!has_hook) {
		host->told.run = tell;
		loop_post(host->options.loop, &host->told);
		return;
	}
	struct module_call *call = new_call(host);
	call->job.run = run;
	call->done.run = ran;
	if (verb_pool_submit(host->pool, &call->job))
		return;
	call->result = -1;
	call->failure = "no thread could be started";
	loop_post(host->options.loop, &call->done);
}

struct module_host *module_host_new(const struct module_host_options *options) {
	struct module_host *host = mem_zalloc(sizeof *host);
	host->options = *options;
	host->pool = verb_pool_new(MODULE_THREADS_MAX, MODULE_QUEUE_MAX);
	list_init(&host->calls);
	list_init(&host->told.link);
	run_hook(host, options->module->start != NULL, run_start, on_started, tell_started);
	return host;
}

void module_host_stop(struct module_host *host) {
	ASSERT(host->call_count == 0);
	run_hook(host, host->options.module->stop != NULL, run_stop, on_stopped, tell_stopped);
}

void module_host_free(struct module_host *host) {
	if (host == NULL)
		return;
	verb_pool_free(host->pool);
	free(host);
}

/* --- what we are given -------------------------------------------------------------------------------------------- */

int module_check(const struct ftl_module *module, struct error *err) {
	if (module->version < 1 || module->version > FTL_MODULE_VERSION)
		return error_set(
			err, CODE_FAILED_PRECONDITION,
			"it was built for version %u of ftl/module.h, and this Runner knows versions 1 to %d; build it again",
			module->version, FTL_MODULE_VERSION);
	if (module->name == NULL || module->name[0] == '\0')
		return error_set(err, CODE_FAILED_PRECONDITION, "its ftl_module has no name");
	for (size_t i = 0; i < module->verb_count; i++) {
		const struct ftl_verb *verb = &module->verbs[i];
		if (verb->name == NULL || verb->name[0] == '\0' || verb->run == NULL)
			return error_set(err, CODE_FAILED_PRECONDITION, "verb %zu of its ftl_module has no %s", i + 1,
					 verb->run ? "name" : "function");
		if (find_verb(module, str_from(verb->name)) != verb)
			return error_set(err, CODE_FAILED_PRECONDITION, "its ftl_module has the verb %s twice",
					 verb->name);
	}
	return 0;
}
