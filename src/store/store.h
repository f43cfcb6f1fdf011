/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: what the Backplane must still know after a crash, that is deployments and what is wanted of each module.
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
};

struct store {
	const struct store_ops *ops;
};

struct store_ops {
	/* Adds a deployment, or finds the one of the same identity: *ret_existed, and its key in ret_key. In the
	 * same transaction the module's next_key becomes that key, or empty when that is the active one already,
	 * and its replicas are set (0: as they are, 1 for a new module). Two artefacts at one path are
	 * InvalidArgument. */
	int (*create_deployment)(struct store *store, const struct deployment_record *record, uint32_t replicas,
				 char ret_key[KEY_MAX], bool *ret_existed, struct error *err);

	/* NotFound names the key. The record is allocated in arena. */
	int (*get_deployment)(struct store *store, const char *key, struct arena *arena,
			      struct deployment_record *ret_record, struct error *err);

	/* Changes the state of a deployment and what is wanted of its module, together: deployment_key NULL leaves
	 * deployments alone (state and detail are not looked at then), module NULL leaves modules alone. NotFound
	 * when either is not there; FailedPrecondition when the module names a deployment that is not there. */
	int (*update)(struct store *store, const char *deployment_key, enum deployment_state state, const char *detail,
		      const struct module_record *module, struct error *err);

	/* Ends what a crash left half done: the active deployment of a module is LIVE, the next one STARTING, and any
	 * other that has not ended is STOPPED. */
	int (*tidy)(struct store *store, struct error *err);

	/* All modules, in name order, in arena. */
	int (*list_modules)(struct store *store, struct arena *arena, struct module_record **ret_modules,
			    size_t *ret_count, struct error *err);

	/* The deployments of a module, newest first, without schema and artefacts, at most limit. */
	int (*list_deployments)(struct store *store, const char *module, size_t limit, struct arena *arena,
				struct deployment_record **ret_records, size_t *ret_count, struct error *err);

	void (*close)(struct store *store);
};

/* DATA/ftl.db. Takes the folder for this process: a second one on the same folder is refused, naming the first
 * (FailedPrecondition). A database that a newer FTL wrote is refused as well, naming both versions. */
int store_sqlite_open(const char *data_folder, struct store **ret_store, struct error *err);
