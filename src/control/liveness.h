/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a Runner lives: its registration, and the pings that it answers.
 *
 *   registration:  NONE ──▶ OPEN ──▶ CLOSED          each of the two ──▶ OPEN: it registers again
 *                             └────▶ BROKEN
 *
 *   ping:          WAITING ◀──▶ SENT ──the stream broke──▶ STALE ──▶ WAITING
 *
 * A Runner whose stream breaks is pinged at once, as a dead one refuses that at once while a living one may only have
 * lost its connection. In the other states it is pinged each third of silence_ms.
 */
#pragma once

#include "control/model.h"

/* A name that a Runner gives for its language; it becomes part of keys, of file names and of command lines. */
int language_check(struct str language, struct error *err);

struct registration {
	uint64_t id; /* of its stream */
	struct str language, endpoint;
	struct str runner_key; /* empty: it has none */
	struct str deployment_key; /* that it hosts, alive; may be empty */
};

/* A Runner registers: accepted, refused, or pinged first. */
void liveness_register(struct control *control, const struct registration *registration);
/* half_closed: by its client's half close, after which pings alone tell whether the Runner lives. */
void liveness_stream_ended(struct control *control, struct runner *runner, bool half_closed);

/* Why calls of what it hosts may go unanswered; "": no reason is known. */
void liveness_set_trouble(struct control *control, struct runner *runner, const char *trouble);

void liveness_ping(struct control *control, struct runner *runner);
/* err NULL: the Runner answered. It may be gone afterwards. */
void liveness_pinged(struct control *control, struct runner *runner, const struct error *err);

/* Both abort on a transition that the diagram lacks. registration: the stream of REGISTRATION_OPEN, else 0. */
void liveness_set_registration(struct runner *runner, enum registration_state state, uint64_t registration);
void liveness_set_ping(struct runner *runner, enum ping_state state);
