/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verb calls another verb. Its thread waits while the loop makes the call:
 *
 *   verb's thread: ask ──task──▶ loop: start ──rpc──▶ closed ──signal──▶ verb's thread: read the answer
 *
 * A verb on the loop does not wait: a function of the module continues with the answer.
 *
 *   loop: module_call_then ──▶ start ──rpc──▶ closed ──▶ read the answer ──▶ then ──▶ answered, or it calls on
 */
#include "module/module_call_out.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "ftl.pb-c.h"

#include "pb/pb.h"

/* On the stack of the verb's thread while that waits, and otherwise in the call's arena. */
struct call_out {
	struct list link;
	struct module_call *call;
	struct task start;
	struct str message; /* the CallRequest */
	struct rpc_stream *stream;
	struct buf received;
	bool has_message;
	struct error err; /* CODE_OK: answered */
	bool done; /* under the call's lock */
	ftl_continue *then; /* NULL: a thread waits for it */
	void *data;
	const char *verb; /* that is called */
};

/* --- on the loop -------------------------------------------------------------------------------------------------- */

static void go_on(struct call_out *out);

static void finish(struct call_out *out) {
	struct module_call *call = out->call;
	list_remove(&out->link);
	if (out->then != NULL) {
		go_on(out);
		return;
	}
	pthread_mutex_lock(&call->shared.lock);
	out->done = true;
	/* Once the lock is released, `out` may be gone. The call still exists, as it is freed on this thread. */
	pthread_mutex_unlock(&call->shared.lock);
	pthread_cond_signal(&call->shared.answered);
}

static void on_message(struct rpc_stream *stream, size_t size) {
	struct call_out *out = stream->owner;
	if (out->has_message)
		rpc_cancel(stream, CODE_INTERNAL, "the Backplane answered with more than one message");
	out->has_message = true;
	out->received.max = MAX(size, out->received.max);
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	struct call_out *out = stream->owner;
	int over = buf_append(&out->received, bytes);
	ASSERT(over == 0);
	rpc_consume(stream, bytes.len);
}

static void on_closed(struct rpc_stream *stream) {
	struct call_out *out = stream->owner;
	if (stream->status != CODE_OK)
		rpc_get_error(stream, &out->err);
	finish(out);
}

static const struct rpc_events events = {.message = on_message, .data = on_data, .closed = on_closed};

static void on_given_up(struct task *task) {
	finish(CONTAINER_OF(task, struct call_out, start));
}

/* Ends the call out in a turn of its own, never inside of the function that was to start it. */
static void give_up(struct call_out *out, enum code code, const char *text) {
	error_set(&out->err, code, "%s", text);
	out->start.run = on_given_up;
	loop_post(out->call->host->options.loop, &out->start);
}

static void start(struct call_out *out) {
	struct module_call *call = out->call;
	struct rpc_channel *backplane = call->host->options.backplane;
	uint64_t left = call->loop.stream ? rpc_time_left_ms(call->loop.stream) : UINT64_MAX;
	if (backplane == NULL)
		give_up(out, CODE_FAILED_PRECONDITION, "this process knows no Backplane: FTL_ENDPOINT is not set");
	else if (atomic_load(&call->cancelled))
		give_up(out, CODE_CANCELLED, "the caller no longer waits for the answer");
	else if (left == 0)
		give_up(out, CODE_DEADLINE_EXCEEDED, "the deadline of the call passed");
	else {
		out->stream = rpc_call(backplane,
				       &(struct rpc_call_options){.path = STR("/xyz.block.ftl.v1.VerbService/Call"),
								  .headers = &call->carried,
								  .timeout_ms = left == UINT64_MAX ? 0 : left,
								  .events = &events,
								  .owner = out});
		list_append(&call->loop.calls_out, &out->link);
		rpc_send(out->stream, out->message);
		rpc_half_close(out->stream);
	}
}

static void on_start(struct task *task) {
	start(CONTAINER_OF(task, struct call_out, start));
}

void module_call_cancel_out(struct module_call *call) {
	LIST_FOREACH(link, &call->loop.calls_out)
		rpc_cancel(LIST_ENTRY(link, struct call_out, link)->stream, CODE_CANCELLED,
			   "the caller no longer waits for the answer");
}

/* --- on the verb's thread ----------------------------------------------------------------------------------------- */

static int make_message(struct module_call *call, struct str verb, const char *request, struct str *ret_message,
			struct error *err) {
	struct str name, module = str_cut(verb, '.', &name);
	if (module.len == 0 || name.len == 0 || memchr(name.ptr, '.', name.len) != NULL || request == NULL)
		return error_set(err, CODE_INVALID_ARGUMENT, "ftl_call takes \"module.verb\" and a request");
	Schema__VerbRef ref = SCHEMA__VERB_REF__INIT;
	ref.module = mem_strndup(module.ptr, module.len);
	ref.name = (char *)name.ptr; /* the end of verb, so it is terminated */
	Ftl__CallRequest message = FTL__CALL_REQUEST__INIT;
	message.verb = &ref;
	message.body = (ProtobufCBinaryData){.data = (uint8_t *)request, .len = strlen(request)};
	size_t size = protobuf_c_message_get_packed_size(&message.base);
	int result = 0;
	uint8_t *bytes = NULL;
	if (size > RPC_MESSAGE_MAX_DEFAULT)
		result = error_set(err, CODE_RESOURCE_EXHAUSTED, "the request has %zu bytes; max-message is %zu", size,
				   (size_t)RPC_MESSAGE_MAX_DEFAULT);
	else if ((bytes = arena_try_alloc(&call->arena, size)) == NULL)
		result = error_set(err, CODE_RESOURCE_EXHAUSTED, MODULE_CALL_MEMORY_USED_UP);
	else
		*ret_message = str_new(bytes, protobuf_c_message_pack(&message.base, bytes));
	free(ref.module);
	return result;
}

static void wait_for_answer(struct call_out *out) {
	struct module_call *call = out->call;
	loop_post(call->host->options.loop, &out->start);
	pthread_mutex_lock(&call->shared.lock);
	while (!out->done)
		pthread_cond_wait(&call->shared.answered, &call->shared.lock);
	pthread_mutex_unlock(&call->shared.lock);
}

static int read_answer(struct module_call *call, const struct call_out *out, const char **ret_answer,
		       struct error *err) {
	if (out->err.code != CODE_OK) {
		*err = out->err;
		return -1;
	}
	ProtobufCMessage *message;
	if (pb_unpack(&ftl__call_response__descriptor, buf_view(&out->received), &call->arena, &message, err) < 0)
		return -1;
	const Ftl__CallResponse *response = (const Ftl__CallResponse *)message;
	if (response->response_case == FTL__CALL_RESPONSE__RESPONSE_ERROR)
		return error_set(err, CODE_UNKNOWN, "%s", response->error->message);
	bool has_body = response->response_case == FTL__CALL_RESPONSE__RESPONSE_BODY;
	if (!has_body || (response->body.len > 0 && memchr(response->body.data, '\0', response->body.len) != NULL))
		return error_set(err, CODE_INTERNAL, "the answer has no body, or a NUL byte in it, which no JSON has");
	char *text = arena_try_alloc(&call->arena, response->body.len + 1);
	if (text == NULL)
		return error_set(err, CODE_RESOURCE_EXHAUSTED, MODULE_CALL_MEMORY_USED_UP);
	if (response->body.len > 0)
		memcpy(text, response->body.data, response->body.len);
	text[response->body.len] = '\0';
	*ret_answer = text;
	return 0;
}

/* What ftl_call leaves in the context: why there is no answer. */
static void tell_why(struct module_call *call, const struct call_out *out, struct error *err) {
	struct ftl_context *context = &call->context;
	error_wrap(err, "%.100s", out->verb);
	/* A text that was cut may end within a character. */
	struct buf text = BUF_INIT(sizeof err->msg * 3);
	text_repair(&text, str_from(err->msg));
	char *copy = arena_try_alloc(&call->arena, buf_len(&text) + 1);
	if (copy != NULL) {
		memcpy(copy, buf_view(&text).ptr, buf_len(&text));
		copy[buf_len(&text)] = '\0';
	}
	buf_deinit(&text);
	context->error_code = (enum ftl_code)err->code;
	context->error = copy ? copy : MODULE_CALL_MEMORY_USED_UP;
}

/* The result of ftl_call: the answer, or NULL with the error in the context. */
static const char *take_result(struct module_call *call, struct call_out *out) {
	struct error err;
	const char *answer = NULL;
	call->context.error_code = 0;
	call->context.error = NULL;
	if (read_answer(call, out, &answer, &err) < 0)
		tell_why(call, out, &err);
	buf_deinit(&out->received);
	return answer;
}

static struct call_out call_out_of(struct module_call *call, const char *verb) {
	return (struct call_out){.call = call, .verb = verb ? verb : "NULL"};
}

const char *module_call_out(struct ftl_context *context, const char *verb, const char *request) {
	struct module_call *call = module_call_of(context);
	struct call_out out = call_out_of(call, verb);
	list_init(&out.link);
	list_init(&out.start.link);
	out.start.run = on_start;
	if (call->on_loop)
		error_set(
			&out.err, CODE_FAILED_PRECONDITION,
			"a verb that is FTL_VERB_NONBLOCKING cannot wait for another one; ftl_call_then calls without waiting");
	else if (make_message(call, str_from(out.verb), request, &out.message, &out.err) == 0)
		wait_for_answer(&out);
	return take_result(call, &out);
}

int module_call_go_on(struct module_call *call, int result) {
	while (call->next.then != NULL) {
		ftl_continue *then = call->next.then;
		call->next.then = NULL;
		result = then(&call->context, call->next.answer, call->next.data);
	}
	return result;
}

/* --- on the loop, for a verb that does not wait ------------------------------------------------------------------- */

static void go_on(struct call_out *out) {
	struct module_call *call = out->call;
	ftl_continue *then = out->then;
	void *data = out->data;
	const char *answer = take_result(call, out);
	module_call_move(call, MODULE_CALL_RUNNING);
	module_call_returned(call, then(&call->context, answer, data));
}

/* Returns NULL when the call's memory is used up. */
static struct call_out *new_call_out(struct module_call *call, const char *verb, ftl_continue *then, void *data) {
	struct call_out *out = arena_try_alloc(&call->arena, sizeof *out);
	struct str name = str_from(verb ? verb : "NULL");
	char *copy = arena_try_alloc(&call->arena, name.len + 1);
	if (out == NULL || copy == NULL)
		return NULL;
	memcpy(copy, name.ptr, name.len + 1);
	*out = call_out_of(call, copy);
	out->then = then;
	out->data = data;
	list_init(&out->link);
	list_init(&out->start.link);
	return out;
}

static int refuse(struct module_call *call, const char *why) {
	call->context.error_code = FTL_FAILED_PRECONDITION;
	call->context.error = why;
	return -1;
}

int module_call_then(struct ftl_context *context, const char *verb, const char *request, ftl_continue *then,
		     void *data) {
	struct module_call *call = module_call_of(context);
	struct error err;
	if (call->on_loop ? call->loop.state == MODULE_CALL_WAITING : call->next.then != NULL)
		return refuse(call, "ftl_call_then: this call already waits for another verb");
	if (!call->on_loop) {
		call->next.answer = module_call_out(context, verb, request);
		call->next.then = then;
		call->next.data = data;
		return FTL_LATER;
	}
	struct call_out *out = new_call_out(call, verb, then, data);
	if (out == NULL)
		return refuse(call, MODULE_CALL_MEMORY_USED_UP);
	module_call_move(call, MODULE_CALL_WAITING);
	if (make_message(call, str_from(out->verb), request, &out->message, &err) < 0)
		give_up(out, err.code, err.msg);
	else
		start(out);
	return FTL_LATER;
}
