/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control side: which Runners there are, what each hosts, and which deployment of a module takes its calls.
 *
 * It does no I/O. Events come in by the functions below: each records what happened, as states of Runners and
 * deployments, and then reconciles (reconcile.h), which decides. Effects go out by struct effects (effects.h). Time is
 * passed in by control_advance before each event, and randomness by the effects, so that the whole of it runs in a
 * simulator and a run can be repeated.
 *
 *   control → reconcile, liveness → runner → deployment → model      each uses those to its right, and effects.h
 */
#pragma once

#include "control/deployment.h"
#include "control/liveness.h"
#include "control/model.h"
#include "control/problem.h"
#include "control/runner.h"

/* Sets the time of the events that follow. */
void control_advance(struct control *control, uint64_t now_ms);

/* Does what is due. Returns when something is due next (UINT64_MAX: nothing). To be called after each event. */
uint64_t control_tick(struct control *control);

/* --- events at the start ------------------------------------------------------------------------------------------ */

/* Once for each deployment in the store that is wanted. `active` tells which one of its module it is. */
void control_load(struct control *control, const struct deployment_record *record, const struct module_record *wanted,
		  bool active);
/* Once for each module of which nothing is wanted. failure: why its last deployment failed, or empty. */
void control_load_module(struct control *control, const char *name, uint32_t replicas, const char *failure);
/* Then once for each module: the newest of its deployments, which is noted if it failed or was stopped. */
void control_load_ended(struct control *control, const struct deployment_record *record);

/* The Platform has a Runner that an earlier Backplane asked for. Mostly told at the start; later when an order of that
 * Backplane took long. The Runner has silence_ms to register: a surviving one reconnects at once. */
void control_found(struct control *control, const char *runner_key);
/* The Backplane before told that Runner to end, and it has left_ms to finish its calls. */
void control_found_draining(struct control *control, const char *runner_key, uint64_t left_ms);

/* All is loaded: the limits of what was found begin now, as until here it could register with nobody. */
void control_begin(struct control *control, uint64_t now_ms);

/* --- events: what clients wish ------------------------------------------------------------------------------------ */

/* A new deployment is in the store and wanted. replicas 0: none were named. */
void control_deployment_created(struct control *control, const struct deployment_record *record, uint32_t replicas);
/* The same of one that was in the store before, whether it runs or not. */
void control_deployed_again(struct control *control, const struct deployment_record *record, uint32_t replicas);
/* An earlier deployment of its module is wanted again. origin: of the life that it returns to; 0: it had none. */
void control_rolled_back(struct control *control, const struct deployment_record *record, uint64_t origin);
/* The module is to run no deployment any more. ret_key is the deployment that ends, or empty. */
void control_kill(struct control *control, struct str module, char ret_key[KEY_MAX]);
/* The module is to run in so many replicas; 0 stops them and keeps the module. NotFound: there is no such module.
 * FailedPrecondition: the module has no deployment that is wanted. */
int control_scale(struct control *control, struct str module, uint32_t replicas, struct error *err);

/* --- events: Runners ---------------------------------------------------------------------------------------------- */

void control_register(struct control *control, const struct registration *registration);
void control_registration_ended(struct control *control, uint64_t registration, bool half_closed);
/* A Runner that the Platform was asked for is on its way: "pulls the image". */
void control_runner_progress(struct control *control, const char *runner_key, const char *text);
/* The Platform has the Runner no longer, or could not make it. Told once for each that it was asked for or found. */
void control_runner_exited(struct control *control, const char *runner_key, const struct cause *cause);

/* A Runner said, in its answer to a ping, why calls of what it hosts may go unanswered; "": it knows no reason. */
void control_runner_trouble(struct control *control, const char *runner_key, uint64_t serial, const char *trouble);

/* Answers. serial: of the record of the Runner that was pinged, or told to deploy. err NULL: it succeeded. */
void control_pinged(struct control *control, const char *runner_key, uint64_t serial, const struct error *err);
void control_deploy_answered(struct control *control, const char *runner_key, uint64_t serial, uint64_t attempt,
			     const struct error *err);

struct deployed {
	const char *runner_key, *deployment_key;
	uint64_t attempt; /* that the report is about; 0: the Runner knows of none */
	struct cause end; /* "": the deployment is alive */
	bool runner_fault; /* the deployment is not to blame: another attempt may succeed */
	uint64_t fetch_us, start_us;
};

/* A Runner reports on what it hosts. NotFound: the Runner is to register first. Unavailable: it is to report again.
 * FailedPrecondition: it was not given that deployment, and is to end it. */
int control_deployed(struct control *control, const struct deployed *deployed, struct error *err);

/* --- events: the rest --------------------------------------------------------------------------------------------- */

/* Every worker has the routes of that version. */
void control_published(struct control *control, uint64_t version);
/* The Backplane stops: managed Runners are told to end, then all_gone is told. */
void control_shut_down(struct control *control);

/* --- queries ------------------------------------------------------------------------------------------------------ */

const struct module *control_module(const struct control *control, struct str name); /* NULL: there is none */
const struct deployment *control_deployment(const struct control *control, struct str key);
/* Whether the Platform was asked for the Runner or found it, and has not told its end. */
bool control_is_of_platform(const struct control *control, struct str runner_key);
