/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps a Runner registered with the Backplane: a stream that stays open, and is opened again, with the same key and
 * with what the Runner hosts, when it breaks.
 */
#pragma once

#include "base/random.h"
#include "rpc/channel.h"

struct registration;

struct registration_events {
	/* The Backplane counts on us. registration->key is the Runner's key. Comes again after each reconnection. */
	void (*accepted)(struct registration *registration);
	/* The Backplane does not want us, and trying again would not help. Once. */
	void (*refused)(struct registration *registration, const struct error *why);
	/* No Backplane accepted us for orphan_timeout_ms. Once. */
	void (*orphaned)(struct registration *registration);
};

enum registration_state {
	REGISTRATION_OPENING,
	REGISTRATION_ACCEPTED,
	REGISTRATION_WAITING, /* to try again */
	REGISTRATION_LEAVING, /* we have said that we go */
	REGISTRATION_ENDED,
};

struct registration {
	struct loop *loop;
	struct rpc_channel *backplane;
	const char *language;
	const char *endpoint; /* our own */
	uint64_t orphan_timeout_ms;
	const struct registration_events *events;
	void *owner;

	enum registration_state state;
	char key[KEY_MAX]; /* "" until the Backplane has given one */
	char hosted[KEY_MAX]; /* the deployment that is alive here; "" for none */
	char said_hosted[KEY_MAX]; /* with this request */
	struct rpc_stream *stream;
	struct timer limit; /* of opening, then of waiting */
	struct timer orphan;
	uint64_t delay_ms;
	bool was_accepted; /* ever */
};

/* The fields above the first empty line are set, and key if it is known; the rest is zero. */
void registration_start(struct registration *registration);

/* What is alive here; "" for nothing. */
void registration_set_hosted(struct registration *registration, const char *deployment_key);

/* Tells the Backplane that no call should come any more. */
void registration_leave(struct registration *registration);

/* No event follows. The stream may still be closing until the loop has run on. */
void registration_end(struct registration *registration);
