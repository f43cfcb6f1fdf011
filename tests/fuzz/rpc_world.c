/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc_world.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "conformance_types.h"
#include "pb/types.h"
#include "rpc/server.h"

static void echo_message(struct rpc_stream *stream, size_t size) {
	rpc_begin(stream, size);
}

static void echo_data(struct rpc_stream *stream, struct str bytes) {
	rpc_write(stream, bytes);
	rpc_consume(stream, bytes.len);
}

static void echo_end(struct rpc_stream *stream) {
	rpc_finish(stream, CODE_OK, "");
}

static void echo_closed(struct rpc_stream *stream UNUSED) {
}

static const struct rpc_events echo = {.message = echo_message,
				       .data = echo_data,
				       .end = echo_end,
				       .closed = echo_closed};

static void start(struct rpc_stream *stream) {
	stream->events = &echo;
}

#define SERVICE "/connectrpc.conformance.v1.ConformanceService/"

static const struct rpc_method methods[] = {
	{.path = SERVICE "Unary", .start = start},
	{.path = SERVICE "IdempotentUnary", .start = start},
	{.path = SERVICE "BidiStream", .start = start},
};

struct types *rpc_world_types(void) {
	static struct types *types;
	struct error err;
	if (types == NULL) {
		int failed = types_new(&conformance_types, 1, &types, &err);
		ASSERT(!failed);
	}
	return types;
}

/* Runs the loop until it is idle; discards the answers. */
static void run_until_idle(struct loop *loop, int fd) {
	char answer[4096];
	for (int turn = 0; turn < 4; turn++) {
		uv_run(&loop->uv, UV_RUN_NOWAIT);
		while (recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0)
			turn = 0;
	}
}

void rpc_world_feed(struct str bytes, size_t piece) {
	struct loop loop;
	int ends[2];
	struct rpc_server_options options = rpc_server_options_default;
	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_ERROR, "fuzz");
	options.types = rpc_world_types();
	options.message_max = 1 << 20;
	loop_init(&loop);
	struct rpc_server *server = rpc_server_new(&loop, &options);
	rpc_server_add(server, methods, ARRAY_LEN(methods), NULL);
	int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
	ASSERT(!failed);
	rpc_server_accept(server, ends[0], false);
	while (bytes.len > 0) {
		ssize_t sent = send(ends[1], bytes.ptr, MIN(bytes.len, MAX(piece, (size_t)1)), MSG_NOSIGNAL);
		if (sent < 0)
			break;
		bytes = str_from_offset(bytes, (size_t)sent);
		run_until_idle(&loop, ends[1]);
	}
	shutdown(ends[1], SHUT_WR);
	run_until_idle(&loop, ends[1]);
	close(ends[1]);
	rpc_server_close(server);
	loop_run_out(&loop);
	loop_deinit(&loop);
}
