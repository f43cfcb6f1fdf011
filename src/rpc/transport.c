/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void transport_init(struct transport *transport, struct loop *loop, const struct transport_events *events,
			   bool is_unix) {
	*transport = (struct transport){.events = events, .loop = loop, .unsent = BUF_INIT(TRANSPORT_UNSENT_MAX)};
	int failed = is_unix ? uv_pipe_init(&loop->uv, &transport->uv.pipe, 0) : uv_tcp_init(&loop->uv, &transport->uv.tcp);
	ASSERT(failed == 0);
	transport->uv.stream.data = transport;
}

static void report_connected(struct transport *transport, int status) {
	if (transport->closing)
		return;
	if (status == 0) {
		if (transport->endpoint.kind == ENDPOINT_TCP)
			uv_tcp_nodelay(&transport->uv.tcp, 1);
		transport->events->on_connected(transport, NULL);
		return;
	}
	char peer[ENDPOINT_MAX];
	endpoint_format(&transport->endpoint, peer);
	struct error err;
	error_set(&err, CODE_UNAVAILABLE, "could not connect to %s: %s", peer, uv_strerror(status));
	transport->events->on_connected(transport, &err);
}

static void on_connect(uv_connect_t *request, int status) {
	report_connected(request->data, status);
}

static void finish_close(struct transport *transport) {
	buf_deinit(&transport->unsent);
	transport->events->on_closed(transport);
}

static void on_handle_closed(uv_handle_t *handle) {
	struct transport *transport = handle->data;
	transport->handle_closed = true;
	/* A name look-up cannot be taken back: its callback finishes then. */
	if (!transport->resolving)
		finish_close(transport);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses) {
	struct transport *transport = request->data;
	transport->resolving = false;
	if (transport->closing) {
		uv_freeaddrinfo(addresses);
		if (transport->handle_closed)
			finish_close(transport);
		return;
	}
	if (status == 0) {
		transport->opening.connect.data = transport;
		status = uv_tcp_connect(&transport->opening.connect, &transport->uv.tcp, addresses->ai_addr, on_connect);
	}
	uv_freeaddrinfo(addresses);
	if (status != 0)
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

void transport_connect(struct transport *transport, struct loop *loop, const struct endpoint *endpoint,
		       const struct transport_events *events) {
	transport_init(transport, loop, events, endpoint->kind == ENDPOINT_UNIX);
	transport->endpoint = *endpoint;
	transport->opening.connect.data = transport;
	if (endpoint->kind == ENDPOINT_UNIX) {
		uv_pipe_connect(&transport->opening.connect, &transport->uv.pipe, endpoint->path, on_connect);
		return;
	}
	/* An address needs no look-up, and no thread for it. */
	struct sockaddr_storage address;
	bool v4 = uv_ip4_addr(endpoint->host, endpoint->port, (struct sockaddr_in *)&address) == 0;
	bool v6 = !v4 && uv_ip6_addr(endpoint->host, endpoint->port, (struct sockaddr_in6 *)&address) == 0;
	if (!v4 && !v6) {
		start_resolving(transport);
		return;
	}
	int failed = uv_tcp_connect(&transport->opening.connect, &transport->uv.tcp, (struct sockaddr *)&address, on_connect);
	if (failed != 0)
		start_resolving(transport); /* reports the failure in its own turn */
}

int transport_open(struct transport *transport, struct loop *loop, int fd, const struct transport_events *events) {
	int domain = AF_UNIX;
	socklen_t len = sizeof domain;
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	transport_init(transport, loop, events, domain == AF_UNIX);
	int failed = domain == AF_UNIX ? uv_pipe_open(&transport->uv.pipe, fd) : uv_tcp_open(&transport->uv.tcp, fd);
	if (failed != 0) {
		close(fd);
		return -1;
	}
	if (domain != AF_UNIX)
		uv_tcp_nodelay(&transport->uv.tcp, 1);
	return 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested UNUSED, uv_buf_t *ret_buffer) {
	struct transport *transport = handle->data;
	*ret_buffer = uv_buf_init(transport->loop->read_buffer, LOOP_READ_SIZE);
}

static void report_end(struct transport *transport, int status) {
	struct error err;
	if (status != UV_EOF)
		error_set(&err, CODE_UNAVAILABLE, "the connection broke: %s", uv_strerror(status));
	transport->events->on_end(transport, status == UV_EOF ? NULL : &err);
}

static void on_uv_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer) {
	struct transport *transport = stream->data;
	if (got > 0) {
		transport->events->on_read(transport, str_new(buffer->base, (size_t)got));
	} else if (got < 0) {
		uv_read_stop(stream);
		report_end(transport, (int)got);
	}
}

void transport_start_reading(struct transport *transport) {
	uv_read_start(&transport->uv.stream, on_alloc, on_uv_read);
}

void transport_stop_reading(struct transport *transport) {
	uv_read_stop(&transport->uv.stream);
}

static void on_uv_write(uv_write_t *request, int status) {
	struct transport *transport = request->data;
	transport->writing = false;
	if (transport->closing || status != 0)
		return; /* a broken connection is reported by its reading side */
	buf_clear(&transport->unsent);
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

void transport_write(struct transport *transport, struct str bytes) {
	ASSERT(!transport_is_backed_up(transport));
	if (transport->closing || bytes.len == 0)
		return;
	uv_buf_t piece = uv_buf_init((char *)bytes.ptr, (unsigned)bytes.len);
	int taken = uv_try_write(&transport->uv.stream, &piece, 1);
	size_t sent = taken > 0 ? (size_t)taken : 0;
	if (sent == bytes.len)
		return;
	if (taken < 0 && taken != UV_EAGAIN)
		return; /* broken: the reading side reports it */
	int over = buf_append(&transport->unsent, str_from_offset(bytes, sent));
	ASSERT(over == 0);
	write_unsent(transport);
}

void transport_close(struct transport *transport) {
	if (transport->closing)
		return;
	transport->closing = true;
	uv_close((uv_handle_t *)&transport->uv.stream, on_handle_closed);
}

void transport_peer_name(const struct transport *transport, char ret_text[64]) {
	struct sockaddr_storage address;
	int len = sizeof address;
	if (transport->uv.stream.type == UV_NAMED_PIPE ||
	    uv_tcp_getpeername(&transport->uv.tcp, (struct sockaddr *)&address, &len) != 0) {
		snprintf(ret_text, 64, "a local process");
		return;
	}
	char host[INET6_ADDRSTRLEN] = "";
	bool v4 = address.ss_family == AF_INET;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
	inet_ntop(address.ss_family, v4 ? (const void *)&in->sin_addr : (const void *)&in6->sin6_addr, host, sizeof host);
	snprintf(ret_text, 64, "%s:%u", host, ntohs(v4 ? in->sin_port : in6->sin6_port));
}
