/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The effects seam: everything that the control side does to the world. Each function returns at once; what comes of it
 * is a later event (control.h). Arguments are borrowed during the call.
 *
 * Implementations: the Backplane (src/backplane/effects.c), the simulator (tests/sim/world.c) and effects_noop.
 */
#pragma once

#include "base/error.h"
#include "store/store.h"

struct deployment;
struct module;
struct runner;

/* Why something ended or failed. */
struct cause {
	const char *why;
	const char *const *lines; /* the last that it wrote, oldest first */
	size_t line_count; /* may be 0 */
};

/* A change of state of a Runner or a deployment. It is told before anything that follows from it. */
struct control_event {
	enum event_kind kind;
	const struct deployment *deployment; /* NULL: the Runner hosts none */
	const struct runner *runner; /* NULL: the event is about the deployment alone */
	struct cause cause;
	uint64_t retry_in_ms; /* until the next attempt, of a deployment or to get a Runner; 0: none follows */
};

/* Time for the answer of a Runner to an order. */
enum { DEPLOY_ANSWER_MS = 5000, TERMINATE_ANSWER_MS = 5000 };

struct effects {
	const struct effects_ops *ops;
};

struct effects_ops {
	uint64_t (*random)(struct effects *effects);
	int64_t (*wall_ms)(struct effects *effects);

	/* The Platform starts a Runner. control_runner_exited follows when that fails, or whenever the Runner ends. */
	void (*create)(struct effects *effects, const char *runner_key, const char *language);
	/* The Platform kills the Runner if it still runs. */
	void (*destroy)(struct effects *effects, const char *runner_key);

	/* control_pinged follows, within timeout_ms. */
	void (*ping)(struct effects *effects, const struct runner *runner, uint64_t timeout_ms);
	/* Orders the Runner to host the deployment, as runner->attempt. control_deploy_answered follows within
	 * DEPLOY_ANSWER_MS; then control_deployed. */
	void (*deploy)(struct effects *effects, const struct runner *runner, const struct deployment *deployment);
	/* Tells the Runner to end what it hosts, or itself (deployment_key NULL), within grace_ms. control_deployed
	 * with an error, or control_runner_exited, follows. */
	void (*terminate)(struct effects *effects, const struct runner *runner, const char *deployment_key,
			  uint64_t grace_ms);
	/* The record of the Runner is about to be freed: connections to it can be closed. */
	void (*forget)(struct effects *effects, const struct runner *runner);

	/* The answer to a registration: exactly one of the two, or neither when its stream is lost before. */
	void (*accept)(struct effects *effects, uint64_t registration, const struct runner *runner);
	void (*refuse)(struct effects *effects, uint64_t registration, const struct error *why);

	/* Stores what changed, in the order of the calls. Whoever implements it tries again until it is done. */
	void (*save)(struct effects *effects, const struct store_change *change);

	/* Drafts the routes of a module; publish then gives all drafted routes to the workers as one version.
	 * control_published follows once every worker has it. */
	void (*route)(struct effects *effects, const struct module *module);
	void (*publish)(struct effects *effects, uint64_t version);

	void (*event)(struct effects *effects, const struct control_event *event);

	/* After control_shut_down: no Runner that the Platform made is left. */
	void (*all_gone)(struct effects *effects);
};

/* Does nothing; random and wall_ms are 0. To derive from: copy it, then set the functions that matter. */
extern const struct effects_ops effects_noop;
