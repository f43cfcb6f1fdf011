/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For generated code: reads the request of a verb and writes its answer, and makes calls to other verbs, by tables.
 */
#ifndef FTL_TYPED_H
#define FTL_TYPED_H

#include "ftl/json_write.h"
#include "ftl/module.h"

static inline void *ftl_typed_allocate(void *owner, size_t size) {
	return ftl_alloc((struct ftl_context *)owner, size);
}

static inline struct ftl_json_memory ftl_typed_memory(struct ftl_context *ftl) {
	struct ftl_json_memory memory = {.allocate = ftl_typed_allocate, .owner = ftl};
	return memory;
}

/* Reads the request into *request, which is zeroed. type NULL is Unit. Returns 0, or -1 when the call was refused. */
static inline int ftl_typed_request(struct ftl_context *ftl, const struct ftl_json_type *type, void *request) {
	static const struct ftl_json_type unit = {.kind = FTL_JSON_UNIT};
	struct ftl_json_memory memory = ftl_typed_memory(ftl);
	struct ftl_json_reader reader;
	reader.memory = &memory;
	reader.root = "request";
	reader.skip_unknown = reader.out_of_memory = false;
	if (ftl_json_read_all(&reader, ftl->request, ftl->request_size, type ? type : &unit, request) == 0)
		return 0;
	if (reader.out_of_memory)
		return ftl_reply(ftl, NULL);
	ftl->reason = reader.reason;
	return ftl_refuse(ftl, "%s", reader.error);
}

/* Answers with *response. A response that does not fit the schema is a mistake of the verb, and fails the call. */
static inline int ftl_typed_reply(struct ftl_context *ftl, const struct ftl_json_type *type, const void *response) {
	struct ftl_json_memory memory = ftl_typed_memory(ftl);
	struct ftl_json_writer writer;
	writer.memory = &memory;
	writer.root = "response";
	writer.text = writer.at = writer.end = NULL;
	writer.out_of_memory = false;
	writer.depth = 0;
	const char *json = ftl_json_write_all(&writer, type, response);
	if (json != NULL || writer.out_of_memory)
		return ftl_reply(ftl, json);
	return ftl_fail(ftl, "%s.%s: %s", ftl->module, ftl->verb ? ftl->verb : "", writer.error);
}

static inline int ftl_typed_failed(struct ftl_context *ftl, enum ftl_code code, const char *verb, const char *text) {
	ftl->error_code = code;
	ftl->error = ftl_format(ftl, "%s: %s", verb, text);
	return -1;
}

/* Calls a verb with *request, waits for its answer and reads it into *response, which is zeroed. A type that is NULL is
 * Unit. Returns 0, or -1 with ftl->error_code and ftl->error set. */
static inline int ftl_typed_call(struct ftl_context *ftl, const char *verb, const struct ftl_json_type *request_type,
				 const void *request, const struct ftl_json_type *response_type, void *response) {
	struct ftl_json_memory memory = ftl_typed_memory(ftl);
	const char *json = "{}";
	if (response_type != NULL)
		memset(response, 0, response_type->size);
	if (request_type != NULL) {
		struct ftl_json_writer writer;
		writer.memory = &memory;
		writer.root = "request";
		writer.text = writer.at = writer.end = NULL;
		writer.out_of_memory = false;
		writer.depth = 0;
		json = ftl_json_write_all(&writer, request_type, request);
		if (json == NULL)
			return ftl_typed_failed(ftl,
						writer.out_of_memory ? FTL_RESOURCE_EXHAUSTED : FTL_INVALID_ARGUMENT,
						verb, writer.error);
	}
	const char *answer = ftl_call(ftl, verb, json);
	if (answer == NULL)
		return -1;
	if (response_type == NULL)
		return 0;
	struct ftl_json_reader reader;
	reader.memory = &memory;
	reader.root = "response";
	reader.skip_unknown = true;
	reader.out_of_memory = false;
	if (ftl_json_read_all(&reader, answer, strlen(answer), response_type, response) == 0)
		return 0;
	return ftl_typed_failed(ftl, reader.out_of_memory ? FTL_RESOURCE_EXHAUSTED : FTL_INTERNAL, verb, reader.error);
}

#endif
