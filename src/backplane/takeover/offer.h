/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contents of an OFFER (packets.h): the sockets of the Backplane that is taken over, and facts about its Runners.
 */
#pragma once

#include "backplane/takeover/packets.h"
#include "base/random.h"
#include "net/endpoint.h"

struct offer {
	int talk; /* the connection to the other process */
	int listener, inner, takeover; /* -1: none, or moved to its new owner */
	struct endpoint endpoint, inner_endpoint;
	int ends[TAKEOVER_FDS_MAX]; /* of connections of its workers, which become clients of this process */
	size_t end_count;
	struct draining {
		char key[KEY_MAX];
		uint64_t left_ms;
	} * draining; /* Runners that finish their calls and then terminate */
	size_t draining_count;
};

/* Makes an empty offer of the process that talk is connected to, and takes talk. */
struct offer *offer_new(int talk);
/* Closes the sockets that have no new owner. Takes NULL. */
void offer_free(struct offer *offer);

/* Fills the offer from its packet, and takes the packet's descriptors. */
int offer_read(struct offer *offer, const struct takeover_packet *packet, struct error *err);
