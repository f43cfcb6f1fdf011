/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/door.h"

#include <stdlib.h>

#include "base/memory.h"
#include "rpc/tls.h"
#include "rpc/transport.h"

/* RFC 9113 section 3.4. */
static const struct str preface = STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

enum speaks { SPEAKS_UNKNOWN_YET, SPEAKS_HTTP1, SPEAKS_HTTP2, SPEAKS_TLS };

struct door {
	struct transport *transport;
	struct tls_config *tls;
	const struct door_events *events;
	void *owner;
	struct buf first; /* what came, while it does not tell */
	uint64_t since_ms;
	bool has_why;
	struct error why;
	char peer[PEER_NAME_MAX];
};

static enum speaks look_at(struct str first) {
	enum { TLS_HANDSHAKE_RECORD = 0x16 };
	if (first.ptr[0] == TLS_HANDSHAKE_RECORD)
		return SPEAKS_TLS;
	size_t seen = MIN(first.len, preface.len);
	if (memcmp(first.ptr, preface.ptr, seen) != 0)
		return SPEAKS_HTTP1;
	return seen == preface.len ? SPEAKS_HTTP2 : SPEAKS_UNKNOWN_YET;
}

static void enter(struct door *door, unsigned http, struct str first) {
	struct transport *transport = door->transport;
	transport_stop_reading(transport);
	door->events->entered(door->owner, transport, http, first);
	buf_deinit(&door->first);
	tls_config_unref(door->tls);
	free(door);
}

static void begin_tls(struct door *door, struct str first) {
	struct error err;
	if (door->tls == NULL) {
		error_set(&err, CODE_INVALID_ARGUMENT, "it speaks TLS, and no certificate is set here; use http://");
		door_close(door, &err);
	} else {
		transport_start_tls(door->transport, door->tls, first);
	}
}

static void on_read(struct transport *transport, struct str bytes) {
	struct door *door = transport->owner;
	bool waited = buf_len(&door->first) > 0;
	if (waited) {
		/* What does not tell is shorter than the preface, and one read longer at most now. */
		int over = buf_append(&door->first, bytes);
		ASSERT(over == 0);
		bytes = buf_view(&door->first);
	}
	switch (look_at(bytes)) {
	case SPEAKS_HTTP1:
		enter(door, 1, bytes);
		return;
	case SPEAKS_HTTP2:
		enter(door, 2, bytes);
		return;
	case SPEAKS_TLS:
		if (transport->tls == NULL)
			begin_tls(door, bytes);
		else
			enter(door, 1, bytes); /* where it is refused as what it is */
		return;
	case SPEAKS_UNKNOWN_YET:
		if (!waited && buf_append(&door->first, bytes) < 0)
			ASSERT(false);
		return;
	}
}

/* The handshake of TLS is over. Without ALPN the first bytes tell, as in clear. */
static void on_connected(struct transport *transport, const struct error *err) {
	struct door *door = transport->owner;
	if (err != NULL) {
		door_close(door, err);
		return;
	}
	struct str protocol = transport_protocol(transport);
	if (protocol.len > 0)
		enter(door, str_eq(protocol, STR("h2")) ? 2 : 1, STR(""));
}

static void on_end(struct transport *transport, const struct error *err) {
	door_close(transport->owner, err);
}

static void on_drained(struct transport *transport UNUSED) {
}

static void on_closed(struct transport *transport) {
	struct door *door = transport->owner;
	door->events->left(door->owner, door->peer, door->has_why ? &door->why : NULL);
	buf_deinit(&door->first);
	tls_config_unref(door->tls);
	free(door);
}

static const struct transport_events transport_events = {
	.on_connected = on_connected,
	.on_read = on_read,
	.on_end = on_end,
	.on_drained = on_drained,
	.on_closed = on_closed,
};

struct door *door_open(struct loop *loop, int fd, struct tls_config *tls, const struct door_events *events,
		       void *owner) {
	struct door *door = mem_zalloc(sizeof *door);
	door->transport = transport_open(loop, fd, &transport_events, door);
	if (door->transport == NULL) {
		free(door);
		return NULL;
	}
	door->events = events;
	door->owner = owner;
	door->tls = tls_config_ref(tls);
	buf_init(&door->first, LOOP_READ_SIZE + preface.len);
	door->since_ms = loop_now_ms(loop);
	transport_peer_name(door->transport, door->peer);
	transport_start_reading(door->transport);
	return door;
}

void door_close(struct door *door, const struct error *why) {
	door->has_why = why != NULL;
	if (why != NULL)
		door->why = *why;
	transport_close(door->transport);
}

uint64_t door_since_ms(const struct door *door) {
	return door->since_ms;
}
