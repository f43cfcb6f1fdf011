/* SPDX-License-Identifier: Apache-2.0 */
#include "net/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/reasons.h"
#include "net/tls.h"

/* Of TLS's own answers while the kernel takes nothing: a peer can ask for them and not read. */
enum { TLS_OUTGOING_MAX = 256 << 10 };
enum { LINGER_MS = 1000, LINGER_BYTES_MAX = 1 << 20 };
enum { KEEP_ALIVE_SECONDS = 5 };

#define TO(state) (1u << (state))

void transport_state_move(enum transport_state *state, enum transport_state next) {
	static const unsigned allowed[TRANSPORT_STATE_COUNT] = {
		[TRANSPORT_CONNECTING] =
			TO(TRANSPORT_HANDSHAKING) | TO(TRANSPORT_OPEN) | TO(TRANSPORT_ENDED) | TO(TRANSPORT_CLOSING),
		[TRANSPORT_HANDSHAKING] =
			TO(TRANSPORT_OPEN) | TO(TRANSPORT_ENDED) | TO(TRANSPORT_LINGERING) | TO(TRANSPORT_CLOSING),
		[TRANSPORT_OPEN] = TO(TRANSPORT_HANDSHAKING) | TO(TRANSPORT_ENDED) | TO(TRANSPORT_LINGERING) |
				   TO(TRANSPORT_CLOSING),
		[TRANSPORT_ENDED] = TO(TRANSPORT_LINGERING) | TO(TRANSPORT_CLOSING),
		[TRANSPORT_LINGERING] = TO(TRANSPORT_CLOSING),
		[TRANSPORT_CLOSING] = 0,
	};
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

static void read_tls(struct transport *transport);

static void on_resume(struct flushable *flushable) {
	read_tls(CONTAINER_OF(flushable, struct transport, resume));
}

static struct transport *transport_new(struct loop *loop, const struct transport_events *events, void *owner,
				       bool is_unix) {
	struct transport *transport = mem_alloc(sizeof *transport);
	*transport = (struct transport){
		.events = events, .owner = owner, .loop = loop, .unsent = BUF_INIT(TRANSPORT_UNSENT_MAX)};
	int failed =
		is_unix ? uv_pipe_init(&loop->uv, &transport->uv.pipe, 0) : uv_tcp_init(&loop->uv, &transport->uv.tcp);
	ASSERT(failed == 0);
	transport->uv.stream.data = transport;
	flushable_init(&transport->resume, on_resume);
	return transport;
}

static void start_handshake(struct transport *transport, struct tls_config *config) {
	transport->tls = tls_session_new(config, transport->endpoint.host);
	transport_state_move(&transport->state, TRANSPORT_HANDSHAKING);
}

static void report_connected(struct transport *transport, int status) {
	if (transport_is_closed(transport))
		return;
	if (status == 0) {
		if (transport->endpoint.kind == ENDPOINT_TCP)
			uv_tcp_nodelay(&transport->uv.tcp, 1);
		if (transport->tls_config == NULL) {
			transport_state_move(&transport->state, TRANSPORT_OPEN);
			transport->events->on_connected(transport, NULL);
			return;
		}
		start_handshake(transport, transport->tls_config);
		transport_start_reading(transport);
		read_tls(transport);
		return;
	}
	char peer[ENDPOINT_MAX];
	endpoint_format(&transport->endpoint, peer);
	struct error err;
	error_set(&err, CODE_UNAVAILABLE, "could not connect to %s: %s", peer, uv_strerror(status));
	transport_state_move(&transport->state, TRANSPORT_ENDED);
	transport->events->on_connected(transport, &err);
}

static void on_connect(uv_connect_t *request, int status);

/* A name may have several addresses, such as ::1 and 127.0.0.1 for "localhost"; they are tried in order. */
static void connect_next(struct transport *transport) {
	const struct addrinfo *address = transport->next_address;
	transport->next_address = address->ai_next;
	transport->opening.connect.data = transport;
	int failed = uv_tcp_connect(&transport->opening.connect, &transport->uv.tcp, address->ai_addr, on_connect);
	if (failed != 0)
		on_connect(&transport->opening.connect, failed);
}

static void on_handle_closed(uv_handle_t *handle);

static void on_reopened(uv_handle_t *handle) {
	struct transport *transport = handle->data;
	transport->reopening = false;
	if (transport_is_closed(transport)) {
		on_handle_closed(handle);
		return;
	}
	int failed = uv_tcp_init(&transport->loop->uv, &transport->uv.tcp);
	ASSERT(failed == 0);
	transport->uv.stream.data = transport;
	connect_next(transport);
}

static void on_connect(uv_connect_t *request, int status) {
	struct transport *transport = request->data;
	if (status == 0 || transport_is_closed(transport) || transport->next_address == NULL) {
		report_connected(transport, status);
		return;
	}
	/* The next address may be of another family, and a failed socket cannot be used again. */
	transport->reopening = true;
	uv_close((uv_handle_t *)&transport->uv.stream, on_reopened);
}

static void finish_close(struct transport *transport) {
	transport->events->on_closed(transport);
	buf_deinit(&transport->unsent);
	tls_session_free(transport->tls);
	tls_config_unref(transport->tls_config);
	uv_freeaddrinfo(transport->addresses);
	free(transport);
}

static void on_handle_closed(uv_handle_t *handle) {
	struct transport *transport = handle->data;
	transport->handle_closed = true;
	/* A name look-up cannot be cancelled; its callback finishes the close. */
	if (!transport->resolving)
		finish_close(transport);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses) {
	struct transport *transport = request->data;
	transport->resolving = false;
	transport->addresses = transport->next_address = addresses;
	if (transport_is_closed(transport) && transport->handle_closed)
		finish_close(transport);
	else if (!transport_is_closed(transport) && status == 0)
		connect_next(transport);
	else
		report_connected(transport, status);
}

static void start_resolving(struct transport *transport) {
	char port[8];
	snprintf(port, sizeof port, "%u", transport->endpoint.port);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
	transport->opening.resolve.data = transport;
	transport->resolving = true;
	int failed = uv_getaddrinfo(&transport->loop->uv, &transport->opening.resolve, on_resolved,
				    transport->endpoint.host, port, &hints);
	ASSERT(failed == 0);
}

static void on_refused_closed(struct transport *transport UNUSED) {
}

static void start_connecting(struct transport *transport) {
	const struct endpoint *endpoint = &transport->endpoint;
	transport->opening.connect.data = transport;
	if (endpoint->kind == ENDPOINT_UNIX) {
		uv_pipe_connect(&transport->opening.connect, &transport->uv.pipe, endpoint->path, on_connect);
		return;
	}
	/* An address needs no look-up, which would take a thread. */
	struct sockaddr_storage address;
	bool v4 = uv_ip4_addr(endpoint->host, endpoint->port, (struct sockaddr_in *)&address) == 0;
	bool v6 = !v4 && uv_ip6_addr(endpoint->host, endpoint->port, (struct sockaddr_in6 *)&address) == 0;
	if ((!v4 && !v6) || uv_tcp_connect(&transport->opening.connect, &transport->uv.tcp, (struct sockaddr *)&address,
					   on_connect) != 0)
		start_resolving(transport); /* an address that failed at once fails again, in its own turn */
}

struct transport *transport_connect(struct loop *loop, const struct endpoint *endpoint, struct tls_config *tls,
				    const struct transport_events *events, void *owner) {
	struct transport *transport = transport_new(loop, events, owner, endpoint->kind == ENDPOINT_UNIX);
	transport->endpoint = *endpoint;
	transport->tls_config = tls_config_ref(tls);
	start_connecting(transport);
	return transport;
}

struct transport *transport_open(struct loop *loop, int fd, const struct transport_events *events, void *owner) {
	int domain = AF_UNIX;
	socklen_t len = sizeof domain;
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	struct transport *transport = transport_new(loop, events, owner, domain == AF_UNIX);
	int failed = domain == AF_UNIX ? uv_pipe_open(&transport->uv.pipe, fd) : uv_tcp_open(&transport->uv.tcp, fd);
	if (failed != 0) {
		static const struct transport_events refused = {.on_closed = on_refused_closed};
		close(fd);
		transport->events = &refused;
		transport_close(transport);
		return NULL;
	}
	if (domain != AF_UNIX)
		uv_tcp_nodelay(&transport->uv.tcp, 1);
	transport_state_move(&transport->state, TRANSPORT_OPEN);
	return transport;
}

static void on_alloc(uv_handle_t *handle, size_t suggested UNUSED, uv_buf_t *ret_buffer) {
	struct transport *transport = handle->data;
	*ret_buffer = uv_buf_init(transport->loop->read_buffer, LOOP_READ_SIZE);
}

static void ended_early(struct error *err) {
	error_set(err, CODE_UNAVAILABLE,
		  "TLS: the peer ended the connection during the handshake; it may not speak TLS on this port");
	error_set_reason(err, REASON_TLS_FAILED);
}

static void end_with(struct transport *transport, const struct error *err) {
	transport_stop_reading(transport);
	bool was_handshaking = transport->state == TRANSPORT_HANDSHAKING;
	transport_state_move(&transport->state, TRANSPORT_ENDED);
	if (was_handshaking) {
		struct error early;
		ended_early(&early);
		transport->events->on_connected(transport, err && err->reason[0] != '\0' ? err : &early);
	} else {
		transport->events->on_end(transport, err);
	}
}

static void report_end(struct transport *transport, int status) {
	struct error err;
	if (status != UV_EOF)
		error_set(&err, CODE_UNAVAILABLE, "the connection broke: %s", uv_strerror(status));
	else if (transport->tls != NULL) /* anybody on the way can cut a connection; only close_notify is the peer's */
		error_set(&err, CODE_UNAVAILABLE, "TLS: the connection was cut without a close_notify");
	end_with(transport, status == UV_EOF && transport->tls == NULL ? NULL : &err);
}

static void on_uv_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer) {
	struct transport *transport = stream->data;
	if (transport->state == TRANSPORT_LINGERING) {
		transport->linger.dropped += got > 0 ? (size_t)got : 0;
		if (got < 0 || transport->linger.dropped > LINGER_BYTES_MAX)
			transport_close(transport);
	} else if (got > 0 && transport->tls != NULL) {
		tls_receive(transport->tls, str_new(buffer->base, (size_t)got));
		read_tls(transport);
	} else if (got > 0) {
		transport->events->on_read(transport, str_new(buffer->base, (size_t)got));
	} else if (got < 0) {
		uv_read_stop(stream);
		report_end(transport, (int)got);
	}
}

void transport_start_reading(struct transport *transport) {
	if (transport->state >= TRANSPORT_ENDED || transport->reading)
		return;
	transport->reading = true;
	uv_read_start(&transport->uv.stream, on_alloc, on_uv_read);
	if (transport->tls != NULL)
		loop_mark_dirty(transport->loop, &transport->resume);
}

void transport_stop_reading(struct transport *transport) {
	transport->reading = false;
	uv_read_stop(&transport->uv.stream);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void write_wire(struct transport *transport, struct str bytes);

/* Writes what TLS has encrypted, unless the kernel takes nothing. */
static void write_tls(struct transport *transport) {
	if (transport_is_backed_up(transport))
		return;
	write_wire(transport, tls_outgoing(transport->tls));
	tls_outgoing_consume(transport->tls);
}

static void on_uv_write(uv_write_t *request, int status) {
	struct transport *transport = request->data;
	transport->writing = false;
	if (transport_is_closed(transport) || status != 0)
		return; /* the reading side reports a broken connection */
	buf_clear(&transport->unsent);
	if (transport->tls != NULL)
		write_tls(transport);
	if (!transport_is_backed_up(transport) && transport->state != TRANSPORT_HANDSHAKING)
		transport->events->on_drained(transport);
}

static void write_unsent(struct transport *transport) {
	struct str rest = buf_view(&transport->unsent);
	uv_buf_t piece = uv_buf_init((char *)rest.ptr, (unsigned)rest.len);
	transport->write.data = transport;
	transport->writing = true;
	if (uv_write(&transport->write, &transport->uv.stream, &piece, 1, on_uv_write) != 0)
		transport->writing = false;
}

static void write_wire(struct transport *transport, struct str bytes) {
	if (bytes.len == 0)
		return;
	uv_buf_t piece = uv_buf_init((char *)bytes.ptr, (unsigned)bytes.len);
	int taken = uv_try_write(&transport->uv.stream, &piece, 1);
	size_t sent = taken > 0 ? (size_t)taken : 0;
	if (sent == bytes.len)
		return;
	if (taken < 0 && taken != UV_EAGAIN)
		return; /* the reading side reports a broken connection */
	int over = buf_append(&transport->unsent, str_from_offset(bytes, sent));
	ASSERT(over == 0);
	write_unsent(transport);
}

void transport_write(struct transport *transport, struct str bytes) {
	ASSERT(!transport_is_backed_up(transport));
	if (transport_is_closed(transport) || bytes.len == 0)
		return;
	if (transport->tls == NULL) {
		write_wire(transport, bytes);
	} else {
		struct error err;
		if (tls_write(transport->tls, bytes, &err) == 0)
			write_tls(transport);
	}
}

/* --- TLS ---------------------------------------------------------------------------------------------------------- */

static bool continue_handshake(struct transport *transport) {
	struct error err;
	enum tls_result result = tls_handshake(transport->tls, &err);
	write_tls(transport); /* also the alert after a failure */
	if (result == TLS_WANTS_MORE)
		return false;
	if (result == TLS_ENDED)
		ended_early(&err);
	transport_state_move(&transport->state, result == TLS_DONE ? TRANSPORT_OPEN : TRANSPORT_ENDED);
	if (result != TLS_DONE)
		transport_stop_reading(transport);
	transport->events->on_connected(transport, result == TLS_DONE ? NULL : &err);
	return result == TLS_DONE;
}

static void read_tls(struct transport *transport) {
	if (transport_is_closed(transport) ||
	    (transport->state == TRANSPORT_HANDSHAKING && !continue_handshake(transport)))
		return;
	while (!transport_is_closed(transport) && transport->reading) {
		struct error err;
		size_t len = 0;
		enum tls_result result =
			tls_read(transport->tls, transport->loop->read_buffer, LOOP_READ_SIZE, &len, &err);
		write_tls(transport); /* TLS answers some records by itself */
		if (tls_outgoing(transport->tls).len > TLS_OUTGOING_MAX) {
			error_set(
				&err, CODE_RESOURCE_EXHAUSTED,
				"TLS: the peer does not read the answers that it asks for, which have more than %d bytes",
				TLS_OUTGOING_MAX);
			result = TLS_BROKEN;
		}
		if (result == TLS_DONE)
			transport->events->on_read(transport, str_new(transport->loop->read_buffer, len));
		else if (result == TLS_WANTS_MORE)
			return;
		else
			end_with(transport, result == TLS_ENDED ? NULL : &err);
	}
}

void transport_start_tls(struct transport *transport, struct tls_config *tls, struct str first) {
	start_handshake(transport, tls);
	tls_receive(transport->tls, first);
	read_tls(transport);
}

struct str transport_protocol(const struct transport *transport) {
	return transport->tls ? tls_protocol(transport->tls) : STR("");
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

/* After the last bytes: sends close_notify. */
static void end_output(struct transport *transport) {
	if (transport->tls != NULL && !transport_is_backed_up(transport)) {
		tls_end(transport->tls);
		write_tls(transport);
	}
	flushable_deinit(&transport->resume);
}

void transport_keep_alive(struct transport *transport) {
	if (transport->uv.stream.type == UV_TCP)
		uv_tcp_keepalive(&transport->uv.tcp, 1, KEEP_ALIVE_SECONDS);
}

bool transport_is_gone(const struct transport *transport) {
	uv_os_fd_t fd;
	if (uv_fileno((const uv_handle_t *)&transport->uv.stream, &fd) != 0)
		return true;
	struct pollfd look = {.fd = fd}; /* no event is asked for: errors and the end of both sides always count */
	return poll(&look, 1, 0) > 0;
}

void transport_close(struct transport *transport) {
	if (transport->state == TRANSPORT_CLOSING)
		return;
	if (transport->state != TRANSPORT_LINGERING)
		end_output(transport);
	transport_state_move(&transport->state, TRANSPORT_CLOSING);
	timer_stop(transport->loop, &transport->linger.limit);
	if (!transport->reopening)
		uv_close((uv_handle_t *)&transport->uv.stream, on_handle_closed);
}

static void on_lingered(struct timer *timer) {
	transport_close(CONTAINER_OF(timer, struct transport, linger.limit));
}

void transport_linger(struct transport *transport) {
	uv_os_fd_t fd;
	if (transport_is_closed(transport))
		return;
	end_output(transport);
	transport_state_move(&transport->state, TRANSPORT_LINGERING);
	if (transport_is_backed_up(transport) || uv_fileno((uv_handle_t *)&transport->uv.stream, &fd) != 0) {
		transport_close(transport);
		return;
	}
	shutdown(fd, SHUT_WR);
	transport->linger.limit.fire = on_lingered;
	timer_start(transport->loop, &transport->linger.limit, LINGER_MS);
	uv_read_start(&transport->uv.stream, on_alloc, on_uv_read);
}

void transport_peer_name(const struct transport *transport, char ret_text[PEER_NAME_MAX]) {
	struct sockaddr_storage address;
	int len = sizeof address;
	if (transport->uv.stream.type == UV_NAMED_PIPE ||
	    uv_tcp_getpeername(&transport->uv.tcp, (struct sockaddr *)&address, &len) != 0) {
		snprintf(ret_text, PEER_NAME_MAX, "a local process");
		return;
	}
	char host[INET6_ADDRSTRLEN] = "";
	bool v4 = address.ss_family == AF_INET;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
	inet_ntop(address.ss_family, v4 ? (const void *)&in->sin_addr : (const void *)&in6->sin6_addr, host,
		  sizeof host);
	snprintf(ret_text, PEER_NAME_MAX, "%s:%u", host, ntohs(v4 ? in->sin_port : in6->sin6_port));
}
