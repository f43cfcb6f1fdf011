/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books of the control side: Runners, deployments, modules and languages, and what marks them for reconciliation.
 *
 * struct control owns all of them. What is lent out of it is valid until the next event. The states of Runners and
 * deployments are set in runner.c, deployment.c and liveness.c alone.
 */
#pragma once

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/random.h"
#include "control/effects.h"

struct packed_schema;

enum { LANGUAGE_MAX = 64, REPLICAS_MAX = 100 /* of one module */ };

/* --- Runners ------------------------------------------------------------------------------------------------------ */

/* The machine is in runner.h. */
enum runner_state {
	RUNNER_FOUND, /* the Platform found it at the start; it may register with this Backplane */
	RUNNER_CREATING, /* the Platform was asked for it */
	RUNNER_PROBING, /* it registered; it is pinged before it counts */
	RUNNER_CLAIMING, /* it says that it hosts runner->claimed; never between two events */
	RUNNER_IDLE, /* it hosts nothing */
	RUNNER_DEPLOYING, /* it was told to host a deployment; neither alive nor failed yet */
	RUNNER_ALIVE, /* it hosts a deployment that answers */
	RUNNER_DRAINING, /* no new calls are to reach it; it is told to end once no worker has a route to it */
	RUNNER_ENDING, /* it was told to end: it finishes its calls, and its report or its exit is awaited */
};

enum { RUNNER_STATE_COUNT = 9 };

/* The stream by which a Runner registered; the machine is in liveness.h. */
enum registration_state {
	REGISTRATION_NONE, /* it has not registered with this Backplane */
	REGISTRATION_OPEN,
	REGISTRATION_CLOSED, /* in order: by a half close, or by a Runner that was told to end */
	REGISTRATION_BROKEN, /* the Runner may live, or not */
};

/* The machine is in liveness.h. */
enum ping_state {
	PING_WAITING, /* the next is sent at ping_due_ms */
	PING_SENT,
	PING_STALE, /* sent before the stream broke, so that an answer to it says nothing */
};

/* Whether a Runner lives, whatever it hosts. */
struct liveness {
	enum registration_state state;
	uint64_t registration; /* REGISTRATION_OPEN: its stream; else 0 */
	uint64_t broke_at_change; /* REGISTRATION_BROKEN: runner->changes at that time */
	enum ping_state ping;
	uint64_t ping_due_ms; /* PING_WAITING; UINT64_MAX: none is due */
	uint64_t ping_sent_ms;
	unsigned pings_missed; /* in a row */
	char trouble[160]; /* ALIVE: why calls of what it hosts may go unanswered, as it says; "": it knows no reason */
};

struct runner {
	char key[KEY_MAX];
	uint64_t serial; /* of this record: a Runner that comes back with its key has another */
	char language[LANGUAGE_MAX]; /* empty: FOUND, and ENDING since then */
	char *endpoint; /* NULL: it has not registered */
	bool managed; /* the Platform has it and can end it; else a person started it */
	bool asked; /* this Backplane asked the Platform for it */

	enum runner_state state;
	uint64_t changes; /* of its state, so far */
	int64_t since_wall_ms; /* of the state that people see */
	uint64_t due_ms; /* limit of the state; 0: none */
	struct heap_node due; /* in control->time.due_runners: its limit or its next ping */
	struct liveness liveness;

	struct deployment *deployment; /* DEPLOYING, ALIVE, and DRAINING, ENDING until it has ended */
	char claimed[KEY_MAX]; /* PROBING, CLAIMING, DRAINING, ENDING: the deployment that it says it hosts */
	uint64_t attempt; /* what reports on its deployment must name; 0: it was taken on as it was */
	unsigned orders; /* DEPLOYING: so many were sent */
	uint64_t ended_attempt; /* the last that it reported as ended */
	uint64_t alive_since_ms; /* ALIVE, and afterwards until it has ended */
	uint64_t drain_version; /* DRAINING: the first version of the routes without it; 0: it hosts nothing any more */

	struct list in_control; /* control->books.all_runners, in the order of arrival */
	struct list in_deployment; /* deployment->runners */
	struct list in_marked; /* control->marks.runners: CLAIMING, DRAINING */
};

/* --- deployments and modules -------------------------------------------------------------------------------------- */

/* The machine is in deployment.h. deployment_state() maps it to what the store keeps and people see. */
enum deployment_phase {
	PHASE_NEW, /* never between two events */
	/* The next deployment of its module: */
	PHASE_STARTING,
	PHASE_FAILING, /* a replica did not come up; the others have a moment to say how they do */
	/* The active one, which takes the calls: */
	PHASE_GATHERING, /* some of its replicas are not alive, or not in the routes */
	PHASE_ROUTING, /* all are in the routes of ready_version, which are on their way to the workers */
	PHASE_LIVE, /* it was told to be live */
	/* Not wanted: */
	PHASE_DRAINING,
	PHASE_STOPPED,
	PHASE_FAILED,
};

enum { PHASE_COUNT = 9 };

/* The schema of another module that a deployment was checked against when it was created. */
struct need {
	char *module;
	char key[KEY_MAX]; /* of the deployment that had it */
	struct packed_schema *schema;
};

struct deployment {
	char key[KEY_MAX];
	struct module *module;
	char language[LANGUAGE_MAX];
	struct packed_schema *schema;
	struct need *needs; /* one for each module that its schema names, as far as they are known */
	size_t need_count;
	bool loaded; /* at the start: Runners of the Backplane before may host it */

	enum deployment_phase phase;
	char *detail; /* why it is in this phase */
	int64_t since_wall_ms; /* of the detail */
	uint64_t due_ms; /* STARTING, FAILING: limit of the phase; else 0 */
	uint64_t started_at_serial; /* STARTING: Runners with larger ones were asked for while it waited */
	unsigned runners_failed; /* STARTING: of those, so many never counted */
	uint64_t ready_version; /* ROUTING */

	struct list runners;
	unsigned alive; /* of them */
	unsigned failures; /* in a row */
	uint64_t retry_due_ms; /* no new attempt before */
	char *last_failure; /* why a replica failed or was lost the last time; NULL: none was */
	struct { /* FAILING; else zero */
		unsigned replicas; /* that failed */
		char *first; /* what the first of those said */
	} failing;
	uint64_t fetch_us, start_us; /* of the replica that came up last */

	struct list in_ending; /* control->marks.ending: DRAINING, STOPPED, FAILED */
	struct list in_language; /* language->deployments: some of its replicas are to run */
};

/* Summary kept for status after the record is freed. */
struct ended {
	char key[KEY_MAX]; /* empty: there is none */
	char language[LANGUAGE_MAX];
	enum deployment_state state;
	char *detail;
	int64_t since_wall_ms;
};

struct module {
	char *name;
	struct deployment *active; /* takes the calls */
	struct deployment *next; /* is being brought up to replace it */
	unsigned replicas; /* of the active one; of the next one too while next_replicas is 0 */
	unsigned next_replicas; /* of the next one alone, so that nothing changes if it fails */
	int64_t active_wall_ms; /* when the active one took over; 0: there is none */
	uint64_t active_origin, next_origin; /* struct history_entry; 0: no rollback brought it */
	char *failure; /* why the last deployment failed; NULL: it did not */
	struct ended failed; /* the last that failed, unless a deployment was wanted since */
	struct ended stopped; /* the last that was stopped */
	struct list in_dirty; /* control->routes.dirty */
	struct list in_unreconciled; /* control->marks.unreconciled */
	struct list in_control;
};

/* The Platform's side of a language. */
struct language {
	char name[LANGUAGE_MAX];
	unsigned failures; /* of Runners that were asked for and never counted, in a row */
	uint64_t retry_due_ms; /* no new Runner is asked for before */
	char problem[256]; /* why Runners cannot be had; empty: they can */
	struct list deployments; /* some replicas of each are to run */
	struct list in_control;
	struct { /* one pass of reconciliation */
		unsigned missing; /* Runners that deployments wait for */
		bool exhausted; /* no idle Runner is left */
	} pass;
};

/* --- the whole ---------------------------------------------------------------------------------------------------- */

struct control_config {
	unsigned warm; /* idle Runners kept for each language in use */
	uint64_t create_timeout_ms; /* from create to the registration */
	/* A Runner that falls silent is given up within this time: pings are sent each third of it, one that is not
	 * answered within a third is missed, and the second missed in a row is the last. */
	uint64_t silence_ms;
	uint64_t deploy_timeout_ms; /* from Deploy to Deployed */
	uint64_t drain_timeout_ms; /* for the calls of a Runner that was told to end */
	uint64_t kill_timeout_ms; /* after that, until the Platform kills it */
	uint64_t idle_timeout_ms; /* a surplus Runner is ended when it was idle for so long */
	uint64_t adopt_timeout_ms; /* after the start: Runners of the Backplane before may still register */
	unsigned attempts_max; /* Runners that a new deployment may lose, or never get, before it fails */
	uint64_t retry_max_ms; /* between two attempts, however many failed before */
	uint64_t stable_ms; /* a replica that was alive for so long begins its count of failures anew */
};

extern const struct control_config control_config_default;

/* LOADING ──▶ RUNNING ──▶ STOPPING ──▶ STOPPED; LOADING ──▶ STOPPING */
enum control_state {
	CONTROL_LOADING, /* until control_begin; nothing is reconciled */
	CONTROL_RUNNING,
	CONTROL_STOPPING, /* all managed Runners are told to end */
	CONTROL_STOPPED, /* none is left, and all_gone was told */
};

enum { CONTROL_STATE_COUNT = 4 };

struct control {
	struct control_config config;
	struct effects *effects;
	enum control_state state;
	struct {
		uint64_t now_ms;
		uint64_t adopt_until_ms; /* until then a loaded deployment waits for its Runners */
		uint64_t reconcile_due_ms; /* when time alone changes what reconciliation does */
		struct heap due_runners; /* of struct runner, by due */
	} time;
	/* Maps find a record; lists walk them in an order that a second run repeats. */
	struct {
		struct map runners, deployments, modules, languages; /* by key, key, name, name */
		struct map needed; /* struct needed_schema by the key of its deployment, while a need has it */
		/* Keys of Runners that the Platform was asked for or found, until it tells their end. */
		struct map platform_keys;
		struct list all_runners, all_modules, all_languages;
		uint64_t serial; /* of the last Runner's record */
		uint64_t attempt; /* the last */
	} books;
	struct {
		struct list dirty; /* modules whose routes changed since the last version */
		uint64_t version; /* the last that was given to the workers */
		uint64_t published; /* the last that all workers have */
	} routes;
	/* Records that are, or may be, not as wanted. Reconciliation looks at no others. */
	struct {
		bool needs_reconcile;
		struct list unreconciled; /* modules */
		struct list runners; /* CLAIMING, DRAINING */
		struct list ending; /* deployments that are freed once they have no Runner */
	} marks;
};

void control_init(struct control *control, const struct control_config *config, struct effects *effects,
		  uint64_t now_ms);
void control_deinit(struct control *control);
/* Aborts on a transition that the diagram lacks. Queues reconciliation. */
void control_set_state(struct control *control, enum control_state state);

/* --- finding and adding ------------------------------------------------------------------------------------------- */

struct runner *runner_find(const struct control *control, const char *key);
void runner_free(struct runner *runner);
struct runner *runner_find_by_endpoint(const struct control *control, struct str endpoint);
struct runner *runner_find_by_registration(const struct control *control, uint64_t registration);
struct runner *runner_find_idle(const struct control *control, const char *language);
/* The module's row for the store. Its texts are borrowed. */
struct module_record module_row(const struct module *module);
struct module *module_find_or_add(struct control *control, const char *name);
struct language *language_find_or_add(struct control *control, const char *name);
/* A new one is PHASE_NEW. */
struct deployment *deployment_find_or_add(struct control *control, const struct deployment_record *record);
void deployment_free(struct control *control, struct deployment *deployment);

void ended_set(struct ended *ended, const char *key, const char *language, enum deployment_state state,
	       const char *detail, int64_t since_wall_ms);
void ended_clear(struct ended *ended);

/* --- marks -------------------------------------------------------------------------------------------------------- */

/* Queues reconciliation of the module: what it has, or what is wanted of it, changed. */
void module_mark_unreconciled(struct control *control, struct module *module);
/* Marks the routes dirty and queues reconciliation. */
void module_mark_dirty(struct control *control, struct module *module);
/* The version that the dirty routes will have; the last one if none is dirty. */
uint64_t routes_drafted_version(const struct control *control);
