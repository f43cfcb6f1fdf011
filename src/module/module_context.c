/* SPDX-License-Identifier: Apache-2.0 */
#include "module/module_context.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "module/module_call_out.h"

/* Leaves room in a message for the header of the field. */
#define ANSWER_MAX (RPC_MESSAGE_MAX_DEFAULT - KIB(1))

static void *allocate(struct ftl_context *context, size_t size) {
	struct module_call *call = module_call_of(context);
	void *memory = arena_try_alloc(&call->arena, MAX(size, (size_t)1));
	if (memory != NULL)
		memset(memory, 0, size);
	call->out_of_memory |= memory == NULL;
	return memory;
}

static const char *copy_text(struct ftl_context *context, struct str text) {
	char *copy = allocate(context, text.len + 1);
	if (copy != NULL && text.len > 0)
		memcpy(copy, text.ptr, text.len);
	return copy;
}

static const char *format_text(struct ftl_context *context, const char *format, va_list args) {
	char *text = NULL;
	int len = vasprintf(&text, format, args);
	ASSERT(len >= 0);
	const char *copy = copy_text(context, str_new(text, (size_t)len));
	free(text);
	return copy;
}

static const char *quote(struct ftl_context *context, const char *text) {
	struct str bytes = str_from(text);
	struct buf quoted = BUF_INIT(bytes.len * 6 + 2);
	text_quote(&quoted, bytes);
	const char *copy = copy_text(context, buf_view(&quoted));
	buf_deinit(&quoted);
	return copy;
}

static const char *get_string(struct ftl_context *context, const char *json, const char *name) {
	json_t *object = json == NULL ? NULL : json_loads(json, 0, NULL);
	const json_t *field = json_object_get(object, name);
	const char *text = NULL;
	if (json_is_string(field))
		text = copy_text(context, str_new(json_string_value(field), json_string_length(field)));
	json_decref(object);
	return text;
}

static int set_failure(struct module_call *call, enum code code, const char *failure) {
	call->code = code;
	call->failure = failure;
	return -1;
}

static int reply(struct ftl_context *context, const char *json) {
	struct module_call *call = module_call_of(context);
	if (json == NULL && call->out_of_memory)
		return set_failure(call, CODE_RESOURCE_EXHAUSTED, MODULE_CALL_MEMORY_USED_UP);
	if (json == NULL)
		return set_failure(call, CODE_INTERNAL, "the verb answered with NULL");
	struct str text = str_from(json);
	if (text.len > ANSWER_MAX)
		return set_failure(call, CODE_RESOURCE_EXHAUSTED, "the answer is larger than max-message, 64 MiB");
	const char *copy = copy_text(context, text);
	if (copy == NULL)
		return reply(context, NULL);
	call->answer = str_new(copy, text.len);
	call->code = CODE_OK;
	return 0;
}

static int fail(struct ftl_context *context, enum ftl_code code, const char *format, va_list args) {
	char *text = NULL;
	int len = vasprintf(&text, format, args);
	ASSERT(len >= 0);
	struct buf repaired = BUF_INIT((size_t)len * 3 + 1);
	text_repair(&repaired, str_new(text, (size_t)len));
	const char *copy = copy_text(context, buf_view(&repaired));
	buf_deinit(&repaired);
	free(text);
	return set_failure(module_call_of(context), code_from_number((long)code), copy ? copy : "the verb failed");
}

static void log_message(struct ftl_context *context, enum ftl_level level, const char *format, va_list args) {
	static const enum log_level levels[] = {
		[FTL_DEBUG] = LOG_DEBUG, [FTL_INFO] = LOG_INFO, [FTL_WARN] = LOG_WARN, [FTL_ERROR] = LOG_ERROR};
	const struct module_host_options *options = &module_call_of(context)->host->options;
	char *text = NULL;
	int len = vasprintf(&text, format, args);
	ASSERT(len >= 0);
	struct buf repaired = BUF_INIT((size_t)len * 3 + 1);
	text_repair(&repaired, str_new(text, (size_t)len));
	int over = buf_append(&repaired, str_new("", 1));
	ASSERT(over == 0);
	char *verb = context->verb ? mem_printf("%s.%s", context->module, context->verb) : mem_strdup("");
	options->events->log(options->owner,
			     &(struct module_log){
				     .level = (size_t)level < ARRAY_LEN(levels) ? levels[level] : LOG_ERROR,
				     .verb = verb,
				     .request_id = context->request_id,
				     .message = buf_view(&repaired).ptr,
			     });
	free(verb);
	buf_deinit(&repaired);
	free(text);
}

static uint64_t time_left_ms(struct ftl_context *context) {
	const struct module_call *call = module_call_of(context);
	if (call->deadline_ms == 0)
		return UINT64_MAX;
	uint64_t now = clock_ms();
	return call->deadline_ms > now ? call->deadline_ms - now : 0;
}

static int is_cancelled(struct ftl_context *context) {
	return atomic_load_explicit(&module_call_of(context)->cancelled, memory_order_relaxed);
}

const struct ftl_host module_functions = {
	.allocate = allocate,
	.format = format_text,
	.quote = quote,
	.get_string = get_string,
	.call = module_call_out,
	.reply = reply,
	.fail = fail,
	.log = log_message,
	.time_left_ms = time_left_ms,
	.is_cancelled = is_cancelled,
	.call_then = module_call_then,
};
