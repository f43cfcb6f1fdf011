/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/reflection.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"
#include "pb/wire.h"
#include "rpc/message_reader.h"

enum { REQUEST_MAX = KIB(16), RESPONSE_MAX = MIB(4), FILES_MAX = 1000 };

/* Field numbers of ServerReflectionRequest and ServerReflectionResponse. */
enum {
	ASKED_FILE = 3, ASKED_SYMBOL = 4, ASKED_EXTENSION = 5, ASKED_EXTENSION_NUMBERS = 6, ASKED_SERVICES = 7,
	RESPONSE_HOST = 1, RESPONSE_REQUEST = 2, RESPONSE_FILES = 4, RESPONSE_SERVICES = 6, RESPONSE_ERROR = 7,
};

struct rpc_reflection {
	const struct rpc_server *server;
	const struct types *types;
};

struct inquiry {
	struct message_reader reader;
	const struct rpc_reflection *reflection;
};

/* --- answers: each appends its field to the response -------------------------------------------------------------- */

static int answer_error(struct buf *response, enum code code, const char *text) {
	size_t offset = buf_len(response);
	return wire_put_tag(response, 1, WIRE_VARINT) | wire_put_varint(response, code) |
	       wire_put_bytes(response, 2, str_from(text)) | wire_wrap(response, offset, RESPONSE_ERROR);
}

struct types_walk {
	const struct types *types;
	const struct type_file *files[FILES_MAX];
	size_t count;
};

static void walk_file(struct types_walk *walk, const struct type_file *file) {
	if (file == NULL || walk->count == FILES_MAX)
		return;
	for (size_t i = 0; i < walk->count; i++)
		if (walk->files[i] == file)
			return;
	walk->files[walk->count++] = file;
}

/* A file and all that it imports, itself first. */
static int answer_file(const struct rpc_reflection *reflection, struct buf *response, const struct type_file *file) {
	struct types_walk *walk = mem_zalloc(sizeof *walk);
	size_t offset = buf_len(response);
	int over = 0;
	walk_file(walk, file);
	for (size_t i = 0; i < walk->count; i++) {
		over |= wire_put_bytes(response, 1, walk->files[i]->bytes);
		for (size_t k = 0; k < walk->files[i]->import_count; k++)
			walk_file(walk, types_file(reflection->types, str_from(walk->files[i]->imports[k])));
	}
	free(walk);
	return over | wire_wrap(response, offset, RESPONSE_FILES);
}

static int answer_services(const struct rpc_reflection *reflection, struct buf *response) {
	struct map listed;
	size_t cursor = 0, offset = buf_len(response);
	int over = 0;
	map_init(&listed);
	for (const struct type_method *method; (method = types_next_method(reflection->types, &cursor)) != NULL;) {
		struct str rest, service = str_cut(str_from(method->path + 1), '/', &rest);
		if (!rpc_server_has_method(reflection->server, str_from(method->path)) ||
		    map_put(&listed, service, (void *)reflection) != NULL)
			continue;
		size_t inner = buf_len(response);
		over |= wire_put_bytes(response, 1, service) | wire_wrap(response, inner, 1);
	}
	map_deinit(&listed);
	return over | wire_wrap(response, offset, RESPONSE_SERVICES);
}

static int answer(const struct rpc_reflection *reflection, struct str request, struct buf *response) {
	struct wire_field field, asked = {0};
	struct str rest = request;
	int over = 0;
	while (wire_take(&rest, &field)) {
		if (field.number == 1 && field.type == WIRE_BYTES)
			over |= wire_put_bytes(response, RESPONSE_HOST, field.bytes);
		else if (field.type == WIRE_BYTES)
			asked = field;
	}
	over |= wire_put_bytes(response, RESPONSE_REQUEST, request);
	const struct type_file *file = NULL;
	switch (asked.number) {
	case ASKED_FILE:
		file = types_file(reflection->types, asked.bytes);
		break;
	case ASKED_SYMBOL:
		file = types_file_of(reflection->types, asked.bytes);
		break;
	case ASKED_SERVICES:
		return over | answer_services(reflection, response);
	case ASKED_EXTENSION:
	case ASKED_EXTENSION_NUMBERS:
		return over | answer_error(response, CODE_NOT_FOUND, "proto3 has no extensions");
	default:
		return over |
		       answer_error(response, CODE_INVALID_ARGUMENT, "the request has no query that is known here");
	}
	if (file != NULL)
		return over | answer_file(reflection, response, file);
	struct error err;
	error_set(&err, CODE_NOT_FOUND, "there is no %s %.*s here", asked.number == ASKED_FILE ? "file" : "symbol",
		  STR_ARG(str_new(asked.bytes.ptr, MIN(asked.bytes.len, (size_t)200))));
	return over | answer_error(response, err.code, err.msg);
}

/* --- the call ----------------------------------------------------------------------------------------------------- */

static void on_request(struct message_reader *reader, struct str bytes) {
	const struct inquiry *inquiry = CONTAINER_OF(reader, struct inquiry, reader);
	struct buf response = BUF_INIT(RESPONSE_MAX);
	struct error err;
	size_t unsent = rpc_unsent(reader->stream);
	if (unsent > RESPONSE_MAX)
		rpc_finish(reader->stream, CODE_RESOURCE_EXHAUSTED, "the client does not read the responses");
	else if (answer(inquiry->reflection, bytes, &response) != 0)
		rpc_finish(reader->stream, CODE_RESOURCE_EXHAUSTED, "the response has more than 4 MiB");
	else if (rpc_check_held(reader->stream, unsent + buf_len(&response), &err) < 0)
		rpc_fail(reader->stream, &err);
	else
		rpc_send(reader->stream, buf_view(&response));
	buf_deinit(&response);
}

static void on_end(struct message_reader *reader) {
	rpc_finish(reader->stream, CODE_OK, "");
}

static void on_closed(struct message_reader *reader) {
	free(CONTAINER_OF(reader, struct inquiry, reader));
}

static void start(struct rpc_stream *stream) {
	struct inquiry *inquiry = mem_zalloc(sizeof *inquiry);
	inquiry->reflection = stream->service;
	inquiry->reader.message = on_request;
	inquiry->reader.end = on_end;
	inquiry->reader.closed = on_closed;
	message_reader_start(&inquiry->reader, stream, REQUEST_MAX);
}

static const struct rpc_method methods[] = {
	{.path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", .start = start},
	{.path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", .start = start},
};

struct rpc_reflection *rpc_reflection_new(struct rpc_server *server, const struct types *types) {
	struct rpc_reflection *reflection = mem_alloc(sizeof *reflection);
	*reflection = (struct rpc_reflection){.server = server, .types = types};
	rpc_server_add(server, methods, ARRAY_LEN(methods), reflection);
	return reflection;
}

void rpc_reflection_free(struct rpc_reflection *reflection) {
	free(reflection);
}
