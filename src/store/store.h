/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: what the Backplane must still know after a crash, that is deployments, what is wanted of each module,
 * and the newest events.
 *
 * One of the three seams: a struct of functions with an implementation for each database. Every function blocks,
 * and what it changed is durable when it returns; after an error nothing has changed. A store belongs to one thread
 * at a time. What does not fit in the arena of a caller is ResourceExhausted.
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
	const char *detail; /* why it is in this state; may be empty */
};

/* What is wanted of a module. Keys are empty where there is none. */
struct module_record {
	const char *name;
	const char *active_key; /* calls go to it */
	const char *next_key; /* it is being brought up to replace the active one */
	uint32_t replicas;
	uint32_t next_replicas; /* of the next one; 0: as many */
};

/* What happened. The numbers are those of EventKind in proto/. */
enum event_kind {
	EVENT_BACKPLANE_STARTED = 1,
	EVENT_BACKPLANE_STOPPING = 2,
	EVENT_BACKPLANE_CANNOT_WRITE = 3, /* a change could not be kept; it is tried again */
	EVENT_BACKPLANE_WRITES_AGAIN = 4,
	EVENT_RUNNER_CREATING = 10,
	EVENT_RUNNER_PROBING = 11,
	EVENT_RUNNER_IDLE = 12,
	EVENT_RUNNER_DEPLOYING = 13,
	EVENT_RUNNER_ALIVE = 14,
	EVENT_RUNNER_DRAINING = 15,
	EVENT_RUNNER_SILENT = 16, /* it did not answer a ping */
	EVENT_RUNNER_LOST = 17, /* it is gone, and did not mean to */
	EVENT_RUNNER_KILLED = 18, /* it was given up, and the Platform ends it */
	EVENT_RUNNER_ENDED = 19, /* as it was told to */
	EVENT_DEPLOYMENT_CREATED = 30,
	EVENT_DEPLOYMENT_ROLLED_BACK = 31, /* wanted again, as a rollback */
	EVENT_DEPLOYMENT_LIVE = 32,
	EVENT_DEPLOYMENT_DRAINING = 33,
	EVENT_DEPLOYMENT_STOPPED = 34,
	EVENT_DEPLOYMENT_FAILED = 35,
	EVENT_DEPLOYMENT_BACKING_OFF = 36, /* it lost a replica, or cannot have one; it is tried again */
	EVENT_DEPLOYMENT_SCALED = 37,
	EVENT_DEPLOYMENT_REPLICA_FAILED = 38,
};

enum {
	EVENTS_MAX = 10000, /* the newest so many are kept */
	EVENT_TEXT_MAX = 1024, /* bytes */
	EVENT_LINES_MAX = 4096,
};

/* Texts are empty where there is nothing to say. */
struct event_record {
	uint64_t sequence; /* later ones are larger, also those of a later process */
	int64_t time_ms; /* wall clock */
	enum event_kind kind;
	const char *module, *deployment_key, *runner_key;
	const char *text; /* the cause, in plain words */
	const char *lines; /* the last that the deployment wrote */
	int64_t retry_ms; /* EVENT_DEPLOYMENT_BACKING_OFF: when it is tried again, by the wall clock */
};

/* What is kept together, or not at all. */
struct store_change {
	const char *deployment_key; /* NULL: no deployment changes */
	enum deployment_state state;
	const char *detail;
	const struct module_record *module; /* NULL: no module changes */
	const struct event_record *events; /* in the order of their sequence */
	size_t event_count;
};

struct event_query {
	const char *module; /* empty: all, and what is about none */
	int64_t since_ms; /* not older */
	uint64_t after; /* of a larger sequence */
	size_t newest; /* of those that are left, the newest so many; SIZE_MAX: all */
	size_t limit; /* of those, the oldest so many */
};

struct store {
	const struct store_ops *ops;
};

struct store_ops {
	/* Adds a deployment, or finds the one of the same identity: *ret_existed, and its key in ret_key. In the
	 * same transaction the module's next_key becomes that key, or empty when that is the active one already,
	 * and its replicas are set, or next_replicas if another one is active (0: as they are, 1 for a new module).
	 * Two artefacts at one path are InvalidArgument. */
	int (*create_deployment)(struct store *store, const struct deployment_record *record, uint32_t replicas,
				 char ret_key[KEY_MAX], bool *ret_existed, struct error *err);

	/* NotFound names the key. The record is allocated in arena. */
	int (*get_deployment)(struct store *store, const char *key, struct arena *arena,
			      struct deployment_record *ret_record, struct error *err);

	/* Changes the state of a deployment and what is wanted of a module, and adds events; of events the newest
	 * EVENTS_MAX stay. NotFound when the deployment or the module is not there; FailedPrecondition when the module
	 * names a deployment that is not there. */
	int (*update)(struct store *store, const struct store_change *change, struct error *err);

	/* Ends what a crash left half done: the active deployment of a module is LIVE, the next one STARTING, and any
	 * other that has not ended is STOPPED. */
	int (*tidy)(struct store *store, struct error *err);

	/* All modules, in name order, in arena. */
	int (*list_modules)(struct store *store, struct arena *arena, struct module_record **ret_modules,
			    size_t *ret_count, struct error *err);

	/* The deployments of a module, newest first, without schema and artefacts, at most limit. */
	int (*list_deployments)(struct store *store, const char *module, size_t limit, struct arena *arena,
				struct deployment_record **ret_records, size_t *ret_count, struct error *err);

	/* Oldest first, in arena. */
	int (*list_events)(struct store *store, const struct event_query *query, struct arena *arena,
			   struct event_record **ret_events, size_t *ret_count, struct error *err);

	void (*close)(struct store *store);
};

/* DATA/ftl.db. Takes the folder for this process: a second one on the same folder is refused, naming the first
 * (FailedPrecondition). A database that a newer FTL wrote is refused as well, naming both versions. */
int store_sqlite_open(const char *data_folder, struct store **ret_store, struct error *err);
