/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the control side share: control.c compares what is wanted with what is there, control_runner.c and
 * control_deployment.c hold the two state machines, control_contact.c knows which Runners are there at all.
 */
#pragma once

#include "control/control.h"

/* --- control.c ---------------------------------------------------------------------------------------------------- */

/* To be called at the end of every event. */
void control_reconcile(struct control *control);

/* It is to be looked at: what is there of it, or what is wanted, changed. */
void module_mark_unreconciled(struct control *control, struct module *module);
/* So did its routes. */
void module_mark_dirty(struct control *control, struct module *module);
struct module *module_find_or_add(struct control *control, const char *name);
struct language *language_find_or_add(struct control *control, const char *name);

/* --- control_runner.c --------------------------------------------------------------------------------------------- */

struct runner *runner_find(const struct control *control, const char *key);
struct runner *runner_find_idle(const struct control *control, const char *language);
/* The Platform found it after a start, and it has not registered yet. */
bool runner_was_found(const struct runner *runner);
/* Asks the Platform for one. */
void runner_create(struct control *control, const char *language);
/* The text of the event is the cause. */
void runner_set_state(struct control *control, struct runner *runner, enum runner_state state, uint64_t limit_ms,
		      const char *format, ...) PRINTF_LIKE(5, 6);
/* IDLE → DEPLOYING */
void runner_assign(struct control *control, struct runner *runner, struct deployment *deployment);
/* DEPLOYING, ALIVE → DRAINING; IDLE → gone. */
void runner_drain(struct control *control, struct runner *runner, const char *why);
/* Tells it to end what it hosts, now that no call is routed to it. */
void runner_end(struct control *control, struct runner *runner, uint64_t grace_ms);
/* The same as soon as that is so: until then a worker may have a route to it, also one of an earlier time that it
 * hosted the same deployment. */
void runner_end_unrouted(struct control *control, struct runner *runner, uint64_t grace_ms);
/* To be called when its limit, its state or its next ping has changed. */
void runner_reschedule(struct control *control, struct runner *runner);
/* Tells of it as an event. */
void runner_tell(struct control *control, const struct runner *runner, enum event_kind kind, uint64_t retry_in_ms,
		 const char *text);
/* A new record, in that state. */
struct runner *runner_add(struct control *control, const char *key, const char *language, bool managed,
			  enum runner_state state, uint64_t limit_ms);
/* It is gone. */
void runner_lose(struct control *control, struct runner *runner, const struct cause *cause);
/* It may still be there, and is of no use. */
void runner_give_up(struct control *control, struct runner *runner, const char *why);
/* Takes it off its deployment, whose alive count and routes follow. */
void runner_detach(struct control *control, struct runner *runner);
/* Frees the record; the Platform ends what is left of it. What became of it has been told. */
void runner_remove(struct control *control, struct runner *runner);
/* The limit of its state is so much later. */
void runner_postpone(struct control *control, struct runner *runner, uint64_t by_ms);
/* The time that it was due at has come: it may be gone afterwards. */
void runner_tick(struct control *control, struct runner *runner);
/* It hosts runner->claimed, a deployment of the Backplane before us or of before its connection broke: PROBING, IDLE →
 * ALIVE or DRAINING. */
void runner_adopt(struct control *control, struct runner *runner);

/* --- control_contact.c -------------------------------------------------------------------------------------------- */

void runner_ping(struct control *control, struct runner *runner);

/* --- control_deployment.c ----------------------------------------------------------------------------------------- */

/* Runners that host it or are about to. */
unsigned deployment_assigned(const struct deployment *deployment);
bool deployment_is_wanted(const struct deployment *deployment);
void deployment_tell(struct control *control, const struct deployment *deployment, enum event_kind kind,
		     const char *format, ...) PRINTF_LIKE(4, 5);
/* STARTING → FAILED */
void deployment_fail(struct control *control, struct deployment *deployment, const struct cause *cause);
/* A Runner of it is gone, through no fault of the deployment. */
void deployment_lost_runner(struct control *control, struct deployment *deployment, const struct cause *cause);
/* A Runner would not take it, as it has something else to do: another is looked for. */
void deployment_refused(struct control *control, struct deployment *deployment, const char *why);
/* A Runner says that it is alive: on the way to LIVE. */
void deployment_gained_runner(struct control *control, struct deployment *deployment, struct runner *runner);
/* The module's next deployment takes over from the active one. */
void deployment_switch(struct control *control, struct module *module);
/* Whether it counts among those that its language is kept warm for. */
void deployment_use_language(struct control *control, struct deployment *deployment, bool uses);
/* Frees those that nothing wants and of which nothing is left. Nothing else frees a deployment, so an event may hold on
 * to one until it settles. */
void deployments_release(struct control *control);
void deployment_tick(struct control *control, struct deployment *deployment);
uint64_t deployment_due(const struct control *control, const struct deployment *deployment);
