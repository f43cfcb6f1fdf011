/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client against a server that sends any bytes: the first byte chooses the client's protocol and options, the second
 * the size of the pieces in which the rest is sent.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "pb/types.h"
#include "rpc/channel.h"
#include "rpc_world.h"

#define SERVICE "/connectrpc.conformance.v1.ConformanceService/"

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static void remove_socket(void) {
	unlink(address.sun_path);
}

static int listening(void) {
	static int fd = -1;
	if (fd >= 0)
		return fd;
	signal(SIGPIPE, SIG_IGN);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "/tmp/fuzz-answer-%d", (int)getpid());
	int failed = bind(fd, (struct sockaddr *)&address, sizeof address) | listen(fd, 16);
	ASSERT(!failed);
	atexit(remove_socket);
	return fd;
}

static void call_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void call_data(struct rpc_stream *stream, struct str bytes) {
	rpc_consume(stream, bytes.len);
}

static void call_closed(struct rpc_stream *stream UNUSED) {
}

static const struct rpc_events events = {.message = call_message, .data = call_data, .closed = call_closed};

static const struct {
	enum rpc_protocol protocol;
	bool json, gzip, get, base64, http1;
	struct str path;
} ways[] = {
	{RPC_GRPC, .path = STR_INIT(SERVICE "BidiStream")},
	{RPC_GRPC, .json = true, .gzip = true, .path = STR_INIT(SERVICE "BidiStream")},
	{RPC_GRPC_WEB, .http1 = true, .path = STR_INIT(SERVICE "BidiStream")},
	{RPC_GRPC_WEB, .http1 = true, .base64 = true, .gzip = true, .path = STR_INIT(SERVICE "BidiStream")},
	{RPC_CONNECT, .http1 = true, .json = true, .path = STR_INIT(SERVICE "BidiStream")},
	{RPC_CONNECT, .http1 = true, .gzip = true, .path = STR_INIT(SERVICE "Unary")},
	{RPC_CONNECT, .http1 = true, .json = true, .get = true, .path = STR_INIT(SERVICE "IdempotentUnary")},
	{RPC_CONNECT, .json = true, .path = STR_INIT(SERVICE "Unary")},
};

static struct rpc_channel *make_channel(struct loop *loop, size_t way) {
	struct rpc_channel_options options = rpc_channel_options_default;
	struct endpoint endpoint = {.kind = ENDPOINT_UNIX};
	snprintf(endpoint.path, sizeof endpoint.path, "%s", address.sun_path);
	options.types = rpc_world_types();
	options.message_max = 1 << 20;
	options.protocol = ways[way].protocol;
	options.json = ways[way].json;
	options.gzip = ways[way].gzip;
	options.get = ways[way].get;
	options.base64 = ways[way].base64;
	options.http1 = ways[way].http1;
	return rpc_channel_new(loop, &endpoint, &options);
}

/* Runs the loop until it is idle; discards what the client sends. */
static void run_until_idle(struct loop *loop, int fd) {
	char answer[4096];
	for (int turn = 0; turn < 4; turn++) {
		uv_run(&loop->uv, UV_RUN_NOWAIT);
		while (recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0)
			turn = 0;
	}
}

static void send_all(struct loop *loop, int fd, struct str bytes, size_t piece) {
	run_until_idle(loop, fd);
	while (bytes.len > 0) {
		ssize_t sent = send(fd, bytes.ptr, MIN(bytes.len, piece), MSG_NOSIGNAL);
		if (sent < 0)
			break;
		bytes = str_from_offset(bytes, (size_t)sent);
		run_until_idle(loop, fd);
	}
	shutdown(fd, SHUT_WR);
	run_until_idle(loop, fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 2 || size > 1 << 17)
		return 0;
	struct loop loop;
	int server = listening();
	size_t way = data[0] % ARRAY_LEN(ways);
	loop_init(&loop);
	struct rpc_channel *channel = make_channel(&loop, way);
	struct rpc_stream *stream =
		rpc_call(channel, &(struct rpc_call_options){.path = ways[way].path, .events = &events});
	rpc_send(stream, STR(""));
	rpc_half_close(stream);
	int fd = -1;
	for (int turn = 0; turn < 10 && fd < 0; turn++) {
		uv_run(&loop.uv, UV_RUN_NOWAIT);
		fd = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	ASSERT(fd >= 0);
	send_all(&loop, fd, str_new(data + 2, size - 2), (size_t)data[1] * 64 + 1);
	close(fd);
	rpc_channel_close(channel);
	loop_run_out(&loop);
	loop_deinit(&loop);
	/* Closes the connections that the channel opened to try again. */
	while ((fd = accept4(server, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
	return 0;
}
