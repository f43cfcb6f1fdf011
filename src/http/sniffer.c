/* SPDX-License-Identifier: Apache-2.0 */
#include "http/sniffer.h"

#include <stdlib.h>

#include "base/memory.h"
#include "net/tls.h"
#include "net/transport.h"

/* RFC 9113 section 3.4. */
static const struct str preface = STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

enum protocol { PROTOCOL_UNKNOWN, PROTOCOL_HTTP1, PROTOCOL_HTTP2, PROTOCOL_TLS };

struct sniffer {
	struct transport *transport;
	struct tls_config *tls;
	const struct sniffer_events *events;
	void *owner;
	struct buf first; /* received, and too short to recognise the protocol by */
	uint64_t since_ms;
	bool has_why;
	struct error why;
	char peer[PEER_NAME_MAX];
};

static enum protocol recognise(struct str first) {
	enum { TLS_HANDSHAKE_RECORD = 0x16 };
	if (first.ptr[0] == TLS_HANDSHAKE_RECORD)
		return PROTOCOL_TLS;
	size_t seen = MIN(first.len, preface.len);
	if (memcmp(first.ptr, preface.ptr, seen) != 0)
		return PROTOCOL_HTTP1;
	return seen == preface.len ? PROTOCOL_HTTP2 : PROTOCOL_UNKNOWN;
}

static void hand_over(struct sniffer *sniffer, unsigned http, struct str first) {
	struct transport *transport = sniffer->transport;
	transport_stop_reading(transport);
	sniffer->events->recognised(sniffer->owner, transport, http, first);
	buf_deinit(&sniffer->first);
	tls_config_unref(sniffer->tls);
	free(sniffer);
}

static void begin_tls(struct sniffer *sniffer, struct str first) {
	struct error err;
	if (sniffer->tls == NULL) {
		error_set(&err, CODE_INVALID_ARGUMENT,
			  "it speaks TLS, and this server has no certificate; use http://");
		sniffer_close(sniffer, &err);
	} else {
		transport_start_tls(sniffer->transport, sniffer->tls, first);
	}
}

static void on_read(struct transport *transport, struct str bytes) {
	struct sniffer *sniffer = transport->owner;
	bool waited = buf_len(&sniffer->first) > 0;
	if (waited) {
		/* What waited is shorter than the preface, and one read has been added. */
		int over = buf_append(&sniffer->first, bytes);
		ASSERT(over == 0);
		bytes = buf_view(&sniffer->first);
	}
	switch (recognise(bytes)) {
	case PROTOCOL_HTTP1:
		hand_over(sniffer, 1, bytes);
		return;
	case PROTOCOL_HTTP2:
		hand_over(sniffer, 2, bytes);
		return;
	case PROTOCOL_TLS:
		if (transport->tls == NULL)
			begin_tls(sniffer, bytes);
		else
			hand_over(sniffer, 1, bytes); /* TLS within TLS: HTTP/1.1 refuses it */
		return;
	case PROTOCOL_UNKNOWN:
		if (!waited && buf_append(&sniffer->first, bytes) < 0)
			ASSERT(false);
		return;
	}
}

/* The TLS handshake is over. Without ALPN the first bytes decide, as in clear text. */
static void on_connected(struct transport *transport, const struct error *err) {
	struct sniffer *sniffer = transport->owner;
	if (err != NULL) {
		sniffer_close(sniffer, err);
		return;
	}
	struct str protocol = transport_protocol(transport);
	if (protocol.len > 0)
		hand_over(sniffer, str_eq(protocol, STR("h2")) ? 2 : 1, STR(""));
}

static void on_end(struct transport *transport, const struct error *err) {
	sniffer_close(transport->owner, err);
}

static void on_drained(struct transport *transport UNUSED) {
}

static void on_closed(struct transport *transport) {
	struct sniffer *sniffer = transport->owner;
	sniffer->events->closed(sniffer->owner, sniffer->peer, sniffer->has_why ? &sniffer->why : NULL);
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
