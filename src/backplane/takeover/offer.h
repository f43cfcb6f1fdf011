/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Backplane that is taken over offers (packets.h): its sockets, and facts about its Runners.
 */
#pragma once

#include "backplane/takeover/packets.h"
#include "base/random.h"
#include "net/endpoint.h"

struct offer {
	int talk; /* the connection to the other process */
	int listener, inner, takeover; /* -1: none, or taken by its new owner */
	struct endpoint endpoint, inner_endpoint;
	int ends[TAKEOVER_FDS_MAX]; /* connections of its workers, which become clients of this process */
	size_t end_count;
	struct draining {
		char key[KEY_MAX];
		uint64_t left_ms;
	} * draining; /* Runners that finish their calls */
	size_t draining_count;
};

/* Of a process that talk is connected to. */
struct offer *offer_new(int talk);
/* Closes what is left in it. Takes NULL. */
void offer_free(struct offer *offer);

/* Fills the offer from its packet, whose descriptors it takes. */
int offer_read(struct offer *offer, const struct takeover_packet *packet, struct error *err);
