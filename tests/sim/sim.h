/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real control side of the Backplane and the real agents of the Runners in a simulated world: Platform, store, the
 * workers' routing tables and clients are actors under a virtual clock. Everything that happens is an event in one
 * queue, and all randomness comes from one seed. So two minutes of a system take milliseconds, and a failing seed
 * replays event for event.
 *
 *   sim.c        the clock, randomness, one run from start to end
 *   world.c      the Backplane with its effects: workers, crash and restart
 *   database.c   its store
 *   runners.c    Runners: the real state machines of src/runner with simulated effects
 *   requests.c   requests of the Backplane to Runners
 *   platform.c   the Platform, which starts and ends the processes of Runners
 *   clients.c    deployments, scaling, kills, and calls
 *   faults.c     the faults and their times
 *   check.c      the invariants after each step and at the end
 */
#pragma once

#include "base/arena.h"
#include "control/control.h"
#include "runner/agent.h"
#include "store/write_behind.h"

enum {
	MODULES = 3,
	VERSIONS = 4,
	WORKERS = 2,
	RUNNERS_MAX = 4096, /* in one run, including dead ones */
	ROUTED_MAX = 16,
	OPS_MAX = 512,
	SAVES_MAX = 16384, /* of one process of the Backplane */
	START_MS = 1000000,
	CHAOS_MS = 60000, /* the time in which faults happen */
	SETTLE_MS = 60000, /* the time after the faults, at the end of which everything is as wanted */
	COPIES_MS = 10000, /* the part of SETTLE_MS after which no module runs in more replicas than wanted */
	SILENCE_MAX_MS = 5000, /* the time within which the Backplane gives up a silent Runner */
};

/* A mistake that is planted to show that a check notices it. */
enum plant {
	PLANT_NONE,
	/* The store. */
	PLANT_FORGET_CREATION, /* a creation is acknowledged and not stored */
	PLANT_REORDER_SAVES, /* a failed write is retried after later ones */
	PLANT_STALE_EPOCH, /* a write of a dead Backplane is not refused once another one has acquired the store */
	/* Decisions. */
	PLANT_FORGET_DRAIN, /* reconciliation forgets to drain a deployment that was replaced */
	PLANT_EARLY_SWITCH, /* the next deployment takes over before all its replicas are alive */
	PLANT_EARLY_DRAIN, /* routes without a draining Runner are reported published before the workers have them */
	PLANT_EARLY_LIVE, /* routes to a starting deployment are reported published before the workers have them */
	PLANT_MISCOUNT, /* a deployment counts one replica more than it has */
	PLANT_MISSING_EVENT, /* a change of state has no event */
	/* Routes and calls. */
	PLANT_STALE_ROUTES, /* a worker ignores a routing table */
	PLANT_TWO_ACTIVE, /* routes of a module lead to two deployments */
	PLANT_ROUTE_EARLY, /* a route leads to a replica that is not alive yet */
	PLANT_RUN_TWICE, /* a call that may have run is sent to another replica */
	PLANT_ANSWER_TWICE, /* a call is answered when its Backplane dies, and again */
	/* Runners and the Platform. */
	PLANT_ZOMBIE, /* Runners ignore Terminate */
	PLANT_LEAK, /* the Platform starts a second process for an order */
	PLANT_GHOST_PONG, /* a Runner that hangs answers pings */
	PLANT_FORGETFUL, /* a Runner registers again without the deployment that it hosts */
	PLANT_LOSE_REPORT, /* a Runner sends each report only once, even if the answer is an error */
	PLANT_EAGER, /* a Runner reports alive before its child has answered a ping */
	PLANT_NO_BACKOFF, /* a Runner tries to register again at once, each time */
	/* In runs without faults. */
	PLANT_LINGER, /* a Runner that has no Backplane goes on for ever */
	PLANT_DROP_CALL, /* a Runner loses a call */
	PLANT_FALSE_ALARM, /* a Runner reports that a good deployment does not come up */
	PLANT_COUNT,
};

const char *plant_name(enum plant plant);
/* The check that must notice the plant. */
const char *plant_noticed_by(enum plant plant);

struct sim_options {
	uint64_t seed;
	enum plant plant;
	bool trace;
};

struct sim;
struct event;
typedef void event_function(struct sim *sim, struct event *event);

struct event {
	uint64_t due_ms, sequence;
	event_function *run;
	uint32_t epoch; /* of the Backplane that it belongs to; 0: of none */
	void *subject;
	uint64_t number, other;
	char key[KEY_MAX];
	enum code code;
	bool flag;
};

/* --- rows of the store -------------------------------------------------------------------------------------------- */

struct stored_deployment {
	bool exists;
	enum deployment_state state;
	uint64_t failed_order; /* of its failure in the order of ops; 0: no failure is stored */
};

struct stored_module {
	char active[KEY_MAX], next[KEY_MAX];
	uint32_t replicas, next_replicas;
};

/* A copy of the rows, for the checks. */
struct stored {
	struct stored_deployment deployments[MODULES][VERSIONS];
	struct stored_module modules[MODULES];
	uint64_t sequence; /* of the newest change in the copy */
	uint64_t event_sequence; /* of the newest event */
};

/* --- Runners ------------------------------------------------------------------------------------------------------ */

enum { OPENINGS_KEPT = 32 };

struct sim_runner {
	struct list in_silent;
	struct sim *sim;
	unsigned index;
	char key[KEY_MAX], endpoint[KEY_MAX], language[LANGUAGE_MAX];
	bool managed, running;
	uint64_t hung_until_ms, cut_until_ms, silent_since_ms;
	uint64_t proxy_until_ms; /* accepted registrations are ended at once */
	uint64_t record, record_since_ms; /* serial of the Backplane's record, and when the checks first saw it */

	/* The real state machines, and the state of their simulated effects. */
	struct agent agent;
	struct agent_effects effects;
	uint64_t tick_sequence;
	uint64_t registration; /* the open stream, by the Backplane's id; 0: none */
	uint32_t epoch; /* of the Backplane that the stream leads to */
	char claimed[KEY_MAX]; /* the deployment that the stream claims to host */
	uint64_t opened_ms[OPENINGS_KEPT]; /* when the last streams were opened: a ring */
	uint64_t openings;
	uint64_t orphan_since_ms; /* 0: a Backplane has accepted it */
	uint64_t step; /* number of the last step of the hosted deployment */
	uint32_t generation; /* of the hosted deployment */
	bool ever_alive[MODULES * VERSIONS]; /* on this Runner */
	unsigned calls;
};

/* --- clients ------------------------------------------------------------------------------------------------------ */

enum op_kind { OP_CREATE, OP_ROLLBACK, OP_KILL, OP_SCALE };

/* An operation that a client asked for. */
struct op {
	enum op_kind kind;
	unsigned module, version;
	uint32_t replicas;
	bool applied; /* by the control side */
	bool acknowledged;
	uint64_t order; /* in which the ops were applied */
	uint32_t replicas_before, replicas_after; /* of the active deployment; of the next one if there is one */
	uint64_t event_sequence; /* of the last event that it caused */
	uint32_t epoch;
	struct write_behind_waiter waiter;
	struct sim *sim;
};

struct sim_call {
	struct list link; /* in progress */
	uint64_t number;
	unsigned module, worker, attempts;
	unsigned answers, runs;
	uint32_t epoch;
	bool must_succeed;
	struct sim_runner *runner;
	uint32_t generation;
};

/* --- workers ------------------------------------------------------------------------------------------------------ */

struct routes {
	uint64_t version;
	struct module_routes {
		size_t count;
		struct routed {
			char runner[KEY_MAX], deployment[KEY_MAX];
		} replicas[ROUTED_MAX];
	} modules[MODULES];
};

enum quality { GOOD, BAD, CRASHY };

struct sim {
	struct sim_options options;
	uint64_t random;
	uint64_t now_ms, sequence;
	struct event **events; /* a heap */
	size_t event_count, event_capacity;
	struct arena arena;
	bool calm; /* a run without faults, in which no call may fail */
	bool healed;
	enum quality quality[MODULES][VERSIONS];

	/* The Backplane. */
	bool up;
	uint32_t epoch;
	uint64_t stopped_since_ms, stopped_until_ms; /* of a stall, as by SIGSTOP and SIGCONT */
	struct control control;
	struct effects effects;
	struct effects_ops effects_ops;
	struct write_behind write_behind;
	uint64_t tick_sequence;
	uint64_t last_registration;
	struct routes drafted;
	struct routes tables[WORKERS];
	uint64_t table_due_ms[WORKERS];
	bool module_was_live[MODULES];
	uint64_t event_sequence;
	bool flush_comes;
	struct map last_runner_events, last_deployment_events; /* the kind of the last event of each, as a pointer */
	char active_seen[MODULES][KEY_MAX]; /* the deployment that took the calls after the last step */

	/* The store. */
	struct memory_database *database;
	struct store *store; /* NULL: no Backplane has it open */
	uint64_t store_epoch; /* of the Backplane */
	struct stored stored;
	uint64_t store_busy_until_ms, store_slow_until_ms, store_fails_until_ms;
	uint64_t save_orders[SAVES_MAX]; /* by sequence of the save: its place in the order of ops */

	/* The Platform. */
	uint64_t platform_slow_until_ms, platform_fails_until_ms;
	struct sim_runner *runners[RUNNERS_MAX];
	unsigned runner_count;
	struct list silent; /* Runners that hang or are cut off, by in_silent */

	struct op *ops[OPS_MAX];
	unsigned op_count;
	uint64_t op_order;
	struct list calls;
	uint64_t call_count, calls_ok;

	/* The first violation. */
	const char *violated;
	char violation[512];
};

/* sim.c */
uint64_t sim_random(struct sim *sim);
uint64_t sim_below(struct sim *sim, uint64_t limit); /* 0 to limit - 1 */
uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high); /* both included */
bool sim_chance(struct sim *sim, unsigned percent);
uint64_t sim_latency(struct sim *sim); /* of a message: mostly short */
struct event *sim_at(struct sim *sim, uint64_t delay_ms, event_function *run, void *subject);
void sim_trace(struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);
void sim_violate(struct sim *sim, const char *invariant, const char *format, ...) PRINTF_LIKE(3, 4);
/* Returns false when something was violated. */
bool sim_run(struct sim *sim, const struct sim_options *options);
bool sim_is_stopped(const struct sim *sim);
void sim_deinit(struct sim *sim);

/* world.c */
void deployment_key_of(unsigned module, unsigned version, char ret_key[KEY_MAX]);
unsigned deployment_index(const char *key);
bool deployment_key_parse(const char *key, unsigned *ret_module, unsigned *ret_version);
unsigned module_of(const char *name);
const char *module_name(unsigned module);
const char *language_of(unsigned module);
void backplane_start(struct sim *sim);
void backplane_crash(struct sim *sim);
/* Before and after every event of the control side, like backplane_event and backplane_event_done. */
void backplane_begin(struct sim *sim);
void backplane_end(struct sim *sim);
/* Sends a message to the running Backplane. It is lost if that Backplane crashes before it arrives. */
struct event *sim_to_backplane(struct sim *sim, uint64_t delay_ms, event_function *run, void *subject);

/* runners.c */
struct sim_runner *runner_new(struct sim *sim, const char *key, const char *language, bool managed);
/* Creates a Runner, which registers. */
struct sim_runner *runner_start(struct sim *sim, const char *key, const char *language, bool managed);
void runners_deinit(struct sim *sim);
struct sim_runner *runner_running(struct sim *sim, const char *key);
/* The deployment that is alive on the Runner; NULL: none. */
const char *runner_hosts(const struct sim_runner *runner);
/* Called before and after each event of a Runner's agent. */
struct agent *sim_runner_begin(struct sim *sim, struct sim_runner *runner);
void sim_runner_end(struct sim *sim, struct sim_runner *runner);
/* Whether the Runner can handle the event now. If it hangs, the event is postponed until it wakes up. */
bool runner_is_up_for(struct sim *sim, struct event *event, const struct sim_runner *runner);
void sim_runner_kill(struct sim *sim, struct sim_runner *runner, const char *why);
/* Breaks the connection, if there is one; both processes stay alive. */
void runner_break_connection(struct sim *sim, struct sim_runner *runner);
void runner_backplane_died(struct sim *sim, struct sim_runner *runner);
void runner_child_dies(struct sim *sim, struct sim_runner *runner);
void runner_call_done(struct sim *sim, struct sim_runner *runner);
bool runner_is_cut(const struct sim *sim, const struct sim_runner *runner);
bool runner_is_silent(const struct sim *sim, const struct sim_runner *runner);
/* Tells the Runner that the Backplane has forgotten it; a Runner that is cut off learns it afterwards. */
void runner_forgotten(struct sim *sim, struct sim_runner *runner);
void runner_stream_closed(struct sim *sim, struct sim_runner *runner, uint64_t registration, enum code code,
			  uint64_t delay_ms);
void runner_accepted(struct sim *sim, struct sim_runner *runner, uint64_t registration);
void runner_keep_alive(struct sim *sim);

/* requests.c */
void send_ping(struct sim *sim, const struct runner *runner, uint64_t timeout_ms);
void send_deploy(struct sim *sim, const struct runner *runner, const char *deployment);
void send_terminate(struct sim *sim, const struct runner *runner, const char *deployment, uint64_t grace_ms);

/* platform.c */
void platform_create(struct sim *sim, const char *key, const char *language);
void platform_destroy(struct sim *sim, const char *key);
/* Calls found for each managed Runner that runs, before it returns. */
void platform_list(struct sim *sim, void (*found)(struct sim *sim, const char *key));

/* database.c */
/* Opens the store for a Backplane that starts. */
void store_open_again(struct sim *sim);
void store_load(struct sim *sim);
void store_crash(struct sim *sim);
void store_deinit(struct sim *sim);
/* Adds the rows that a creation needs, or reads those of a rollback; then calls op_apply unless the store fails. */
void store_op(struct sim *sim, struct op *op);

/* clients.c */
void clients_start(struct sim *sim);
void op_apply(struct sim *sim, struct op *op);
void call_answer(struct sim *sim, struct sim_call *call, bool ok, const char *how);
void calls_cut_off(struct sim *sim);
void op_send(struct sim *sim, enum op_kind kind, unsigned module, unsigned version, uint32_t replicas);

/* faults.c */
void faults_start(struct sim *sim);
void faults_heal(struct sim *sim);

/* check.c */
void check_events_init(struct sim *sim);
void check_events_deinit(struct sim *sim);
void check_event(struct sim *sim, const struct control_event *event);
void check_step(struct sim *sim);
void check_store(struct sim *sim);
void check_terminate(struct sim *sim, const struct runner *runner);
void check_copies(struct sim *sim);
void check_live(struct sim *sim, const struct deployment *deployment);
void check_end(struct sim *sim);
