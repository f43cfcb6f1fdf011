/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "net/tls.h"
#include "rpc/channel.h"

/* client_send waits while more than this is unsent. */
#define CLIENT_UNSENT_MAX KIB(256)

struct client {
	struct loop loop;
	struct rpc_channel *channel;
	uv_signal_t signal;
	struct timer nap;
	struct list streams;
	bool interrupted;
	bool awake;
	char *endpoint;
};

struct client_stream {
	struct client *client;
	struct rpc_stream *rpc; /* NULL: the call ended */
	struct list link;
	const ProtobufCMessageDescriptor *response;
	/* Messages in the order of arrival, each after its size as a size_t. Window is given back at once until the
	 * first message is whole; bytes behind a whole message are owed until that message is taken, so they are at
	 * most a window. */
	struct buf received;
	size_t owed; /* bytes to be given back to the peer's window */
	struct arena arena; /* of the message that was received last */
	struct arena header_arena;
	struct http_headers headers;
	struct error why; /* set when the call ended; CODE_OK: in order */
};

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_interrupt(uv_signal_t *handle, int number) {
	struct client *client = handle->data;
	client->interrupted = true;
	loop_stop(&client->loop);
	uv_signal_stop(handle);
	signal(number, SIG_DFL);
	LIST_FOREACH(link, &client->streams) {
		struct client_stream *stream = LIST_ENTRY(link, struct client_stream, link);
		if (stream->rpc != NULL)
			rpc_cancel(stream->rpc, CODE_CANCELLED, "interrupted");
	}
}

static void on_awake(struct timer *timer) {
	struct client *client = CONTAINER_OF(timer, struct client, nap);
	client->awake = true;
	loop_stop(&client->loop);
}

int client_open(const char *endpoint, const struct tls_options *trust, struct client **ret_client, struct error *err) {
	struct endpoint parsed;
	if (endpoint_parse(str_from(endpoint), &parsed, err) < 0)
		return -1;
	struct tls_config *tls = parsed.tls ? tls_config_new(false, trust, err) : NULL;
	if (parsed.tls && tls == NULL)
		return -1;
	struct client *client = mem_zalloc(sizeof *client);
	client->endpoint = mem_strdup(endpoint);
	client->nap.fire = on_awake;
	list_init(&client->streams);
	loop_init(&client->loop);
	uv_signal_init(&client->loop.uv, &client->signal);
	client->signal.data = client;
	uv_signal_start(&client->signal, on_interrupt, SIGINT);
	struct rpc_channel_options options = rpc_channel_options_default;
	options.backoff_ms = 0; /* commands that retry wait between attempts themselves */
	options.tls = tls;
	client->channel = rpc_channel_new(&client->loop, &parsed, &options);
	tls_config_unref(tls); /* the channel has its own reference */
	*ret_client = client;
	return 0;
}

void client_close(struct client *client) {
	if (client == NULL)
		return;
	ASSERT(list_is_empty(&client->streams));
	rpc_channel_close(client->channel);
	uv_close((uv_handle_t *)&client->signal, NULL);
	loop_run_out(&client->loop);
	loop_deinit(&client->loop);
	free(client->endpoint);
	free(client);
}

const char *client_endpoint(const struct client *client) {
	return client->endpoint;
}

bool client_is_interrupted(const struct client *client) {
	return client->interrupted;
}

/* Runs the loop until a callback stops it. Callers check their condition and wait again if it does not hold. */
static void wait_for_change(struct client *client) {
	loop_run(&client->loop);
}

int client_sleep(struct client *client, uint64_t ms, struct error *err) {
	client->awake = false;
	uv_update_time(&client->loop.uv);
	timer_start(&client->loop, &client->nap, ms);
	while (!client->awake && !client->interrupted)
		wait_for_change(client);
	timer_stop(&client->loop, &client->nap);
	return client->interrupted ? error_set(err, CODE_CANCELLED, "interrupted") : 0;
}

/* The descriptor is not given to the loop, which would make it non-blocking for all who have the terminal open. */
int client_wait_readable(struct client *client, int fd, struct error *err) {
	uv_loop_t *uv = &client->loop.uv;
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = uv_backend_fd(uv), .events = POLLIN}};
	for (;;) {
		uv_run(uv, UV_RUN_NOWAIT);
		if (client->interrupted)
			return error_set(err, CODE_CANCELLED, "interrupted");
		int ready = poll(fds, ARRAY_LEN(fds), uv_backend_timeout(uv));
		if (ready < 0 && errno != EINTR)
			return error_set_errno(err, errno, "could not wait for input");
		if (ready > 0 && fds[0].revents != 0)
			return 0;
	}
}

/* --- what arrives ------------------------------------------------------------------------------------------------- */

/* The oldest message that is not taken yet; false while it is incomplete. */
static bool first_message(const struct client_stream *stream, struct str *ret_message) {
	struct str bytes = buf_view(&stream->received);
	size_t size;
	if (bytes.len < sizeof size)
		return false;
	memcpy(&size, bytes.ptr, sizeof size);
	if (bytes.len - sizeof size < size)
		return false;
	*ret_message = str_new(bytes.ptr + sizeof size, size);
	return true;
}

static bool has_message(const struct client_stream *stream) {
	return first_message(stream, &(struct str){0});
}

static void keep(struct client_stream *stream, struct str bytes) {
	if (buf_append(&stream->received, bytes) < 0)
		rpc_cancel(stream->rpc, CODE_RESOURCE_EXHAUSTED, "the peer sends more than was asked for");
	if (has_message(stream))
		loop_stop(&stream->client->loop);
}

static void on_message(struct rpc_stream *rpc, size_t size) {
	keep(rpc->owner, str_new(&size, sizeof size));
}

static void on_data(struct rpc_stream *rpc, struct str bytes) {
	struct client_stream *stream = rpc->owner;
	if (has_message(stream))
		stream->owed += bytes.len;
	else
		rpc_consume(rpc, bytes.len);
	keep(stream, bytes);
}

static void copy_headers(struct client_stream *stream, const struct http_headers *headers) {
	struct arena *arena = &stream->header_arena;
	for (size_t i = 0; i < headers->count; i++)
		http_headers_copy(&stream->headers, arena, &headers->items[i]);
}

static void on_headers(struct rpc_stream *rpc) {
	copy_headers(rpc->owner, &rpc->http.received);
}

/* Sets err to why a call failed. When no response came the endpoint may be at fault, so the error names it. */
static void explain(const struct client *client, const struct rpc_stream *rpc, struct error *err) {
	rpc_get_error(rpc, err);
	bool ours = rpc->status == CODE_CANCELLED || rpc->status == CODE_DEADLINE_EXCEEDED;
	if (rpc->http.status != 0 || ours)
		return;
	if (strstr(err->msg, client->endpoint) == NULL)
		error_wrap(err, "%s", client->endpoint);
	size_t used = strlen(err->msg);
	if (rpc->status == CODE_UNAVAILABLE && rpc_is_unprocessed(rpc) && err->reason[0] == '\0')
		snprintf(err->msg + used, sizeof err->msg - used, "; is \"ftl serve\" running there?");
}

static void on_closed(struct rpc_stream *rpc) {
	struct client_stream *stream = rpc->owner;
	copy_headers(stream, &rpc->http.trailers);
	if (rpc->status != CODE_OK)
		explain(stream->client, rpc, &stream->why);
	stream->rpc = NULL;
	loop_stop(rpc->loop);
}

static void on_writable(struct rpc_stream *rpc) {
	loop_stop(rpc->loop);
}

static const struct rpc_events events = {
	.headers = on_headers,
	.message = on_message,
	.data = on_data,
	.writable = on_writable,
	.closed = on_closed,
};

/* --- streams ------------------------------------------------------------------------------------------------------ */

struct client_stream *client_start(struct client *client, const struct client_call *call) {
	struct client_stream *stream = mem_alloc(sizeof *stream);
	size_t ahead = 2 * (size_t)http_limits_default.window;
	*stream = (struct client_stream){
		.client = client,
		.response = call->response,
		.received = BUF_INIT(RPC_MESSAGE_MAX_DEFAULT + ahead),
		.header_arena = ARENA_INIT(RPC_ARENA_MAX),
	};
	list_append(&client->streams, &stream->link);
	uv_update_time(&client->loop.uv);
	stream->rpc = rpc_call(client->channel, &(struct rpc_call_options){.path = str_from(call->path),
									   .timeout_ms = call->timeout_ms,
									   .events = &events,
									   .owner = stream});
	if (client->interrupted)
		rpc_cancel(stream->rpc, CODE_CANCELLED, "interrupted");
	return stream;
}

void client_stream_free(struct client_stream *stream) {
	if (stream == NULL)
		return;
	if (stream->rpc != NULL)
		rpc_cancel(stream->rpc, CODE_CANCELLED, "the caller has what it wants");
	while (stream->rpc != NULL)
		wait_for_change(stream->client);
	list_remove(&stream->link);
	buf_deinit(&stream->received);
	arena_deinit(&stream->arena);
	arena_deinit(&stream->header_arena);
	free(stream);
}

bool client_is_over(const struct client_stream *stream) {
	return stream->rpc == NULL;
}

int client_send(struct client_stream *stream, const ProtobufCMessage *message, struct error *err) {
	if (stream->rpc != NULL) {
		struct arena arena = ARENA_INIT(protobuf_c_message_get_packed_size(message) + 64);
		rpc_send(stream->rpc, pb_pack(message, &arena));
		arena_deinit(&arena);
	}
	while (stream->rpc != NULL && rpc_unsent(stream->rpc) > CLIENT_UNSENT_MAX)
		wait_for_change(stream->client);
	return stream->client->interrupted ? error_set(err, CODE_CANCELLED, "interrupted") : 0;
}

void client_half_close(struct client_stream *stream) {
	if (stream->rpc != NULL)
		rpc_half_close(stream->rpc);
}

/* bytes: the oldest message, at the start of stream->received. */
static int take_message(struct client_stream *stream, struct str bytes, struct arena *arena,
			const ProtobufCMessage **ret_message, struct error *err) {
	ProtobufCMessage *message;
	int result = pb_unpack(stream->response, bytes, arena, &message, err);
	buf_consume(&stream->received, sizeof bytes.len + bytes.len);
	if (stream->rpc != NULL && stream->owed > 0)
		rpc_consume(stream->rpc, stream->owed);
	stream->owed = 0;
	if (result == 0)
		*ret_message = message;
	return result;
}

static void wait_for_message(struct client_stream *stream) {
	while (stream->rpc != NULL && !has_message(stream))
		wait_for_change(stream->client);
}

int client_receive(struct client_stream *stream, const ProtobufCMessage **ret_message, struct error *err) {
	struct str bytes;
	wait_for_message(stream);
	if (first_message(stream, &bytes)) {
		arena_deinit(&stream->arena);
		arena_init(&stream->arena, pb_arena_max(bytes.len));
		return take_message(stream, bytes, &stream->arena, ret_message, err);
	}
	if (stream->why.code != CODE_OK) {
		*err = stream->why;
		return -1;
	}
	*ret_message = NULL;
	return 0;
}

struct str client_header(const struct client_stream *stream, const char *name) {
	return http_headers_get(&stream->headers, str_from(name));
}

/* --- unary -------------------------------------------------------------------------------------------------------- */

/* The only message of a unary answer, unpacked into arena; no message or a second one is an error. */
static int receive_only(struct client_stream *stream, struct arena *arena, const ProtobufCMessage **ret_response,
			struct error *err) {
	const ProtobufCMessage *response = NULL;
	struct str bytes;
	wait_for_message(stream);
	if (first_message(stream, &bytes) && take_message(stream, bytes, arena, &response, err) < 0)
		return -1;
	wait_for_message(stream);
	if (has_message(stream))
		return error_set(err, CODE_INTERNAL, "the peer answered with more than one message");
	if (stream->why.code != CODE_OK) {
		*err = stream->why;
		return -1;
	}
	if (response == NULL)
		return error_set(err, CODE_INTERNAL, "the peer answered OK without a message");
	*ret_response = response;
	return 0;
}

int client_unary(struct client *client, const struct client_call *call, const ProtobufCMessage *request,
		 struct arena *arena, const ProtobufCMessage **ret_response, struct error *err) {
	struct client_stream *stream = client_start(client, call);
	int result = client_send(stream, request, err);
	if (result == 0) {
		client_half_close(stream);
		result = receive_only(stream, arena, ret_response, err);
	}
	client_stream_free(stream);
	return result;
}
