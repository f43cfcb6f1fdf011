/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that are cheap to send and dear to handle have a budget for each second; a peer that passes it is told to calm
 * down, and its connection closes.
 *
 * Peers send many such frames in answer to what this side sends: grpc-go and others measure the bandwidth by a PING
 * beside a DATA frame that they receive, stacks on nghttp2 (Node.js) end a body with an empty DATA frame before the
 * trailers, every stack returns windows, and some reset a stream that has ended. This side's own traffic pays for them,
 * and only the frames beyond it count towards the budgets:
 *
 *  sent by this side                      pays for
 *  HEADERS                                H2_PAID_BY_HEADERS control frames
 *  DATA that leaves nothing unsent        H2_PAID_BY_DATA control frames
 *  each H2_PAID_BYTES bytes of a DATA     one control frame, as some stacks return windows in pieces of that size
 *  PING, SETTINGS                         one control frame, the acknowledgement
 *  RST_STREAM                             one control frame, the peer's own that it crosses
 *  the end of a response                  one reset
 *
 * A request pays for H2_PAID_BY_REQUEST control frames as well: gRPC's C core opens the windows of a call before it has
 * an answer.
 *
 * A DATA frame that is cut short by the peer's window pays by its bytes alone. A peer that opens its window byte by
 * byte so pays for itself.
 */
#pragma once

#include "http/h2_connection.h"

enum {
	H2_PAID_BY_HEADERS = 8,
	H2_PAID_BY_REQUEST = 4,
	H2_PAID_BY_DATA = 4,
	H2_PAID_BYTES = 256,
	/* More does not add up: what a connection has earned in an hour is no licence for a flood. */
	H2_PAID_CONTROL_FRAMES_MAX = 1 << 16,
	H2_PAID_RESETS_MAX = 1 << 12,
};

/* This side has sent what pays for so many control frames, or resets. */
static inline void h2_pay_control_frames(struct h2 *h2, size_t count) {
	h2->control_frames.paid += count;
}
static inline void h2_pay_reset(struct h2 *h2) {
	h2->resets.paid += H2_WHOLE_FRAME;
}

/* The peer has sent a RST_STREAM; stream is NULL when it has ended before, or never was. */
void h2_charge_peer_reset(struct h2 *h2, const struct http_stream *stream);

/* The peer broke a rule for which this side resets a stream. Nothing pays for that. */
void h2_charge_caused_reset(struct h2 *h2);

/* A frame that carries nothing for a request. */
void h2_charge_control_frame(struct h2 *h2);

/* Headers that HPACK unfolds to far more than the limit: "bombs". */
bool h2_is_bomb(const struct h2 *h2, size_t header_bytes);
void h2_terminate_for_bomb(struct h2 *h2);
