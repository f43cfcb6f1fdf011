/* SPDX-License-Identifier: Apache-2.0 */
/*
 *  waiting ──a connection has room──▶ on a connection ──▶ closed
 *     │                                                      ▲
 *     └──── no connection can be made, cancelled, late ──────┘
 */
#include "rpc/channel.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "rpc/h1.h"
#include "rpc/h2.h"
#include "rpc/tls.h"

struct rpc_channel {
	struct loop *loop;
	struct endpoint endpoint;
	struct str authority;
	char authority_text[ENDPOINT_MAX];
	struct rpc_channel_options options;
	struct list connections;
	size_t connection_count;
	struct list waiting; /* calls without a connection, by http.link */
	struct list preparing; /* calls whose headers depend on their message */
	unsigned failures; /* attempts to connect, since the last that worked */
	struct timer retry; /* no attempt before it fires */
	struct timer sweep; /* closes given-up calls among the waiting, in its own turn */
	size_t calls;
	bool closing;
};

struct channel_connection {
	struct rpc_channel *channel;
	struct http_connection *http;
	struct list link;
	struct timer keepalive;
	bool ready;
	bool pinged;
};

const struct rpc_channel_options rpc_channel_options_default = {
	.http = {.streams = 256, .window = 256 << 10, .header_bytes = 16 << 10},
	.message_max = RPC_MESSAGE_MAX_DEFAULT,
	.keepalive_ms = 0,
	.backoff_max_ms = 5000,
	.connections_max = 16,
};

static void assign_waiting(struct rpc_channel *channel);

/* --- connections --------------------------------------------------------------------------------------------- */

static void on_keepalive(struct timer *timer) {
	struct channel_connection *connection = CONTAINER_OF(timer, struct channel_connection, keepalive);
	struct rpc_channel *channel = connection->channel;
	if (connection->pinged) {
		struct error err;
		char peer[ENDPOINT_MAX];
		endpoint_format(&channel->endpoint, peer);
		error_set(&err, CODE_UNAVAILABLE, "%s has been silent for %llu ms", peer,
			  (unsigned long long)(channel->options.keepalive_ms * 2));
		http_connection_close(connection->http, &err);
		return;
	}
	if (connection->http->stream_count > 0 && connection->http->ops->ping != NULL) {
		connection->pinged = true;
		connection->http->ops->ping(connection->http);
	}
	timer_start(channel->loop, timer, channel->options.keepalive_ms);
}

static void on_pong(struct http_connection *http) {
	struct channel_connection *connection = http->owner;
	connection->pinged = false;
}

static void on_ready(struct http_connection *http) {
	struct channel_connection *connection = http->owner;
	connection->ready = true;
	connection->channel->failures = 0;
	if (connection->channel->options.keepalive_ms > 0)
		timer_start(connection->channel->loop, &connection->keepalive, connection->channel->options.keepalive_ms);
	assign_waiting(connection->channel);
}

static void on_going_away(struct http_connection *http) {
	http_connection_shutdown(http);
}

static bool is_connecting(const struct rpc_channel *channel) {
	LIST_FOREACH(link, &channel->connections)
		if (!LIST_ENTRY(link, struct channel_connection, link)->ready)
			return true;
	return false;
}

/* Closes a call that never had a connection. */
static void close_waiting(struct rpc_stream *stream, const struct error *why) {
	list_remove(&stream->http.link);
	stream->http.untouched = true;
	rpc_stream_closed(stream, why);
}

static void fail_all_waiting(struct rpc_channel *channel, const struct error *why) {
	struct list failed;
	list_init(&failed);
	while (!list_is_empty(&channel->waiting)) {
		struct list *first = channel->waiting.next;
		list_remove(first);
		list_append(&failed, first);
	}
	while (!list_is_empty(&failed))
		close_waiting(LIST_ENTRY(failed.next, struct rpc_stream, http.link), why);
}

static void destroy_if_done(struct rpc_channel *channel) {
	if (!channel->closing || channel->connection_count > 0 || channel->calls > 0)
		return;
	timer_stop(channel->loop, &channel->sweep);
	timer_stop(channel->loop, &channel->retry);
	tls_config_unref(channel->options.tls);
	free(channel);
}

/* Peers that come back after an outage are not to be met by all their clients at once. */
static void back_off(struct rpc_channel *channel) {
	uint64_t ms = channel->options.backoff_ms, max = MAX(channel->options.backoff_max_ms, channel->options.backoff_ms);
	for (unsigned i = 0; i < channel->failures && ms < max; i++)
		ms *= 2;
	channel->failures++;
	ms = MIN(ms, max);
	if (ms > 0)
		timer_start(channel->loop, &channel->retry, ms * 4 / 5 + random_u64() % (ms * 2 / 5 + 1));
}

static void on_retry(struct timer *timer) {
	assign_waiting(CONTAINER_OF(timer, struct rpc_channel, retry));
}

static void on_connection_closed(struct http_connection *http, const struct error *why) {
	struct channel_connection *connection = http->owner;
	struct rpc_channel *channel = connection->channel;
	bool was_ready = connection->ready;
	timer_stop(channel->loop, &connection->keepalive);
	list_remove(&connection->link);
	free(connection);
	channel->calls++; /* holds the channel while its calls are told */
	if (!was_ready && !channel->closing)
		back_off(channel);
	if (!was_ready && !is_connecting(channel))
		fail_all_waiting(channel, why);
	channel->connection_count--;
	channel->calls--;
	assign_waiting(channel);
	destroy_if_done(channel);
}

static const struct http_connection_events connection_events = {
	.ready = on_ready,
	.pong = on_pong,
	.going_away = on_going_away,
	.closed = on_connection_closed,
};

static void open_connection(struct rpc_channel *channel) {
	struct channel_connection *connection = mem_zalloc(sizeof *connection);
	connection->channel = channel;
	connection->keepalive.fire = on_keepalive;
	list_append(&channel->connections, &connection->link);
	channel->connection_count++;
	const struct rpc_channel_options *options = &channel->options;
	bool is_tls = channel->endpoint.kind == ENDPOINT_TCP && channel->endpoint.tls;
	if (is_tls)
		tls_config_refresh(options->tls);
	if (options->dial != NULL)
		connection->http = h2_attach(channel->loop, options->dial(options->dial_data), &options->http,
					     &connection_events, connection);
	else
		connection->http = (options->http1 ? h1_connect : h2_connect)(channel->loop, &channel->endpoint,
									      is_tls ? options->tls : NULL, &options->http,
									      &connection_events, connection);
}

static struct http_connection *find_room(struct rpc_channel *channel) {
	LIST_FOREACH(link, &channel->connections) {
		struct channel_connection *connection = LIST_ENTRY(link, struct channel_connection, link);
		struct http_connection *http = connection->http;
		if (connection->ready && !http->going_away && http->stream_count < http->stream_limit)
			return http;
	}
	return NULL;
}

static void assign_waiting(struct rpc_channel *channel) {
	if (channel->closing)
		return;
	while (!list_is_empty(&channel->waiting)) {
		struct http_connection *http = find_room(channel);
		if (http == NULL)
			break;
		struct rpc_stream *stream = LIST_ENTRY(channel->waiting.next, struct rpc_stream, http.link);
		list_remove(&stream->http.link);
		http_request(http, &stream->http, &stream->request_headers);
	}
	if (!list_is_empty(&channel->waiting) && !is_connecting(channel) &&
	    channel->connection_count < channel->options.connections_max && channel->retry.place == 0)
		open_connection(channel);
}

/* --- calls --------------------------------------------------------------------------------------------------- */

static void take_given_up(struct list *from, struct list *to) {
	LIST_FOREACH(link, from) {
		if (LIST_ENTRY(link, struct rpc_stream, http.link)->broken) {
			list_remove(link);
			list_append(to, link);
		}
	}
}

static void on_sweep(struct timer *timer) {
	struct rpc_channel *channel = CONTAINER_OF(timer, struct rpc_channel, sweep);
	struct list given_up;
	list_init(&given_up);
	take_given_up(&channel->waiting, &given_up);
	take_given_up(&channel->preparing, &given_up);
	channel->calls++;
	while (!list_is_empty(&given_up))
		close_waiting(LIST_ENTRY(given_up.next, struct rpc_stream, http.link), NULL);
	channel->calls--;
	destroy_if_done(channel);
}

void rpc_cancel(struct rpc_stream *stream, enum code status, const char *text) {
	ASSERT(stream->is_client);
	if (stream->broken)
		return;
	stream->broken = true;
	rpc_set_status(stream, status, str_from(text));
	if (stream->http.connection != NULL)
		http_stream_reset(&stream->http, false);
	else
		timer_start(stream->loop, &stream->channel->sweep, 0);
}

static void copy_headers(struct http_headers *to, struct arena *arena, const struct http_headers *from) {
	for (size_t i = 0; from != NULL && i < from->count; i++)
		http_headers_add(to, arena, arena_copy(arena, from->items[i].name), arena_copy(arena, from->items[i].value))
			->never_indexed = from->items[i].never_indexed;
}

static void pass_headers(struct http_headers *to, struct arena *arena, const struct http_headers *from) {
	for (size_t i = 0; from != NULL && i < from->count; i++)
		http_headers_pass(to, arena, &from->items[i]);
}

/* Every call passes here on its way out, so the channel can count. */
static void on_call_closed(struct rpc_stream *stream);

static void on_half_closed(struct rpc_stream *stream) {
	struct rpc_channel *channel = stream->channel;
	stream->codec->request_headers(stream, &stream->request_headers);
	list_remove(&stream->http.link);
	list_append(&channel->waiting, &stream->http.link);
	assign_waiting(channel);
}

struct rpc_stream *rpc_call(struct rpc_channel *channel, const struct rpc_call_options *options) {
	ASSERT(!channel->closing);
	struct rpc_stream *stream = mem_alloc(sizeof *stream);
	rpc_stream_init(stream, channel->loop, &grpc_codec);
	stream->is_client = true;
	stream->channel = channel;
	stream->events = options->events;
	stream->owner = options->owner;
	stream->message_max = options->message_max ? options->message_max : channel->options.message_max;
	stream->on_client_closed = on_call_closed;
	struct arena *arena = &stream->http.arena;
	stream->http.method = STR("POST");
	stream->http.path = arena_copy(arena, options->path);
	stream->http.authority = channel->authority;
	if (options->timeout_ms > 0)
		rpc_set_deadline(stream, options->timeout_ms);
	const struct rpc_channel_options *chosen = &channel->options;
	protocol_start(stream, &(struct protocol_options){.protocol = chosen->protocol,
							  .types = chosen->types,
							  .json = chosen->json,
							  .gzip = chosen->gzip,
							  .get = chosen->get,
							  .base64 = chosen->base64});
	channel->calls++;
	if (stream->codec->is_plain) {
		copy_headers(&stream->request_headers, arena, options->headers);
		stream->on_half_closed = on_half_closed;
		list_append(&channel->preparing, &stream->http.link);
		return stream;
	}
	stream->codec->request_headers(stream, &stream->request_headers);
	struct http_connection *http = list_is_empty(&channel->waiting) ? find_room(channel) : NULL;
	if (http != NULL) {
		/* The usual way: the connection takes them before the caller's headers are gone. */
		pass_headers(&stream->request_headers, arena, options->headers);
		http_request(http, &stream->http, &stream->request_headers);
		return stream;
	}
	copy_headers(&stream->request_headers, arena, options->headers);
	list_append(&channel->waiting, &stream->http.link);
	assign_waiting(channel);
	return stream;
}

static void on_call_closed(struct rpc_stream *stream) {
	struct rpc_channel *channel = stream->channel;
	channel->calls--;
	assign_waiting(channel);
	destroy_if_done(channel);
}

/* --- life ---------------------------------------------------------------------------------------------------- */

struct rpc_channel *rpc_channel_new(struct loop *loop, const struct endpoint *endpoint,
				    const struct rpc_channel_options *options) {
	struct rpc_channel *channel = mem_alloc(sizeof *channel);
	*channel = (struct rpc_channel){.loop = loop, .endpoint = *endpoint, .options = *options, .sweep.fire = on_sweep, .retry.fire = on_retry};
	list_init(&channel->preparing);
	bool is_tls = endpoint->kind == ENDPOINT_TCP && endpoint->tls;
	if (is_tls && options->tls == NULL)
		channel->options.tls = tls_config_new(false, &(struct tls_options){.http1_only = options->http1}, NULL);
	else
		tls_config_ref(channel->options.tls);
	list_init(&channel->connections);
	list_init(&channel->waiting);
	/* A socket's path is no authority; "localhost" is what gRPC's own clients send. */
	endpoint_format(endpoint, channel->authority_text);
	const char *host = endpoint->kind == ENDPOINT_UNIX ? "localhost" : strstr(channel->authority_text, "://") + 3;
	channel->authority = str_from(host);
	return channel;
}

void rpc_channel_close(struct rpc_channel *channel) {
	if (channel == NULL || channel->closing)
		return;
	channel->closing = true;
	LIST_FOREACH(link, &channel->waiting)
		rpc_cancel(LIST_ENTRY(link, struct rpc_stream, http.link), CODE_CANCELLED, "the channel was closed");
	LIST_FOREACH(link, &channel->preparing)
		rpc_cancel(LIST_ENTRY(link, struct rpc_stream, http.link), CODE_CANCELLED, "the channel was closed");
	LIST_FOREACH(link, &channel->connections)
		http_connection_close(LIST_ENTRY(link, struct channel_connection, link)->http, NULL);
	/* Also the way out when there was nothing to cancel. */
	timer_start(channel->loop, &channel->sweep, 0);
}

size_t rpc_channel_calls(const struct rpc_channel *channel) {
	return channel->calls;
}

const struct endpoint *rpc_channel_endpoint(const struct rpc_channel *channel) {
	return &channel->endpoint;
}
