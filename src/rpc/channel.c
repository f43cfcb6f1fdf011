/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call:
 *
 *  waiting ──a connection has room──▶ on a connection ──▶ closed
 *     │                                                      ▲
 *     └─── no connection can be made, cancelled, deadline ───┘
 */
#include "rpc/channel.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/pool.h"
#include "base/random.h"
#include "http/h1.h"
#include "http/h2.h"
#include "net/tls.h"
#include "rpc/grpc.h"

struct rpc_channel {
	struct loop *loop;
	struct endpoint endpoint;
	struct str authority;
	char authority_text[ENDPOINT_MAX];
	struct rpc_channel_options options;
	struct list connections;
	size_t connection_count;
	struct list waiting; /* calls without a connection, by http.link */
	struct list preparing; /* Connect's plain calls, whose headers depend on the message */
	unsigned failures; /* attempts to connect that failed in a row */
	struct timer retry; /* runs while no attempt is made */
	struct error failure; /* of the last attempt */
	struct timer sweep; /* closes waiting calls that were cancelled or cannot be sent, in a turn of its own */
	size_t calls;
	bool retired; /* closes when its calls have ended */
	bool closing;
};

struct channel_connection {
	struct rpc_channel *channel;
	struct http_connection *http;
	struct list link;
	struct timer limit; /* connect-timeout */
	struct timer keepalive;
	enum rpc_connection_state state;
	uint64_t pinged_ms; /* when the last ping was sent; 0: none since the peer was heard of */
};

const struct rpc_channel_options rpc_channel_options_default = {
	.http = {.streams = HTTP_STREAMS_DEFAULT,
		 .window = HTTP_WINDOW_DEFAULT,
		 .header_bytes = HTTP_HEADER_BYTES_DEFAULT},
	.message_max = RPC_MESSAGE_MAX_DEFAULT,
	.connect_timeout_ms = 10000,
	.keepalive_ms = 20000,
	.backoff_ms = 100,
	.backoff_max_ms = 5000,
	.connections_max = 16,
};

static void assign_waiting(struct rpc_channel *channel);

/* --- connections -------------------------------------------------------------------------------------------------- */

#define TO(state) (1u << (state))

void rpc_connection_state_move(enum rpc_connection_state *state, enum rpc_connection_state next) {
	static const unsigned allowed[RPC_CONNECTION_STATE_COUNT] = {
		[RPC_CONNECTION_CONNECTING] = TO(RPC_CONNECTION_READY),
		[RPC_CONNECTION_READY] = TO(RPC_CONNECTION_PROVEN),
	};
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

static void give_up_silent(struct channel_connection *connection, uint64_t silent_ms) {
	struct error err;
	char peer[ENDPOINT_MAX];
	endpoint_format(&connection->channel->endpoint, peer);
	error_set(&err, CODE_UNAVAILABLE, "%s has been silent for %llu ms, and does not answer a ping", peer,
		  (unsigned long long)silent_ms);
	http_connection_close(connection->http, &err);
}

/* All that comes from the peer counts as the answer to a ping. */
static void on_keepalive(struct timer *timer) {
	struct channel_connection *connection = CONTAINER_OF(timer, struct channel_connection, keepalive);
	struct http_connection *http = connection->http;
	struct loop *loop = connection->channel->loop;
	uint64_t interval_ms = connection->channel->options.keepalive_ms;
	uint64_t silent_ms = loop_now_ms(loop) - http->progress_ms;
	bool in_use = http->stream_count > 0 && http->ops->ping != NULL;
	if (!in_use || silent_ms < interval_ms) {
		connection->pinged_ms = 0;
		timer_start(loop, timer, in_use ? interval_ms - silent_ms : interval_ms);
	} else if (http->progress_ms >= connection->pinged_ms) {
		connection->pinged_ms = loop_now_ms(loop);
		http->ops->ping(http);
		timer_start(loop, timer, interval_ms);
	} else {
		give_up_silent(connection, silent_ms);
	}
}

/* How far the connection has come, and what to check. */
static const char *why_no_connection(const struct channel_connection *connection) {
	const struct transport *transport = connection->http->transport;
	if (transport->resolving)
		return "its name is still being looked up; check the name, and the resolver of this machine";
	if (transport->state == TRANSPORT_HANDSHAKING)
		return "the TLS handshake does not complete; check that the peer speaks TLS on this port";
	if (connection->state == RPC_CONNECTION_CONNECTING)
		return "nothing answers there; check the address, and firewalls and proxies on the way";
	return "the peer accepted the connection and sends nothing; check that it speaks HTTP/2, and that it is not stuck";
}

static void on_connect_limit(struct timer *timer) {
	struct channel_connection *connection = CONTAINER_OF(timer, struct channel_connection, limit);
	struct error err;
	char peer[ENDPOINT_MAX];
	endpoint_format(&connection->channel->endpoint, peer);
	error_set(&err, CODE_UNAVAILABLE, "could not connect to %s within %u ms, which is connect-timeout: %s", peer,
		  connection->channel->options.connect_timeout_ms, why_no_connection(connection));
	http_connection_close(connection->http, &err);
}

/* Calls are sent at once, before the peer's SETTINGS have come. */
static void on_ready(struct http_connection *http) {
	struct channel_connection *connection = http->owner;
	rpc_connection_state_move(&connection->state, RPC_CONNECTION_READY);
	if (connection->channel->options.keepalive_ms > 0)
		timer_start(connection->channel->loop, &connection->keepalive,
			    connection->channel->options.keepalive_ms);
	assign_waiting(connection->channel);
}

static void on_proven(struct http_connection *http) {
	struct channel_connection *connection = http->owner;
	rpc_connection_state_move(&connection->state, RPC_CONNECTION_PROVEN);
	connection->channel->failures = 0;
	timer_stop(connection->channel->loop, &connection->limit);
	assign_waiting(connection->channel);
}

static void on_going_away(struct http_connection *http) {
	http_connection_shutdown(http);
}

static bool is_connecting(const struct rpc_channel *channel) {
	LIST_FOREACH(link, &channel->connections)
		if (LIST_ENTRY(link, struct channel_connection, link)->state != RPC_CONNECTION_PROVEN)
			return true;
	return false;
}

/* Whether calls can wait for a connection: one that is being made, or takes calls later. */
static bool can_wait(const struct rpc_channel *channel) {
	LIST_FOREACH(link, &channel->connections) {
		struct channel_connection *connection = LIST_ENTRY(link, struct channel_connection, link);
		if (connection->state != RPC_CONNECTION_PROVEN || !connection->http->going_away)
			return true;
	}
	return false;
}

/* Closes a call that never had a connection. */
static void close_waiting(struct rpc_stream *stream, const struct error *why) {
	list_remove(&stream->http.link);
	stream->http.unprocessed = true;
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
	if (channel->retired && channel->calls == 0)
		rpc_channel_close(channel);
	if (!channel->closing || channel->connection_count > 0 || channel->calls > 0)
		return;
	timer_stop(channel->loop, &channel->sweep);
	timer_stop(channel->loop, &channel->retry);
	tls_config_unref(channel->options.tls);
	free(channel);
}

/* Random, so that a peer that comes back after an outage does not see all its clients at once. */
uint64_t rpc_backoff_ms(const struct rpc_channel_options *options, unsigned failures, uint64_t random) {
	uint64_t ms = options->backoff_ms, max = MAX(options->backoff_max_ms, options->backoff_ms);
	for (unsigned i = 0; ms > 0 && ms < max && i < failures; i++)
		ms *= 2;
	ms = MIN(ms, max);
	return ms == 0 ? 0 : ms * 4 / 5 + random % (ms * 2 / 5 + 1);
}

static void back_off(struct rpc_channel *channel, const struct error *why) {
	if (why != NULL)
		channel->failure = *why;
	else
		error_set(&channel->failure, CODE_UNAVAILABLE, "the peer closed the connection before it spoke");
	uint64_t ms = rpc_backoff_ms(&channel->options, channel->failures++, random_u64());
	if (ms > 0)
		timer_start(channel->loop, &channel->retry, ms);
}

static void on_retry(struct timer *timer) {
	assign_waiting(CONTAINER_OF(timer, struct rpc_channel, retry));
}

static void on_connection_closed(struct http_connection *http, const struct error *why) {
	struct channel_connection *connection = http->owner;
	struct rpc_channel *channel = connection->channel;
	bool was_proven = connection->state == RPC_CONNECTION_PROVEN;
	timer_stop(channel->loop, &connection->limit);
	timer_stop(channel->loop, &connection->keepalive);
	list_remove(&connection->link);
	free(connection);
	channel->calls++; /* keeps the channel while its calls end */
	if (!was_proven && !channel->closing) {
		back_off(channel, why);
		if (!can_wait(channel))
			fail_all_waiting(channel, &channel->failure);
	}
	channel->connection_count--;
	channel->calls--;
	assign_waiting(channel);
	destroy_if_done(channel);
}

static const struct http_connection_events connection_events = {
	.ready = on_ready,
	.proven = on_proven,
	.going_away = on_going_away,
	.closed = on_connection_closed,
};

static void open_connection(struct rpc_channel *channel) {
	struct channel_connection *connection = mem_zalloc(sizeof *connection);
	connection->channel = channel;
	connection->limit.fire = on_connect_limit;
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
		connection->http =
			(options->http1 ? h1_connect : h2_connect)(channel->loop, &channel->endpoint,
								   is_tls ? options->tls : NULL, &options->http,
								   &connection_events, connection);
	uv_update_time(&channel->loop->uv); /* a long turn of the loop does not count towards the timeout */
	if (options->connect_timeout_ms > 0)
		timer_start(channel->loop, &connection->limit, options->connect_timeout_ms);
}

static struct http_connection *find_room(struct rpc_channel *channel) {
	LIST_FOREACH(link, &channel->connections) {
		struct channel_connection *connection = LIST_ENTRY(link, struct channel_connection, link);
		struct http_connection *http = connection->http;
		if (connection->state != RPC_CONNECTION_CONNECTING && !http->going_away &&
		    http->stream_count < http->stream_limit)
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
		http_request(http, &stream->http, &stream->client.headers);
	}
	if (list_is_empty(&channel->waiting) || is_connecting(channel))
		return;
	if (!timer_is_running(&channel->retry) && channel->connection_count < channel->options.connections_max)
		open_connection(channel);
	else if (timer_is_running(&channel->retry) && !can_wait(channel))
		timer_start(channel->loop, &channel->sweep, 0);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

static void take_given_up(struct list *from, struct list *to) {
	LIST_FOREACH(link, from) {
		if (rpc_has_ended(LIST_ENTRY(link, struct rpc_stream, http.link))) {
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
	if (timer_is_running(&channel->retry) && !can_wait(channel))
		fail_all_waiting(channel, &channel->failure);
	channel->calls--;
	destroy_if_done(channel);
}

static void on_cancelled(struct rpc_stream *stream) {
	timer_start(stream->loop, &stream->client.channel->sweep, 0);
}

static void copy_headers(struct http_headers *to, struct arena *arena, const struct http_headers *from) {
	for (size_t i = 0; from != NULL && i < from->count; i++)
		http_headers_copy(to, arena, &from->items[i]);
}

static void pass_headers(struct http_headers *to, struct arena *arena, const struct http_headers *from) {
	for (size_t i = 0; from != NULL && i < from->count; i++)
		http_headers_pass(to, arena, &from->items[i]);
}

static bool on_unprocessed(struct rpc_stream *stream) {
	struct rpc_channel *channel = stream->client.channel;
	if (channel->closing) {
		stream->http.unprocessed = false; /* the owner must not send it again: the channel closes */
		return false;
	}
	if (!stream->http.keeping || stream->http.status != 0 || rpc_has_ended(stream) ||
	    stream->client.retries >= RPC_RETRIES_MAX)
		return false;
	stream->client.retries++;
	http_stream_rewind(&stream->http);
	list_append(&channel->waiting, &stream->http.link);
	assign_waiting(channel);
	return true;
}

static void on_half_closed(struct rpc_stream *stream) {
	struct rpc_channel *channel = stream->client.channel;
	stream->codec->request_headers(stream, &stream->client.headers);
	list_remove(&stream->http.link);
	list_append(&channel->waiting, &stream->http.link);
	assign_waiting(channel);
}

static void on_call_closed(struct rpc_stream *stream) {
	struct rpc_channel *channel = stream->client.channel;
	channel->calls--;
	assign_waiting(channel);
	destroy_if_done(channel);
}

static const struct rpc_client_ops client_ops = {
	.half_closed = on_half_closed,
	.cancelled = on_cancelled,
	.unprocessed = on_unprocessed,
	.closed = on_call_closed,
};

/* A relay's usual way: the connection takes the headers at once, so that they need not be copied. */
static void send_passing(struct http_connection *http, struct rpc_stream *stream, const struct http_headers *added) {
	struct http_header room[HTTP_HEADERS_ROOM];
	struct http_headers headers = HTTP_HEADERS_IN(room);
	stream->codec->request_headers(stream, &headers);
	pass_headers(&headers, &stream->http.arena, added);
	http_request(http, &stream->http, &headers);
}

struct rpc_stream *rpc_call(struct rpc_channel *channel, const struct rpc_call_options *options) {
	ASSERT(!channel->closing && !channel->retired);
	struct rpc_stream *stream = pool_alloc(sizeof *stream);
	rpc_stream_init(stream, channel->loop, &grpc_codec);
	stream->is_client = true;
	stream->client.channel = channel;
	stream->events = options->events;
	stream->owner = options->owner;
	stream->message_max = options->message_max ? options->message_max : channel->options.message_max;
	stream->client.ops = &client_ops;
	if (!options->no_retry)
		http_stream_keep(&stream->http);
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
		copy_headers(&stream->client.headers, arena, options->headers);
		list_append(&channel->preparing, &stream->http.link);
		return stream;
	}
	struct http_connection *http = list_is_empty(&channel->waiting) ? find_room(channel) : NULL;
	if (http != NULL && options->no_retry) {
		send_passing(http, stream, options->headers);
		return stream;
	}
	stream->codec->request_headers(stream, &stream->client.headers);
	copy_headers(&stream->client.headers, arena, options->headers);
	if (http != NULL) {
		http_request(http, &stream->http, &stream->client.headers);
		return stream;
	}
	list_append(&channel->waiting, &stream->http.link);
	assign_waiting(channel);
	return stream;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct rpc_channel *rpc_channel_new(struct loop *loop, const struct endpoint *endpoint,
				    const struct rpc_channel_options *options) {
	struct rpc_channel *channel = mem_alloc(sizeof *channel);
	*channel = (struct rpc_channel){.loop = loop,
					.endpoint = *endpoint,
					.options = *options,
					.sweep.fire = on_sweep,
					.retry.fire = on_retry};
	list_init(&channel->preparing);
	bool is_tls = endpoint->kind == ENDPOINT_TCP && endpoint->tls;
	if (is_tls && options->tls == NULL)
		channel->options.tls = tls_config_new(false, &(struct tls_options){.http1_only = options->http1}, NULL);
	else
		tls_config_ref(channel->options.tls);
	list_init(&channel->connections);
	list_init(&channel->waiting);
	/* The path of a socket is not an authority; gRPC's own clients send "localhost". */
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
		rpc_cancel(LIST_ENTRY(link, struct rpc_stream, http.link), CODE_UNAVAILABLE, "the channel was closed");
	LIST_FOREACH(link, &channel->preparing)
		rpc_cancel(LIST_ENTRY(link, struct rpc_stream, http.link), CODE_UNAVAILABLE, "the channel was closed");
	LIST_FOREACH(link, &channel->connections)
		http_connection_close(LIST_ENTRY(link, struct channel_connection, link)->http, NULL);
	/* Frees the channel also if there was nothing to cancel. */
	timer_start(channel->loop, &channel->sweep, 0);
}

void rpc_channel_retire(struct rpc_channel *channel) {
	struct error why;
	if (channel == NULL || channel->closing)
		return;
	error_set(&why, CODE_UNAVAILABLE, "the peer takes no more calls");
	channel->calls++;
	fail_all_waiting(channel, &why);
	channel->calls--;
	channel->retired = true;
	destroy_if_done(channel);
}

size_t rpc_channel_calls(const struct rpc_channel *channel) {
	return channel->calls;
}

const struct endpoint *rpc_channel_endpoint(const struct rpc_channel *channel) {
	return &channel->endpoint;
}
