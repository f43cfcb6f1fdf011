/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_limits.h"

#include <stdio.h>

enum {
	BOMB_FACTOR = 4, /* a block of this many times max-header-bytes is no mistake of its sender */
	DEADLINE_MIN_MS = 10, /* a shorter deadline excuses no reset: it would let a client reset without end */
};

/* Counts a frame, or a part of one. */
static void charge(struct h2 *h2, struct h2_budget *budget, uint64_t cost, uint32_t max, const char *limit,
		   const char *what) {
	uint64_t now = loop_now_ms(h2->loop);
	if (now - budget->since_ms >= 1000) {
		budget->since_ms = now;
		budget->spent = 0;
	}
	budget->spent += cost;
	if (max == HTTP_NEVER || budget->spent <= (uint64_t)max * H2_WHOLE_FRAME)
		return;
	char text[160];
	snprintf(text, sizeof text, "it sent more than %u %s in a second; %s is %u", max, what, limit, max);
	h2_terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM, CODE_RESOURCE_EXHAUSTED, text);
}

/* Whether this side's own traffic has paid for a frame, or a part of one. */
static bool is_paid(struct h2_budget *budget, uint64_t cost, uint64_t paid_max) {
	budget->paid = MIN(budget->paid, paid_max);
	if (budget->paid < cost)
		return false;
	budget->paid -= cost;
	return true;
}

static void charge_reset(struct h2 *h2, uint64_t cost) {
	if (h2->http.is_server && !is_paid(&h2->resets, cost, (uint64_t)H2_PAID_RESETS_MAX * H2_WHOLE_FRAME))
		charge(h2, &h2->resets, cost, h2->limits.resets, "max-resets", "streams that were reset");
}

/*
 * A stream whose response has left, or whose deadline has passed, is over, so its reset costs nothing: clients reset
 * the calls whose deadlines pass, at the moment at which the server answers them. A deadline below DEADLINE_MIN_MS is
 * none in that, as it has passed once the request is read.
 *
 * The reset of a call with a deadline of D ms is a part of a reset. A client may have max-streams such calls at a time,
 * and so max-streams * 1000 / D of them a second, without a single reset; max-resets of them by resets would be fewer.
 * The part makes both alike. The time until the deadline alone would not do: after a stall of this process, streams and
 * the resets that followed them after D ms are read in one turn.
 */
static uint64_t cost_of_reset(const struct h2 *h2, const struct http_stream *stream) {
	uint64_t in_ms = stream->due.in_ms, streams = h2->limits.streams, resets = h2->limits.resets;
	if (stream->h2.sent)
		return 0;
	if (stream->due.at_ms != 0 && in_ms < DEADLINE_MIN_MS)
		return H2_WHOLE_FRAME;
	if (stream->due.at_ms != 0 && loop_now_ms(h2->loop) + 1 >= stream->due.at_ms)
		return 0;
	if (stream->due.at_ms == 0 || in_ms >= streams * 1000 / resets)
		return H2_WHOLE_FRAME;
	return in_ms * resets * H2_WHOLE_FRAME / (streams * 1000);
}

void h2_charge_peer_reset(struct h2 *h2, const struct http_stream *stream) {
	if (stream == NULL)
		h2_charge_control_frame(h2);
	else if (h2->http.is_server)
		charge_reset(h2, cost_of_reset(h2, stream));
}

void h2_charge_caused_reset(struct h2 *h2) {
	if (h2->http.is_server)
		charge(h2, &h2->resets, H2_WHOLE_FRAME, h2->limits.resets, "max-resets", "streams that were reset");
}

void h2_charge_control_frame(struct h2 *h2) {
	if (!is_paid(&h2->control_frames, 1, H2_PAID_CONTROL_FRAMES_MAX))
		charge(h2, &h2->control_frames, H2_WHOLE_FRAME, h2->limits.control_frames, "max-control-frames",
		       "frames that carry nothing and answer nothing");
}

bool h2_is_bomb(const struct h2 *h2, size_t header_bytes) {
	return header_bytes / BOMB_FACTOR > h2->limits.header_bytes;
}

void h2_terminate_for_bomb(struct h2 *h2) {
	char text[160];
	snprintf(text, sizeof text, "it sent headers that unfold to more than %d times max-header-bytes, which is %u",
		 BOMB_FACTOR, h2->limits.header_bytes);
	h2_terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM, CODE_RESOURCE_EXHAUSTED, text);
}
