/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_limits.h"

#include <stdio.h>

enum { BOMB_FACTOR = 4 }; /* a block of this many times max-header-bytes is no mistake of its sender */

/* Counts one frame. */
static void charge(struct h2 *h2, struct h2_budget *budget, uint32_t max, const char *limit, const char *what) {
	uint64_t now = loop_now_ms(h2->loop);
	if (now - budget->since_ms >= 1000)
		*budget = (struct h2_budget){.since_ms = now};
	if (max == HTTP_NEVER || ++budget->spent <= max)
		return;
	char text[160];
	snprintf(text, sizeof text, "it sent more than %u %s in a second; %s is %u", max, what, limit, max);
	h2_terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM, CODE_RESOURCE_EXHAUSTED, text);
}

void h2_charge_reset(struct h2 *h2) {
	if (h2->http.is_server)
		charge(h2, &h2->resets, h2->limits.resets, "max-resets", "streams that were reset");
}

void h2_charge_control_frame(struct h2 *h2) {
	charge(h2, &h2->control_frames, h2->limits.control_frames, "max-control-frames", "frames that carry nothing");
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
