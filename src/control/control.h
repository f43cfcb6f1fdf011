/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control side: which Runners there are, what each hosts, and which deployment of a module takes its calls.
 *
 * It does no I/O. Events come in by the functions below; effects go out by struct effects, whose functions return at
 * once and whose results come back as later events. Time is passed in by control_advance before each event, and
 * randomness by the outside. So the whole of it runs in a simulator, and a run can be repeated.
 *
 * It owns all runners, deployments and modules. What it lends (in effects and queries) is valid until the next event.
 */
#pragma once

#include "base/error.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/random.h"
#include "store/store.h"

struct packed_schema;

/*
 * A Runner, as the Backplane sees it. "gone" is no state: the record is freed.
 *
 *             create                register               pong
 *   (none) ───────────▶ CREATING ─────────────▶ PROBING ──────────▶ IDLE ◀──────────────┐
 *      │                   │                     ▲  │ │               │ assign           │ ended
 *      │ register          │ limit, exit         │  │ └─hosts one──┐  ▼                  │
 *      └───────────────────┼─────────────────────┘  │              │ DEPLOYING ──failed──┤
 *                          ▼                        │              │  │ alive            │
 *                        gone ◀──no pong, refused───┘              └─▶▼                  │
 *                          ▲                                        ALIVE ──────died─────┤
 *                          │  lost, from every state                  │ drain            │
 *                          └──────────────────────────────────────  DRAINING ────────────┘
 */
enum runner_state {
	RUNNER_CREATING, /* the Platform was asked for it */
	RUNNER_PROBING, /* it registered; it is pinged back before it counts */
	RUNNER_IDLE,
	RUNNER_DEPLOYING, /* told to host a deployment; neither alive nor failed yet */
	RUNNER_ALIVE, /* hosts a deployment that answers */
	RUNNER_DRAINING, /* gets no new calls; finishes those it has, then ends what it hosts */
};

enum { RUNNER_STATE_COUNT = 6, LANGUAGE_MAX = 64 };

/* What tells whether a Runner is there, whatever it hosts. */
struct liveness {
	uint64_t registration; /* its live stream; 0: none */
	enum {
		BROKE_NOT,
		BROKE, /* its stream did, and it has not registered again: pings tell whether it lives */
		BROKE_ALIVE, /* the same, while it was ALIVE, as it has been since */
	} broke;
	enum {
		PING_NONE,
		PING_SENT,
		PING_STALE, /* sent before the stream broke: that it is answered says nothing */
	} ping;
	uint64_t ping_due_ms, ping_sent_ms;
	unsigned pings_missed; /* in a row */
};

struct runner {
	char key[KEY_MAX];
	uint64_t serial; /* of this record: a Runner that comes back with its key is another */
	char language[LANGUAGE_MAX]; /* empty: found, and not registered yet */
	char *endpoint; /* NULL until it registered */
	enum runner_state state;
	int64_t since_wall_ms; /* of the state */
	uint64_t due_ms; /* limit of the state; 0: none */
	bool managed; /* the Platform made it, and can end it */
	struct liveness liveness;
	struct heap_node due; /* in the control's: when it is to be looked at next */
	struct deployment *deployment; /* DEPLOYING, ALIVE, DRAINING */
	uint64_t attempt; /* DEPLOYING, ALIVE: what its reports must name; 0: it was found alive */
	bool asked_again; /* DEPLOYING: as the first order was not answered in time */
	uint64_t ended_attempt; /* the last that it said has ended */
	uint64_t alive_since_ms;
	struct list in_deployment;
	struct list in_control; /* in the order of arrival */
	char claimed[KEY_MAX]; /* PROBING, DRAINING: the deployment that it says it hosts */
	uint64_t drain_version; /* DRAINING: told to end once the routes of this version are out; 0: told */
	uint64_t fetch_us, start_us;
};

struct deployment {
	char key[KEY_MAX];
	struct module *module;
	char language[LANGUAGE_MAX];
	struct digest identity;
	struct packed_schema *schema;
	enum deployment_state state;
	char *detail; /* why it is in this state */
	int64_t since_wall_ms;
	struct list runners;
	struct list in_ending; /* not wanted any more */
	unsigned alive;
	unsigned failures; /* in a row */
	uint64_t retry_due_ms; /* no new attempt before */
	uint64_t due_ms; /* STARTING: limit of the state */
	struct failing {
		unsigned replicas; /* that did not come up */
		uint64_t due_ms; /* the others on their way have so long to tell how they do; 0: it does not fail */
		char *why; /* what the first one said; NULL: none */
	} failing; /* STARTING */
	bool uses_language; /* it counts among the users of its language */
	bool from_store; /* loaded at the start */
	bool awaited; /* its Runners of before that may still come back */
	bool coming_live; /* it takes the calls, and is told to be live once all its replicas are in the routes */
	uint64_t live_version; /* coming_live: of the routes that have them all; 0: some are not alive */
	uint64_t fetch_us, start_us; /* of the replica that came up last */
};

/* What is left to tell of a deployment that is gone. */
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
	struct deployment *next; /* being brought up to replace it */
	unsigned replicas;
	unsigned next_replicas; /* of the next one; 0: as many. The active one keeps its number until it is replaced */
	char *failure; /* why the last deployment did not come up; NULL: it did */
	struct ended failed; /* the last that did not come up, unless one was wanted since */
	struct ended stopped; /* the last that ran */
	struct list in_dirty; /* its routes changed */
	struct list in_unreconciled;
	struct list in_control;
};

struct control_config {
	unsigned warm; /* idle Runners kept for each language in use */
	uint64_t create_timeout_ms; /* from the Platform's word to the registration */
	/* Within this time of its silence a Runner is given up: a third of it lies between two pings, and a ping that
	 * is not answered within a third is missed; the second that is missed in a row is the last. */
	uint64_t silence_ms;
	uint64_t deploy_timeout_ms; /* from Deploy to Deployed */
	uint64_t drain_timeout_ms;
	uint64_t kill_timeout_ms; /* beyond the drain, until the Platform ends it */
	uint64_t idle_timeout_ms; /* an idle Runner that nothing needs for this long is ended */
	uint64_t adopt_timeout_ms; /* after a start: how long Runners of the Backplane before are waited for */
	unsigned attempts_max; /* Runners that a new deployment may lose before it counts as failed */
	uint64_t retry_max_ms; /* between two attempts, however often it failed before */
	uint64_t stable_ms; /* a replica that was alive for this long does not count as failed again */
};

extern const struct control_config control_config_default;

/* Why something ended or failed, and the last lines that it wrote; there may be none. */
struct cause {
	const char *why;
	const char *const *lines;
	size_t line_count;
};

/* What happened, and why: told of every change of state of a Runner or a deployment, before anything that follows from
 * it. Runners that host a deployment, and deployments, name it. */
struct control_event {
	enum event_kind kind;
	const struct deployment *deployment; /* or NULL */
	const struct runner *runner; /* or NULL */
	struct cause cause;
	uint64_t retry_in_ms; /* EVENT_DEPLOYMENT_BACKING_OFF, and Runners that cannot be had: the next try; 0: none */
};

/* The outside world: one of the three seams. Everything is borrowed during the call. */
struct effects {
	const struct effects_ops *ops;
};

struct effects_ops {
	uint64_t (*random)(struct effects *effects);
	int64_t (*wall_ms)(struct effects *effects);

	/* The Platform. control_runner_exited follows when it fails, or whenever it ends. */
	void (*create_runner)(struct effects *effects, const char *runner_key, const char *language);
	/* Ends it without asking, if it is still there. */
	void (*destroy_runner)(struct effects *effects, const char *runner_key);

	/* Runners. control_pinged, control_deploy_answered. */
	void (*ping_runner)(struct effects *effects, const struct runner *runner, uint64_t timeout_ms);
	void (*deploy)(struct effects *effects, const struct runner *runner, const struct deployment *deployment);
	/* deployment_key NULL: the Runner itself. control_deployed with an error, or control_runner_exited follows. */
	void (*terminate)(struct effects *effects, const struct runner *runner, const char *deployment_key,
			  uint64_t grace_ms);
	/* The Runner is no longer in the books: connections to it may go. */
	void (*forget_runner)(struct effects *effects, const struct runner *runner);

	/* Registrations: exactly one of the two, or none when the stream is lost before. */
	void (*accept)(struct effects *effects, uint64_t registration, const struct runner *runner);
	void (*refuse)(struct effects *effects, uint64_t registration, const struct error *why);

	/* Stores what changed. Retried by the outside until it is done. */
	void (*save)(struct effects *effects, const struct store_change *change);

	/* Routes changed: each module in turn, then the version. control_published follows. */
	void (*route)(struct effects *effects, const struct module *module);
	void (*publish)(struct effects *effects, uint64_t version);

	void (*event)(struct effects *effects, const struct control_event *event);

	/* After control_shut_down: nothing that the Platform made is left. */
	void (*all_gone)(struct effects *effects);
};

struct control {
	struct control_config config;
	struct effects *effects;
	uint64_t now_ms;
	/* Maps to find one, lists to walk them in an order that a second run repeats. */
	struct map runners; /* by key */
	struct map platform_keys; /* of Runners that the Platform was asked for or found, until it tells their end */
	struct list all_runners;
	struct heap due_runners; /* by due */
	struct map deployments; /* by key: those that are wanted or still end */
	struct map modules; /* by name */
	struct list all_modules;
	struct map languages; /* by name */
	struct list all_languages;
	struct list dirty; /* modules whose routes changed */
	/* Modules that are not, or may not be, as wanted: none other is looked at after an event. */
	struct list unreconciled;
	struct list ending; /* deployments that are freed once no Runner hosts them */
	uint64_t serial; /* of the last Runner's record */
	uint64_t attempt; /* the last one */
	uint64_t version; /* of the routes */
	uint64_t version_out; /* that all workers have */
	uint64_t adopt_until_ms; /* no new Runner replaces one that may still come back */
	uint64_t reconcile_due_ms; /* time itself may change what is to be done */
	bool needs_reconcile; /* something changed: what is wanted and what is there are to be compared */
	bool shutting_down;
	bool told_all_gone;
};

/* The Platform's side of a language. */
struct language {
	char name[LANGUAGE_MAX];
	unsigned failures; /* of the Platform or of young Runners, in a row */
	uint64_t retry_due_ms;
	char problem[256]; /* why Runners cannot be had; empty: they can */
	struct list in_control;
	unsigned users; /* deployments of it that are to run */
	/* While settling: */
	unsigned missing; /* Runners that deployments wait for */
	bool exhausted; /* no idle Runner is left */
};

void control_init(struct control *control, const struct control_config *config, struct effects *effects,
		  uint64_t now_ms);
void control_deinit(struct control *control);

/* Sets the time of the events that follow. */
void control_advance(struct control *control, uint64_t now_ms);

/* Does what is due, and says when something is due next (UINT64_MAX: nothing). */
uint64_t control_tick(struct control *control);

/* A language is part of a Runner's key, and with it of file names, and of command lines. */
int language_check(struct str language, struct error *err);

/* --- events ------------------------------------------------------------------------------------------------------- */

/* At the start, once for each deployment in the store that is wanted. `active` tells which of its module it is. */
void control_load(struct control *control, const struct deployment_record *record, const struct module_record *wanted,
		  bool active);

/* The same for a module of which nothing is wanted. failure: why its last deployment did not come up, or empty. */
void control_load_module(struct control *control, const char *name, uint32_t replicas, const char *failure);

/* For each module after that: the newest of its deployments, if it failed or was stopped. */
void control_load_ended(struct control *control, const struct deployment_record *record);

/* The Platform has a Runner that an earlier Backplane asked for. Mostly told at the start; later when an order of that
 * Backplane took long. The Runner has `silence_ms` to register. */
void control_found(struct control *control, const char *runner_key);
/* One of those was told to end by the Backplane before us, and has so long to finish its calls. */
void control_found_draining(struct control *control, const char *runner_key, uint64_t left_ms);

/* All has been loaded: from now on Runners of the Backplane before us are waited for. */
void control_begin(struct control *control, uint64_t now_ms);

/* A deployment is in the store, by a client's wish: a new one, or one that is wanted again. */
void control_deployment_created(struct control *control, const struct deployment_record *record, uint32_t replicas);

/* The same for an earlier deployment of a module that is to run again. */
void control_rolled_back(struct control *control, const struct deployment_record *record);

/* Ends what runs of a module. ret_key is the deployment that ends, or empty. */
void control_kill(struct control *control, struct str module, char ret_key[KEY_MAX]);

/* So many copies of a module from now on; 0 stops it but keeps it. -1: there is no such module, or nothing of it is
 * wanted. */
int control_scale(struct control *control, struct str module, uint32_t replicas, struct error *err);

struct registration {
	uint64_t id;
	struct str language, endpoint, runner_key, deployment_key;
};

void control_register(struct control *control, const struct registration *registration);
/* The stream ended. half_closed: by its client's half close, after which pings alone tell whether the Runner lives. */
void control_registration_ended(struct control *control, uint64_t registration, bool half_closed);

/* serial: of the Runner's record that was pinged, or told to deploy. */
void control_pinged(struct control *control, const char *runner_key, uint64_t serial, const struct error *err);
void control_deploy_answered(struct control *control, const char *runner_key, uint64_t serial, uint64_t attempt,
			     const struct error *err);

struct deployed {
	const char *runner_key, *deployment_key;
	uint64_t attempt; /* that it speaks of; 0: the Runner knows of none */
	struct cause end; /* "": it is alive */
	bool runner_fault; /* another attempt may succeed */
	uint64_t fetch_us, start_us;
};

/* -1 when the Runner does not host that deployment as far as we know; it should end it. */
int control_deployed(struct control *control, const struct deployed *deployed, struct error *err);

/* A Runner that the Platform was asked for is on its way: "pulls the image". */
void control_runner_progress(struct control *control, const char *runner_key, const char *text);
/* The Platform has the Runner no longer, or could not make it. Told once for each that it was asked for or found. */
void control_runner_exited(struct control *control, const char *runner_key, const struct cause *cause);
void control_published(struct control *control, uint64_t version);
void control_shut_down(struct control *control);

/* --- queries ------------------------------------------------------------------------------------------------------ */

const char *runner_state_name(enum runner_state state);
const char *deployment_state_name(enum deployment_state state);
const struct module *control_module(const struct control *control, struct str name);
const struct deployment *control_deployment(const struct control *control, struct str key);
/* Whether the Platform was asked for the Runner or found it, and has not told its end. */
bool control_is_of_platform(const struct control *control, struct str runner_key);
unsigned deployment_wanted(const struct deployment *deployment); /* copies of one that is active or next */

/* Nothing of it is alive, and something is about to be: it was there before, and no failure stands against it but that
 * it died just now. Calls may wait for it. */
bool control_module_is_awaited(const struct control *control, const struct module *module);

/* Why no call reaches a module just now, in plain words. */
void control_module_problem(const struct control *control, const struct module *module, char *ret_text, size_t size);
