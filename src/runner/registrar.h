/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps a Runner registered with the Backplane: a stream that stays open, and is opened again, with the same key and
 * with what the Runner hosts, when it breaks.
 */
#pragma once

#include "base/random.h"
#include "rpc/channel.h"

struct registrar;

struct registrar_events {
	/* The Backplane counts on us. registrar->key is the Runner's key. Comes again after each reconnection. */
	void (*accepted)(struct registrar *registrar);
	/* The Backplane does not want us, and trying again would not help. Once. */
	void (*refused)(struct registrar *registrar, const struct error *why);
	/* No Backplane accepted us for orphan_timeout_ms. Once. */
	void (*orphaned)(struct registrar *registrar);
};

enum registrar_state {
	REGISTRAR_OPENING,
	REGISTRAR_ACCEPTED,
	REGISTRAR_WAITING, /* to try again */
	REGISTRAR_LEAVING, /* we have said that we go */
	REGISTRAR_ENDED,
};

struct registrar {
	struct loop *loop;
	struct rpc_channel *backplane;
	const char *language;
	const char *endpoint; /* our own */
	uint64_t orphan_timeout_ms;
	const struct registrar_events *events;
	void *owner;

	enum registrar_state state;
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
void registrar_start(struct registrar *registrar);

/* What is alive here; "" for nothing. */
void registrar_set_hosted(struct registrar *registrar, const char *deployment_key);

/* Tells the Backplane that no call should come any more. */
void registrar_leave(struct registrar *registrar);

/* No event follows. The stream may still be closing until the loop has run on. */
void registrar_end(struct registrar *registrar);
