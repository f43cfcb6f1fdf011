/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a client's side tells by itself nothing about the other side: TCP says the same for shutdown(SHUT_WR) and
 * for close(), and only a byte that is sent to a closed socket comes back as a reset. So the server answers the
 * requests that are complete, and finds out meanwhile whether anybody still reads: it sends a byte of the answer that
 * is due in any case, first after LOOK_FIRST_MS and then each time that four times as long has passed. A client that
 * reads cannot tell, as a first line may come in any pieces; one that has closed costs its call at most that long. The
 * kernel's keep-alive finds those that close between two of the bytes.
 */
#include "http/h1_half_closed.h"

#include "http/h1_receive.h"
#include "http/h1_send.h"

enum {
	LOOK_FIRST_MS = 250, /* most calls are answered earlier, and nothing is sent ahead for them */
	LOOK_EVERY_MS = 1000,
	NEXT_BYTE_FACTOR = 4,
};

static void close_if_gone(struct h1 *h1) {
	struct error lost;
	if (!transport_is_gone(h1->http.transport))
		return;
	error_set(&lost, CODE_UNAVAILABLE, "the peer closed the connection");
	h1_close(&h1->http, &lost);
}

static void on_look(struct timer *timer) {
	struct h1 *h1 = CONTAINER_OF(timer, struct h1, half_closed.look);
	uint64_t now = loop_now_ms(h1->loop);
	if (now >= h1->half_closed.next_byte_ms) {
		h1->half_closed.next_byte_ms = now + (now - h1->half_closed.since_ms) * (NEXT_BYTE_FACTOR - 1);
		h1_send_early(h1);
	}
	close_if_gone(h1);
	if (h1->life != H1_CLOSING)
		timer_start(h1->loop, timer, LOOK_EVERY_MS);
}

void h1_half_closed_init(struct h1 *h1) {
	h1->half_closed.look.fire = on_look;
}

/* Looks until the connection is closed. */
static void begin_to_look(struct h1 *h1) {
	h1->half_closed.since_ms = loop_now_ms(h1->loop);
	h1->half_closed.next_byte_ms = 0;
	transport_keep_alive(h1->http.transport);
	timer_start(h1->loop, &h1->half_closed.look, LOOK_FIRST_MS);
	close_if_gone(h1);
}

/* Unavailable, which is no warning in the log: a client that gives up a large request ends its side too. One that ends
 * TLS in the middle of a request expects the server to do the same, and no data after that. */
static void refuse_incomplete(struct h1 *h1, const char *part) {
	struct error err;
	error_set(&err, CODE_UNAVAILABLE, "the peer ended its side in the middle of a request's %s", part);
	h1_refuse(h1, h1->http.is_tls ? 0 : 400, &err);
}

void h1_take_end(struct h1 *h1) {
	bool waits_to_leave = transport_is_backed_up(h1->http.transport);
	/* No whole request is pending: while one waits, nothing is read. */
	bool has_half_a_head = h1->http.head_ms != 0;
	if (h1->stream != NULL && h1->receiving != H1_END) {
		refuse_incomplete(h1, "body");
		return;
	}
	if (h1->stream == NULL && has_half_a_head && !waits_to_leave) {
		refuse_incomplete(h1, "head");
		return;
	}
	h1->keep_alive = false;
	if (h1->stream == NULL)
		h1_finish(h1);
	if (h1->stream != NULL || waits_to_leave)
		begin_to_look(h1);
}
