/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runners as processes of this machine.
 *
 *   local.c         the driver: commands and events
 *   local_runner.c  one Runner: its start, exit and clean-up
 *   found.c         Runners of an earlier Backplane
 *   leftovers.c     processes and folders of Runners that were killed
 *   pid_file.c      the pid file of a Runner
 *   run_folder.c    the names of files
 *
 *   OPENED ──start──▶ LISTING ──▶ LISTED (accepts commands) or FAILED
 *     │                 │           │                            │
 *     └─────────────────┴───────────┴──close─────────────────────┴──▶ CLOSING ──nothing is in progress──▶ freed
 *
 * The driver ignores epochs: the lock of the data folder lets only one Backplane use the run folder. Limits and labels
 * of a spec have no effect yet.
 */
#include "platform/local/local.h"

#include <stdlib.h>

#include "base/memory.h"
#include "platform/local/found.h"
#include "platform/local/leftovers.h"
#include "platform/local/local_runner.h"

enum local_state { LOCAL_OPENED, LOCAL_LISTING, LOCAL_LISTED, LOCAL_FAILED, LOCAL_CLOSING };

enum { LOCAL_STATE_COUNT = 5 };

struct local {
	struct platform platform;
	struct platform_options options; /* the texts are copies */
	enum local_state state;
	struct local_runners runners;
	struct map by_key; /* struct local_runner, by key, whose exit was not reported yet */
	struct leftovers leftovers;
	struct {
		uv_work_t request;
		bool in_progress;
		bool failed;
		struct error err;
		struct found found;
	} listing;
};

#define TO(state) (1u << (state))

/* For each state the set of allowed next states. */
static const unsigned allowed[LOCAL_STATE_COUNT] = {
	[LOCAL_OPENED] = TO(LOCAL_LISTING) | TO(LOCAL_CLOSING),
	[LOCAL_LISTING] = TO(LOCAL_LISTED) | TO(LOCAL_FAILED) | TO(LOCAL_CLOSING),
	[LOCAL_LISTED] = TO(LOCAL_CLOSING),
	[LOCAL_FAILED] = TO(LOCAL_CLOSING),
	[LOCAL_CLOSING] = 0,
};

static void set_state(struct local *local, enum local_state state) {
	ASSERT(allowed[local->state] & TO(state));
	local->state = state;
}

static struct local *local_of(struct platform *platform) {
	return CONTAINER_OF(platform, struct local, platform);
}

static void free_if_done(struct local *local) {
	bool done = local->state == LOCAL_CLOSING && !local->listing.in_progress &&
		    list_is_empty(&local->runners.all) && leftovers_is_idle(&local->leftovers);
	if (!done)
		return;
	map_deinit(&local->by_key);
	free((char *)local->options.folder);
	free((char *)local->options.runner.program);
	free(local);
}

static void on_leftovers_idle(struct leftovers *leftovers) {
	free_if_done(CONTAINER_OF(leftovers, struct local, leftovers));
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void on_ended(struct local_runners *runners, struct local_runner *runner) {
	struct local *local = CONTAINER_OF(runners, struct local, runners);
	map_remove(&local->by_key, str_from(runner->key));
	if (runner->left_something)
		leftovers_add(&local->leftovers, runner->key);
	if (local->state != LOCAL_CLOSING)
		local->options.events->exited(local->options.owner, runner->key, runner->why, &runner->lines);
}

static void on_freed(struct local_runners *runners) {
	free_if_done(CONTAINER_OF(runners, struct local, runners));
}

/* --- listing ------------------------------------------------------------------------------------------------------ */

static void list_work(uv_work_t *request) {
	struct local *local = request->data;
	local->listing.failed = found_read(local->options.folder, &local->listing.found, &local->listing.err) < 0;
}

static void tell_found(struct local *local) {
	struct found *found = &local->listing.found;
	for (size_t cursor = 0; local->state == LOCAL_LISTING;) {
		struct found_runner *seen = map_next(&found->runners, &cursor);
		if (seen == NULL)
			break;
		struct local_runner *runner = local_runner_watch(&local->runners, seen->key, seen->pid, seen->pidfd);
		seen->pidfd = -1;
		map_put(&local->by_key, str_from(seen->key), runner);
		local->options.events->found(local->options.owner, seen->key);
	}
	found_deinit(found);
}

static void list_done(uv_work_t *request, int status UNUSED) {
	struct local *local = request->data;
	bool failed = local->listing.failed;
	if (!failed)
		tell_found(local);
	if (local->state == LOCAL_LISTING) { /* else the owner closed the platform, perhaps in `found` */
		set_state(local, failed ? LOCAL_FAILED : LOCAL_LISTED);
		local->options.events->listed(local->options.owner, failed ? &local->listing.err : NULL);
	}
	local->listing.in_progress = false; /* CLOSING waits for this */
	free_if_done(local);
}

static void local_start(struct platform *platform) {
	struct local *local = local_of(platform);
	set_state(local, LOCAL_LISTING);
	local->listing.request.data = local;
	local->listing.in_progress = true;
	int failed = uv_queue_work(&local->options.loop->uv, &local->listing.request, list_work, list_done);
	ASSERT(failed == 0);
}

/* --- orders ------------------------------------------------------------------------------------------------------- */

static void local_create(struct platform *platform, const struct runner_spec *spec) {
	struct local *local = local_of(platform);
	ASSERT(local->state == LOCAL_LISTED);
	if (map_get(&local->by_key, str_from(spec->key)) != NULL)
		return;
	map_put(&local->by_key, str_from(spec->key), local_runner_spawn(&local->runners, spec, &local->options.runner));
}

static void local_destroy(struct platform *platform, const char *runner_key, uint64_t epoch UNUSED) {
	struct local_runner *runner = map_get(&local_of(platform)->by_key, str_from(runner_key));
	if (runner != NULL)
		local_runner_kill(runner);
}

static void local_close(struct platform *platform) {
	struct local *local = local_of(platform);
	set_state(local, LOCAL_CLOSING);
	LIST_FOREACH(link, &local->runners.all)
		local_runner_leave(LIST_ENTRY(link, struct local_runner, link));
	leftovers_hurry(&local->leftovers);
	free_if_done(local);
}

static const struct platform_ops local_ops = {
	.start = local_start,
	.create = local_create,
	.destroy = local_destroy,
	.close = local_close,
};

static struct platform *local_open(const struct platform_options *options, struct error *err UNUSED) {
	struct local *local = mem_zalloc(sizeof *local);
	local->platform.ops = &local_ops;
	local->options = *options;
	local->options.folder = mem_strdup(options->folder);
	local->options.runner.program = mem_strdup(options->runner.program);
	local->runners = (struct local_runners){.loop = options->loop,
						.folder = local->options.folder,
						.ended = on_ended,
						.freed = on_freed};
	list_init(&local->runners.all);
	map_init(&local->by_key);
	leftovers_init(&local->leftovers, options->loop, local->options.folder, on_leftovers_idle);
	return &local->platform;
}

const struct platform_driver platform_local = {
	.version = PLATFORM_DRIVER_VERSION,
	.name = "local",
	.help = "processes of this machine",
	.open = local_open,
};
