/* SPDX-License-Identifier: Apache-2.0 */
#include "module/module_call.h"

#include <stdlib.h>

#include "base/memory.h"
#include "ftl.pb-c.h"
#include "pb/pb.h"
#include "pb/wire.h"
#include "rpc/error_info.h"

static void on_done(struct task *task);

struct module_call *module_call_new(struct module_host *host) {
	struct module_call *call = mem_zalloc(sizeof *call);
	call->context = (struct ftl_context){
		.host = host->functions,
		.module = host->options.module->name,
		.request_id = "",
		.deployment = host->options.deployment,
		.working_dir = host->options.working_dir,
		.user = host->user,
	};
	call->host = host;
	call->done.run = on_done;
	call->arena = ARENA_INIT(MODULE_CALL_MEMORY_MAX);
	list_init(&call->loop.link);
	list_init(&call->loop.calls_out);
	list_init(&call->done.link);
	pthread_mutex_init(&call->shared.lock, NULL);
	pthread_cond_init(&call->shared.answered, NULL);
	return call;
}

void module_call_free(struct module_call *call) {
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

#define TO(state) (1u << (state))

void module_call_move(struct module_call *call, enum module_call_state next) {
	static const unsigned allowed[] = {
		[MODULE_CALL_COLLECTING] = TO(MODULE_CALL_RUNNING),
		[MODULE_CALL_RUNNING] = TO(MODULE_CALL_WAITING),
		[MODULE_CALL_WAITING] = TO(MODULE_CALL_RUNNING),
	};
	ASSERT(allowed[call->loop.state] & TO(next));
	call->loop.state = next;
}

void module_call_set_caller(struct module_call *call, struct rpc_stream *stream) {
	call->loop.stream = stream;
	stream->owner = call;
	list_append(&call->host->calls, &call->loop.link);
	call->host->call_count++;
}

void module_call_refuse(struct module_call *call, const struct error *err) {
	struct rpc_stream *stream = call->loop.stream;
	stream->owner = NULL;
	if (!rpc_has_ended(stream))
		rpc_fail(stream, err);
	module_call_free(call);
}

/* --- the verb is done --------------------------------------------------------------------------------------------- */

/* The code and the text of the failure, of what the verb left behind. CODE_OK: it answered. */
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

/* Packs the CallResponse by hand, so that a large answer is copied only once. */
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
	stream->owner = NULL; /* on_closed ignores a stream without a call */
	if (rpc_has_ended(stream))
		return;
	enum code code = settle_failure(call);
	if (code == CODE_OK) {
		send_answer(stream, call->answer);
		rpc_finish(stream, CODE_OK, "");
	} else if (code == CODE_UNKNOWN) {
		send_failure(stream, call->failure);
		rpc_finish(stream, CODE_OK, "");
	} else {
		const char *reason = call->context.reason;
		if (code == CODE_INVALID_ARGUMENT && reason != NULL && strlen(reason) < ERROR_REASON_MAX)
			rpc_add_detail(stream, STR(ERROR_INFO_TYPE), error_info_encode(&stream->http.arena, reason));
		rpc_finish(stream, code, call->failure);
	}
}

static void on_done(struct task *task) {
	struct module_call *call = CONTAINER_OF(task, struct module_call, done);
	answer(call);
	module_call_free(call);
}

void module_call_returned(struct module_call *call, int result) {
	if (call->loop.state == MODULE_CALL_WAITING)
		return;
	call->result = result;
	on_done(&call->done);
}
