/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: the data that must survive a crash of the Backplane, that is deployments, what is wanted of each module,
 * and the newest events.
 *
 * A store is a struct of functions with one implementation for each kind of database; store_open (registry.h) finds it
 * by URL. The store holds rows and no policy: the control side decides what a row says. Every function blocks. A
 * change is durable when the function returns, and after an error nothing has changed. A store belongs to one thread at
 * a time. Rows that do not fit in the caller's arena are ResourceExhausted.
 *
 * Only one Backplane writes to a store. acquire() gives it an epoch, a number that is larger than all earlier ones.
 * Every change carries the epoch of its Backplane, and is refused with FailedPrecondition and the reason STALE_EPOCH
 * once another Backplane has acquired the store.
 *
 * Changes of rows are numbered. load() returns the number of the newest one, and watch() returns the rows that changed
 * after a number, for a process that follows the store.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/random.h"
#include "store/digest.h"

enum deployment_state {
	DEPLOYMENT_STARTING = 1,
	DEPLOYMENT_LIVE = 2,
	DEPLOYMENT_DRAINING = 3,
	DEPLOYMENT_STOPPED = 4,
	DEPLOYMENT_FAILED = 5,
};

struct artefact_record {
	struct digest digest;
	struct str path;
	bool executable;
};

/* A deployment of another module that a deployment was checked against when it was created. */
struct need_record {
	const char *module;
	const char *key;
	struct str schema; /* of that deployment; not read by add_deployment */
};

struct deployment_record {
	const char *key;
	const char *module;
	const char *language;
	struct digest identity; /* of module, schema and the set of (path, digest, executable) */
	struct str schema; /* a packed schema.Module */
	const struct artefact_record *artefacts; /* by path; each path once */
	size_t artefact_count;
	int64_t created_ms;
	enum deployment_state state;
	const char *detail; /* the reason for the state; may be empty */
	/* Filled by get_needs alone, and by the caller of add_deployment. One for each module that it names. */
	const struct need_record *needs;
	size_t need_count;
};

/* What is wanted of a module. A key is empty where there is no deployment. */
struct module_record {
	const char *name;
	const char *active_key; /* the deployment that calls are routed to */
	const char *next_key; /* the deployment that is being brought up to replace the active one */
	uint32_t replicas;
	uint32_t next_replicas; /* of the next deployment; 0: the same as replicas */
	int64_t active_ms; /* wall clock: when the active deployment took over; 0: there is none */
	uint64_t active_origin, next_origin; /* struct history_entry */
};

/*
 * One line of a module's history: a life, which is a time in which a deployment was the active one, or a deployment
 * that never was active. A row of a module whose active_key or active_ms differs from the stored one begins a life.
 */
struct history_entry {
	uint64_t life; /* later lives have larger ones; 0: the deployment never was active */
	/* The life at which a rollback from this one begins to look back. It is the life itself, and after a rollback
	 * the life that the rollback returned to. */
	uint64_t origin;
	int64_t begin_ms; /* wall clock: when it became active; life 0: when it was created */
	struct deployment_record deployment; /* without schema and artefacts; as it is now, also for an earlier life */
};

/* What happened. The numbers are those of EventKind in proto/. */
enum event_kind {
	EVENT_BACKPLANE_STARTED = 1,
	EVENT_BACKPLANE_STOPPING = 2,
	EVENT_BACKPLANE_CANNOT_WRITE = 3, /* a change could not be stored; it is tried again */
	EVENT_BACKPLANE_WRITES_AGAIN = 4,
	EVENT_RUNNER_CREATING = 10,
	EVENT_RUNNER_PROBING = 11,
	EVENT_RUNNER_IDLE = 12,
	EVENT_RUNNER_DEPLOYING = 13,
	EVENT_RUNNER_ALIVE = 14,
	EVENT_RUNNER_DRAINING = 15,
	EVENT_RUNNER_SILENT = 16, /* did not answer a ping */
	EVENT_RUNNER_LOST = 17, /* ended without being told to */
	EVENT_RUNNER_KILLED = 18, /* given up; the Platform ends the process */
	EVENT_RUNNER_ENDED = 19, /* ended after being told to */
	EVENT_DEPLOYMENT_CREATED = 30,
	EVENT_DEPLOYMENT_ROLLED_BACK = 31, /* wanted again by a rollback */
	EVENT_DEPLOYMENT_LIVE = 32,
	EVENT_DEPLOYMENT_DRAINING = 33,
	EVENT_DEPLOYMENT_STOPPED = 34,
	EVENT_DEPLOYMENT_FAILED = 35,
	EVENT_DEPLOYMENT_BACKING_OFF = 36, /* a replica was lost or could not be started; the next try comes later */
	EVENT_DEPLOYMENT_SCALED = 37,
	EVENT_DEPLOYMENT_REPLICA_FAILED = 38,
};

/* The store keeps this many of the newest lives of each module. */
enum { HISTORY_MAX = 1000 };

enum {
	EVENTS_MAX = 10000, /* the store keeps this many of the newest */
	EVENT_TEXT_MAX = 1024, /* bytes */
	EVENT_LINES_MAX = 4096,
};

/* Texts may be empty. */
struct event_record {
	uint64_t sequence; /* later events have larger ones, across restarts as well */
	int64_t time_ms; /* wall clock */
	enum event_kind kind;
	const char *module, *deployment_key, *runner_key;
	const char *text; /* the cause, in plain words */
	const char *lines; /* the last lines that the deployment wrote */
	int64_t retry_ms; /* EVENT_DEPLOYMENT_BACKING_OFF: wall clock time of the next try */
};

/* A change, stored as a whole or not at all. */
struct store_change {
	const char *deployment_key; /* the deployment whose state and detail change; NULL: none */
	enum deployment_state state;
	const char *detail;
	const struct module_record *module; /* replaces the module's row; NULL: no module changes */
	const struct event_record *events; /* in the order of their sequence */
	size_t event_count;
};

/* Modules are ordered by name; deployments by the name of their module and then by age, oldest first. Deployments come
 * without schema and artefacts, which get_deployment reads. */
struct store_rows {
	uint64_t sequence; /* of the newest change in the store; 0: there was none yet */
	struct module_record *modules;
	size_t module_count;
	struct deployment_record *deployments;
	size_t deployment_count;
};

struct event_query {
	const char *module; /* empty: events of all modules, and those that concern none */
	int64_t since_ms; /* events at this time or later */
	uint64_t after; /* events with a larger sequence */
	size_t newest; /* of the events found, this many of the newest; SIZE_MAX: all */
	size_t limit; /* of those, this many of the oldest */
};

struct store {
	const struct store_ops *ops;
};

struct store_ops {
	/* Makes the caller the writer of the store, in place of the one before. */
	int (*acquire)(struct store *store, uint64_t *ret_epoch, struct error *err);

	/* Whether the epoch is still the newest: STALE_EPOCH when another Backplane has acquired the store. */
	int (*renew)(struct store *store, uint64_t epoch, struct error *err);

	/* The rows that a Backplane starts from, in arena: all modules; of each the deployments that have not ended,
	 * those that the module names, and the newest. */
	int (*load)(struct store *store, struct arena *arena, struct store_rows *ret_rows, struct error *err);

	/* Adds the rows of a deployment, or finds the deployment with the same identity: *ret_existed is then true, and
	 * ret_key is the key of that one. With its first deployment a module gets a row, which has 1 replica and names
	 * no deployment. Two artefacts at one path are InvalidArgument. */
	int (*add_deployment)(struct store *store, uint64_t epoch, const struct deployment_record *record,
			      char ret_key[KEY_MAX], bool *ret_existed, struct error *err);

	/* Stores a change; of events the newest EVENTS_MAX stay. NotFound when the deployment or the module has no row;
	 * FailedPrecondition when the module names a deployment that has none. */
	int (*commit)(struct store *store, uint64_t epoch, const struct store_change *change, struct error *err);

	/* NotFound names the key. The record is allocated in arena. */
	int (*get_deployment)(struct store *store, const char *key, struct arena *arena,
			      struct deployment_record *ret_record, struct error *err);

	/* Sets needs and need_count of a record, by module, in arena. Those whose deployment has no row are left out.
	 */
	int (*get_needs)(struct store *store, struct arena *arena, struct deployment_record *record, struct error *err);

	/* The history of a module in arena, newest first, at most limit entries. *ret_total counts all that are
	 * kept. */
	int (*list_history)(struct store *store, const char *module, size_t limit, struct arena *arena,
			    struct history_entry **ret_entries, size_t *ret_count, size_t *ret_total,
			    struct error *err);

	/* Oldest first, in arena. */
	int (*list_events)(struct store *store, const struct event_query *query, struct arena *arena,
			   struct event_record **ret_events, size_t *ret_count, struct error *err);

	/* The rows that changed after the change of this sequence, in arena. Returns at once; no rows when none did.
	 * Events are not among them: list_events has a query for those after a sequence. */
	int (*watch)(struct store *store, uint64_t after, struct arena *arena, struct store_rows *ret_rows,
		     struct error *err);

	void (*close)(struct store *store);
};

/* --- for implementations: errors that every store sets alike; each returns -1 ------------------------------------- */

int store_set_stale(uint64_t epoch, uint64_t newest, struct error *err);
int store_set_no_deployment(const char *key, struct error *err);
int store_set_no_module(const char *name, struct error *err);
int store_set_path_twice(struct str path, struct error *err);
