/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the Runner registered with the Backplane: by a stream that stays open, and is opened again, with the same key
 * and with what the Runner hosts, when it breaks. Pure: part of the agent.
 *
 *        ┌──delay over── WAITING ◀──error, too slow──┐
 *        ▼                  ▲                        │
 *     OPENING ──────────────┼────────────────────────┘
 *        │ │                └──the stream ends──┐
 *        │ └──accepted──▶ ACCEPTED ─────────────┘
 *        │                   │ leave
 *        │                   ▼
 *        │                LEAVING
 *        ▼                   │ the stream ends
 *      ENDED ◀───────────────┘
 *
 * OPENING ends when a refusal is final; leaving ends OPENING and WAITING at once. A stream that ends in order though
 * the Runner did not leave tells that another Backplane takes over: the next one is opened without a delay, if the
 * stream was accepted for at least REGISTRAR_STABLE_MS. Each one that ends sooner, in order or not, is followed by a
 * longer delay, so that no peer and no proxy that ends accepted streams at once can make the Runner spin.
 */
#pragma once

#include "base/random.h"
#include "module/backplane_retry.h"
#include "runner/hosting.h"

enum {
	REGISTRAR_OPENING_MAX_MS = 10000,
	REGISTRAR_RETRY_FIRST_MS = BACKPLANE_RETRY_FIRST_MS,
	REGISTRAR_RETRY_LAST_MS = BACKPLANE_RETRY_LAST_MS,
	REGISTRAR_STABLE_MS = 1000,
	REGISTRAR_UNSTABLE_LAST_MS =
		4000, /* the last delay after streams that were accepted and ended sooner, in order */
	/* Why the Runner is not registered is a warning when that has lasted so long, and then each TELL_AGAIN. */
	REGISTRAR_TELL_FIRST_MS = 1000,
	REGISTRAR_TELL_AGAIN_MS = 30000,
};

enum registrar_state {
	REGISTRAR_WAITING, /* to try again; also the first time */
	REGISTRAR_OPENING,
	REGISTRAR_ACCEPTED,
	REGISTRAR_LEAVING,
	REGISTRAR_ENDED,
};

struct registrar {
	struct agent_effects *effects;
	const struct hosting *hosting; /* what the registration says */
	const char *language;
	const char *endpoint; /* the Runner's own */
	uint64_t orphan_timeout_ms;

	enum registrar_state state;
	char key[KEY_MAX]; /* the Runner's; "" until the Backplane has given one */
	char said_hosted[KEY_MAX]; /* with this stream */
	uint64_t due_ms; /* OPENING: its limit; WAITING: the next attempt */
	uint64_t orphan_due_ms; /* UINT64_MAX: a Backplane is there */
	uint64_t delay_ms; /* the last one; 0: none since a stream was stable */
	uint64_t accepted_ms; /* the last time */
	uint64_t trouble_since_ms; /* the first failure since a stream was stable; 0: there was none */
	uint64_t tell_due_ms; /* the next one is a warning from then on */
	bool is_unstable; /* the last accepted stream ended too soon */
	bool was_accepted; /* ever */
};

/* The fields above the first empty line are set, and key if it is known; the rest is zero. Opens the first stream. */
void registrar_start(struct registrar *registrar, uint64_t now_ms);

/* Does what is due. Returns true, once, when no Backplane accepted the Runner for orphan_timeout_ms. */
bool registrar_tick(struct registrar *registrar, uint64_t now_ms);
uint64_t registrar_due_ms(const struct registrar *registrar); /* UINT64_MAX: never */

/* The Backplane counts on the Runner, whose key it gives. Returns false when what the Runner hosts has changed since
 * the stream was opened: another stream is opened then. */
bool registrar_accepted(struct registrar *registrar, uint64_t now_ms, struct str key);

/* why NULL: the stream ended in order. Returns false when the Backplane refused the Runner, and would again. */
bool registrar_stream_closed(struct registrar *registrar, uint64_t now_ms, const struct error *why);

/* Tells the Backplane that no call should come any more. */
void registrar_leave(struct registrar *registrar);

/* Gives up the stream. Nothing follows. */
void registrar_end(struct registrar *registrar);

/* The one place where the state changes. Aborts when the diagram has no such arrow. */
void registrar_move(struct registrar *registrar, enum registrar_state next);
