/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP without its version: requests and responses as streams, over connections that are HTTP/2 or HTTP/1.1.
 *
 * A stream is one request and its response, seen from the client's or the server's end; both ends use the same
 * struct. The memory of a stream belongs to the layer above, which embeds it; the connection borrows it from
 * the start until `closed`, which comes exactly once and last.
 *
 * Bodies are pulled. What arrives is lent to `data` and counts against the stream's window until the owner says
 * http_stream_consume, so a peer sends at most a window ahead. What is written waits in the stream's own buffer
 * until the connection takes it.
 *
 * No event comes from inside a call of this interface.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"

/* Limits of a connection; each has a name that people see in errors, and a default. */
struct http_limits {
	uint32_t streams; /* "max-streams": open at a time on one connection; 256 */
	uint32_t window; /* "stream-window": bytes that a peer may send ahead on a stream; 256 KiB */
	uint32_t header_bytes; /* "max-header-bytes": names and values of one header block; 16 KiB */
	/* 0 is the default, HTTP_NEVER no limit, as for a peer that passes on the calls of many others. */
	/* "max-control-frames": SETTINGS, PING, PRIORITY, WINDOW_UPDATE, empty DATA, …, in one second, beyond those
	 * that this side's own frames pay for; 500 */
	uint32_t control_frames;
	/* HTTP/2 clients: requests on one connection before a new one replaces it, as HTTP/2 has 2^30 streams. 0 is the
	 * default. */
	uint32_t requests; /* "max-requests"; 1,000,000,000 */
	/* Servers only. */
	/* "max-resets": streams that are reset, by either side, in one second, beyond one for each that was answered;
	 * not those whose deadline has passed; 1,000 */
	uint32_t resets;
	uint32_t header_ms; /* "header-timeout": from the first byte of a connection or request to its headers; 10 s */
	uint32_t stall_ms; /* "stall-timeout": without progress in a message, or in reading an answer; 60 s */
	uint32_t idle_ms; /* "idle-timeout": a connection without requests; 10 min */
};

#define HTTP_NEVER UINT32_MAX
#define HTTP_STREAMS_DEFAULT 256
#define HTTP_WINDOW_DEFAULT KIB(256)
#define HTTP_HEADER_BYTES_DEFAULT KIB(16)

/* What max-header-bytes counts for a header beside its name and value (RFC 9113 section 6.5.2). */
enum { HTTP_HEADER_COST = 32 };

/* The defaults above, also for a constant's initialiser. */
#define HTTP_LIMITS_DEFAULT                                                                               \
	{                                                                                                 \
		.streams = HTTP_STREAMS_DEFAULT, .window = HTTP_WINDOW_DEFAULT,                           \
		.header_bytes = HTTP_HEADER_BYTES_DEFAULT, .control_frames = 500, .requests = 1000000000, \
		.resets = 1000, .header_ms = 10000, .stall_ms = 60000, .idle_ms = 600000                  \
	}
extern const struct http_limits http_limits_default;

struct http_header {
	struct str name; /* lower case */
	struct str value;
	/* HTTP/2: the value stays out of HPACK's table of earlier headers, because it does not come again or because
	 * its sender marked it as secret. Whoever passes the header on keeps the mark. */
	bool never_indexed;
	/* HTTP/2: spaces and tabs around the value, which are no part of it (RFC 9110 section 5.5). */
	uint16_t blanks_before, blanks_after;
};

/* In the order of the wire, without the pseudo-headers. Allocated in the stream's arena. */
struct http_headers {
	struct http_header *items;
	size_t count;
	size_t capacity;
};

/* Headers for as long as a block lasts: the array is on the stack, and moves to the arena when it grows. */
enum { HTTP_HEADERS_ROOM = 24 };
#define HTTP_HEADERS_IN(room) ((struct http_headers){.items = (room), .capacity = ARRAY_LEN(room)})

/* The header of that name, or NULL. The first when there are several. */
const struct http_header *http_headers_find(const struct http_headers *headers, struct str name);
/* The value, or an empty view with a NULL pointer. */
struct str http_headers_get(const struct http_headers *headers, struct str name);
/* Keeps the views: what they show must live as long as the arena. */
struct http_header *http_headers_add(struct http_headers *headers, struct arena *arena, struct str name,
				     struct str value);
/* Adds a header of another message, with its mark. */
void http_headers_pass(struct http_headers *headers, struct arena *arena, const struct http_header *header);
/* The same, with its name and value copied to the arena. */
void http_headers_copy(struct http_headers *headers, struct arena *arena, const struct http_header *header);

/* The header block of a request that arrives. The connection collects it before anybody has memory for the request, so
 * that the path can decide whose stream it becomes. */
struct http_request_head {
	struct str method, path, authority; /* in the arena */
	struct http_headers headers; /* in the arena */
	struct arena arena; /* of HTTP_HEAD_ARENA_MAX; moves into the stream */
	size_t header_bytes; /* as "max-header-bytes" counts them */
	bool is_too_large; /* header_bytes passed the limit; later headers were dropped */
};

/* The highest "max-header-bytes", and the memory that headers of that size take as copies and arrays. */
#define HTTP_HEADER_BYTES_MAX KIB(48)
#define HTTP_HEAD_ARENA_MAX MIB(1)

struct http_plain_answer;
struct http_route;
struct http_stream;
struct transport;

struct http_stream_events {
	/* Client: the response's status and headers have come (interim responses, 1xx, are dropped). */
	void (*headers)(struct http_stream *stream);
	/* A piece of the body; not empty. */
	void (*data)(struct http_stream *stream, struct str bytes);
	/* The peer has ended its side; its trailers are in stream->trailers. */
	void (*end)(struct http_stream *stream);
	/* All that was written has left the stream's buffer. */
	void (*writable)(struct http_stream *stream);
	/* The stream is over, and its memory is the owner's again. why is NULL when both sides ended in order. */
	void (*closed)(struct http_stream *stream, const struct error *why);
};

struct http_stream {
	const struct http_stream_events *events;
	struct http_connection *connection; /* NULL before the start and after `closed` */
	struct list link; /* of the connection's streams */
	struct arena arena; /* the stream's headers, and what else lives as long */
	int32_t id;

	struct str method, path, authority; /* requests */
	unsigned status; /* of the response; 0: none yet */
	struct http_headers received; /* request or response headers */
	struct http_headers trailers;
	size_t lent; /* bytes of `data` that the owner has not given back */
	uint64_t progress_ms; /* when the peer last sent or took a part of the stream */

	struct buf unsent; /* body that the connection has not taken yet */
	struct http_headers send_trailers;
	struct buf kept; /* client, while `keeping`: all that was written, up to HTTP_KEEP_MAX */

	/* Flags and not states: each may be set beside any of the others. The two sides of a stream end in either order
	 * (RFC 9113 section 5.1), `unprocessed` is the peer's verdict, `keeping` the owner's choice, and those of h2
	 * are what nghttp2 has done with the stream so far. */
	bool received_end; /* the peer has ended its side */
	bool finished; /* the owner has ended its side */
	bool unprocessed; /* in `closed`: the peer did not begin to work on it, so it may be sent again elsewhere */
	bool ended_alone; /* client, in `closed`: the peer ended this stream, in order or not, and the connection stays
			   */
	bool keeping; /* client: what is written is kept as well, to be sent again */
	struct {
		bool deferred; /* it asked for more body than there was, and is to be told of more */
		bool sent; /* client: the request's headers have left; server: the whole response has */
		/* client: the response's headers or trailers passed max-header-bytes, so the stream is reset; the last
		 * one that was kept is only the beginning of itself */
		bool headers_over;
	} h2;

	/* Server only. */
	struct {
		uint64_t at_ms; /* by loop_now_ms: the owner has ended the response by then; 0: it may last */
		uint64_t in_ms; /* the time from the request to at_ms */
	} due;
	bool has_origin; /* a web page sent the request: its response needs cors_add_headers */
	const struct http_route *route; /* server.h: whose request it is; NULL: answered by the server itself */
	const struct http_plain_answer *plain; /* plain.h: sent once the request has ended; NULL: none */
};

/* The most that the owner of a stream may write ahead: a message of the largest size, behind one that is smaller than a
 * window. */
#define HTTP_UNSENT_MAX (MIB(64) + KIB(512))
/* A larger buffer is freed as soon as it is empty. */
#define HTTP_UNSENT_KEEP KIB(512)

/* A longer request is not kept. */
#define HTTP_KEEP_MAX KIB(64)

void http_stream_init(struct http_stream *stream, const struct http_stream_events *events, size_t arena_max);
void http_stream_deinit(struct http_stream *stream);

/* For connections: moves head into a stream from new_stream; head is empty afterwards. */
void http_stream_take_head(struct http_stream *stream, struct http_request_head *head);
void http_request_head_init(struct http_request_head *head);
void http_request_head_deinit(struct http_request_head *head);

/* Client: keeps what is written from now on, until it passes HTTP_KEEP_MAX or http_stream_stop_keeping. */
void http_stream_keep(struct http_stream *stream);
void http_stream_stop_keeping(struct http_stream *stream);
/* Client, in `closed` of a stream that is unprocessed and still keeping: makes it as it was before http_request, with
 * all that was written. */
void http_stream_rewind(struct http_stream *stream);

/* For connections, when they have taken all that was unsent. */
static inline void http_stream_sent_all(struct http_stream *stream) {
	if (stream->unsent.capacity > HTTP_UNSENT_KEEP)
		buf_trim(&stream->unsent);
}

/* What a version of HTTP implements. */
struct http_connection_ops {
	void (*request)(struct http_connection *connection, struct http_stream *stream,
			const struct http_headers *headers);
	void (*respond)(struct http_stream *stream, unsigned status, const struct http_headers *headers);
	void (*output)(struct http_stream *stream); /* unsent or finished changed */
	void (*consume)(struct http_stream *stream, size_t size);
	void (*reset)(struct http_stream *stream, bool refused);
	void (*ping)(struct http_connection *connection); /* NULL: HTTP/1.1 has none */
	/* Server: the bytes that the peer had sent before the connection was made. Called once, before all else. */
	void (*receive)(struct http_connection *connection, struct str bytes);
	void (*shutdown)(struct http_connection *connection);
	void (*close)(struct http_connection *connection, const struct error *why);
};

struct http_connection_events {
	/* Client: takes requests. That costs no round trip, so the peer may yet turn out not to speak this HTTP. */
	void (*ready)(struct http_connection *connection);
	/* Client: the peer speaks this HTTP: HTTP/2's SETTINGS have come. HTTP/1.1 has none; there it follows `ready`.
	 */
	void (*proven)(struct http_connection *connection);
	/* Server: memory for a request whose headers are complete: a stream with an empty arena, into which the
	 * connection moves head. NULL refuses the request: the client learns that nothing was done about it. */
	struct http_stream *(*new_stream)(struct http_connection *connection, struct http_request_head *head);
	/* Server: follows new_stream at once; the stream holds the request's headers. */
	void (*request)(struct http_connection *connection, struct http_stream *stream);
	/* The peer takes no new requests; those in progress go on. */
	void (*going_away)(struct http_connection *connection);
	/* All streams are closed, and the connection frees itself. why is NULL after an end in order. */
	void (*closed)(struct http_connection *connection, const struct error *why);
};

struct http_connection {
	const struct http_connection_ops *ops;
	struct transport *transport;
	unsigned version; /* 1 or 2 */
	bool is_server;
	bool is_tls;
	uint64_t progress_ms; /* when the peer last sent something, or took what had waited for it */
	uint64_t head_ms; /* server: when the header block began that is not complete yet; 0: there is none */
	char peer[64];
	const struct http_connection_events *events;
	struct list streams;
	size_t stream_count;
	size_t stream_limit; /* the peer's, as known so far */
	bool going_away; /* takes no new requests, because of either side */
	void *owner;
};

/* Client: sends a request; method, path and authority are in the stream, headers are without pseudo-headers. */
static inline void http_request(struct http_connection *connection, struct http_stream *stream,
				const struct http_headers *headers) {
	connection->ops->request(connection, stream, headers);
}

/* Server: sends status and headers, once. Body, trailers and end follow from http_stream_write and _finish. */
static inline void http_respond(struct http_stream *stream, unsigned status, const struct http_headers *headers) {
	if (stream->connection != NULL)
		stream->connection->ops->respond(stream, status, headers);
}

/* Adds to the body, also before the start. Passing HTTP_UNSENT_MAX aborts. */
void http_stream_write(struct http_stream *stream, struct str bytes);

/* Reserves room for size bytes that will be written, unless they are so many that they come in pieces. */
void http_stream_expect(struct http_stream *stream, size_t size);

/* Ends what this side sends, with the trailers in stream->send_trailers if there are any. */
void http_stream_finish(struct http_stream *stream);

/* Lets the peer send size bytes more. */
static inline void http_stream_consume(struct http_stream *stream, size_t size) {
	ASSERT(size <= stream->lent);
	stream->lent -= size;
	if (stream->connection != NULL)
		stream->connection->ops->consume(stream, size);
}

/* Gives the stream up; `closed` follows. refused: the peer learns that nothing was done about it. */
static inline void http_stream_reset(struct http_stream *stream, bool refused) {
	if (stream->connection != NULL)
		stream->connection->ops->reset(stream, refused);
}

/* Closes when the requests in progress are done, and those that the peer sent before it knew. A second call takes no
 * new ones. */
static inline void http_connection_shutdown(struct http_connection *connection) {
	connection->ops->shutdown(connection);
}

/* Server: see ops->receive. */
static inline void http_connection_receive(struct http_connection *connection, struct str bytes) {
	connection->ops->receive(connection, bytes);
}

/* Ends now; every stream is closed with why. */
static inline void http_connection_close(struct http_connection *connection, const struct error *why) {
	connection->ops->close(connection, why);
}
