/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine of a deployment.
 *
 *   wanted, loaded as next
 *     │
 *     ▼   a replica failed          the others have said how they do, or 1 s passed
 *   STARTING ────────────▶ FAILING ──────────────────────────────────────────────────▶ FAILED ──no Runner left──▶ freed
 *     │ │                    │ │                                                         ▲ │
 *     │ └─cannot come up─────┼─┼─────────────────────────────────────────────────────────┘ │ wanted again: STARTING
 *     │                      │ └────────────────────────┐                                  ▼
 *     │ all replicas alive: it takes over the calls     │ replaced, killed
 *     ▼                      ▼                          ▼ (STARTING too)
 *   GATHERING ◀─────────────────                     DRAINING ──no Runner left──▶ STOPPED, freed
 *     │  ▲  all replicas alive,    replaced, killed     ▲  │
 *     │  │  routes drafted         (all three)          │  │ wanted again: STARTING
 *     ▼  │ a replica died   ┌───────────────────────────┘  ▼
 *   ROUTING ──published──▶ LIVE ◀── loaded as active
 *                           └──▶ GATHERING: scaled up
 *
 * While the next deployment of a module is STARTING or FAILING the active one keeps its calls. A replica that dies is
 * replaced; each time in a row that takes longer.
 */
#pragma once

#include "control/model.h"

/* --- queries ------------------------------------------------------------------------------------------------------ */

const char *deployment_state_name(enum deployment_state state);
/* The state that the store keeps and people see. */
enum deployment_state deployment_state(const struct deployment *deployment);
bool deployment_is_wanted(const struct deployment *deployment); /* active or next */
unsigned deployment_wanted(const struct deployment *deployment); /* replicas, of one that is active or next */
unsigned deployment_assigned(const struct deployment *deployment); /* Runners that host it or are about to */
/* When time alone changes something: its limit, its next attempt. UINT64_MAX: never. */
uint64_t deployment_due(const struct control *control, const struct deployment *deployment);

/* --- telling ------------------------------------------------------------------------------------------------------ */

void deployment_tell(struct control *control, const struct deployment *deployment, enum event_kind kind,
		     const char *format, ...) PRINTF_LIKE(4, 5);
/* The state of the deployment, what is wanted of the module, or both; NULL: that did not change. */
void deployment_save(struct control *control, const struct deployment *deployment, const struct module *module);

/* --- changes of state --------------------------------------------------------------------------------------------- */

/* Aborts on a transition that the diagram lacks. */
void deployment_set_phase(struct control *control, struct deployment *deployment, enum deployment_phase phase);
/* Why it is in its phase, and since when. */
void deployment_set_detail(struct control *control, struct deployment *deployment, const char *detail);

/* Makes it the next deployment of its module. kind: EVENT_DEPLOYMENT_CREATED or EVENT_DEPLOYMENT_ROLLED_BACK; text
 * tells whether it is new. */
void deployment_start(struct control *control, struct deployment *deployment, enum event_kind kind, const char *text);
/* Puts a deployment out of service that its module does not name any more. Reconciliation drains its Runners. */
void deployment_wind_down(struct control *control, struct deployment *deployment, const char *why);
void deployment_fail(struct control *control, struct deployment *deployment, const struct cause *cause);
/* Frees a deployment without Runners, after it is STOPPED unless it failed. No other function frees one. */
void deployment_release(struct control *control, struct deployment *deployment);
/* The next deployment of the module takes over from the active one. */
void deployment_take_over(struct control *control, struct module *module);

/* More replicas are wanted of an active one: it is told to be live when all are alive and in the routes of every
 * worker. Returns whether they are already. */
bool deployment_gather(struct control *control, struct deployment *deployment);
/* The routes that hold the replicas of an active one were drafted as version. */
void deployment_drafted(struct control *control, struct deployment *deployment, uint64_t version);
/* Every worker has the routes of version. */
void deployment_published(struct control *control, struct deployment *deployment, uint64_t version);

/* --- its replicas ------------------------------------------------------------------------------------------------- */

/* deployment->alive counts it already. */
void deployment_replica_up(struct control *control, struct deployment *deployment, uint64_t fetch_us,
			   uint64_t start_us);
/* The next deployment's program did not come up. runner hosts it no longer. */
void deployment_replica_failed(struct control *control, struct deployment *deployment, const struct runner *runner,
			       const struct cause *said);
/* A replica is gone: a Runner was lost, or the program of an active deployment ended. */
void deployment_replica_lost(struct control *control, struct deployment *deployment, const struct cause *cause);
/* A Runner could not take it, as it has something else to do: another is looked for. */
void deployment_refused(struct control *control, struct deployment *deployment, const char *why);

/* Acts if its limit has passed. */
void deployment_tick(struct control *control, struct deployment *deployment);
