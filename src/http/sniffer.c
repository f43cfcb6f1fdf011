/* SPDX-License-Identifier: Apache-2.0 */
#include "http/sniffer.h"

#include <stdlib.h>

#include "base/memory.h"
#include "net/tls.h"
#include "net/transport.h"

/* RFC 9113 section 3.4. */
static const struct str preface = STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

enum speaks { SPEAKS_UNKNOWN_YET, SPEAKS_HTTP1, SPEAKS_HTTP2, SPEAKS_TLS };

struct sniffer {
	struct transport *transport;
	struct tls_config *tls;
	const struct sniffer_events *events;
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

static void enter(struct sniffer *sniffer, unsigned http, struct str first) {
	struct transport *transport = sniffer->transport;
	transport_stop_reading(transport);
	sniffer->events->entered(sniffer->owner, transport, http, first);
	buf_deinit(&sniffer->first);
	tls_config_unref(sniffer->tls);
	free(sniffer);
}

static void begin_tls(struct sniffer *sniffer, struct str first) {
	struct error err;
	if (sniffer->tls == NULL) {
		error_set(&err, CODE_INVALID_ARGUMENT, "it speaks TLS, and no certificate is set here; use http://");
		sniffer_close(sniffer, &err);
	} else {
		transport_start_tls(sniffer->transport, sniffer->tls, first);
	}
}

static void on_read(struct transport *transport, struct str bytes) {
	struct sniffer *sniffer = transport->owner;
	bool waited = buf_len(&sniffer->first) > 0;
	if (waited) {
		/* What does not tell is shorter than the preface, and one read longer at most now. */
		int over = buf_append(&sniffer->first, bytes);
		ASSERT(over == 0);
		bytes = buf_view(&sniffer->first);
	}
	switch (look_at(bytes)) {
	case SPEAKS_HTTP1:
		enter(sniffer, 1, bytes);
		return;
	case SPEAKS_HTTP2:
		enter(sniffer, 2, bytes);
		return;
	case SPEAKS_TLS:
		if (transport->tls == NULL)
			begin_tls(sniffer, bytes);
		else
			enter(sniffer, 1, bytes); /* where it is refused as what it is */
		return;
	case SPEAKS_UNKNOWN_YET:
		if (!waited && buf_append(&sniffer->first, bytes) < 0)
			ASSERT(false);
		return;
	}
}

/* The handshake of TLS is over. Without ALPN the first bytes tell, as in clear. */
static void on_connected(struct transport *transport, const struct error *err) {
	struct sniffer *sniffer = transport->owner;
	if (err != NULL) {
		sniffer_close(sniffer, err);
		return;
	}
	struct str protocol = transport_protocol(transport);
	if (protocol.len > 0)
		enter(sniffer, str_eq(protocol, STR("h2")) ? 2 : 1, STR(""));
}

static void on_end(struct transport *transport, const struct error *err) {
	sniffer_close(transport->owner, err);
}

static void on_drained(struct transport *transport UNUSED) {
}

static void on_closed(struct transport *transport) {
	struct sniffer *sniffer = transport->owner;
	sniffer->events->left(sniffer->owner, sniffer->peer, sniffer->has_why ? &sniffer->why : NULL);
	buf_deinit(&sniffer->first);
	tls_config_unref(sniffer->tls);
	free(sniffer);
}

static const struct transport_events transport_events = {
	.on_connected = on_connected,
	.on_read = on_read,
	.on_end = on_end,
	.on_drained = on_drained,
	.on_closed = on_closed,
};

struct sniffer *sniffer_open(struct loop *loop, int fd, struct tls_config *tls, const struct sniffer_events *events,
			     void *owner) {
	struct sniffer *sniffer = mem_zalloc(sizeof *sniffer);
	sniffer->transport = transport_open(loop, fd, &transport_events, sniffer);
	if (sniffer->transport == NULL) {
		free(sniffer);
		return NULL;
	}
	sniffer->events = events;
	sniffer->owner = owner;
	sniffer->tls = tls_config_ref(tls);
	buf_init(&sniffer->first, LOOP_READ_SIZE + preface.len);
	sniffer->since_ms = loop_now_ms(loop);
	transport_peer_name(sniffer->transport, sniffer->peer);
	transport_start_reading(sniffer->transport);
	return sniffer;
}

void sniffer_close(struct sniffer *sniffer, const struct error *why) {
	sniffer->has_why = why != NULL;
	if (why != NULL)
		sniffer->why = *why;
	transport_close(sniffer->transport);
}

uint64_t sniffer_since_ms(const struct sniffer *sniffer) {
	return sniffer->since_ms;
}
