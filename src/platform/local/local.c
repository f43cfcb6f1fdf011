/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runners as processes of this machine.
 *
 *   local.c           the driver: orders and events
 *   runner_process.c  one Runner: start, exit, what it leaves
 *   found.c           Runners of an earlier Backplane
 *   leftovers.c       processes and folders of Runners that could not end in order
 *   pid_file.c        which process a Runner is
 *   run_folder.c      the names of files
 *
 * The lock of the data folder sees to it that one Backplane has the run folder, so epochs are not looked at. Limits and
 * labels of a spec have no effect yet.
 */
#include "platform/local/local.h"

#include <stdlib.h>

#include "base/memory.h"
#include "platform/local/found.h"
#include "platform/local/leftovers.h"
#include "platform/local/runner_process.h"

struct local {
	struct platform platform;
	struct platform_options options; /* its texts are copies */
	struct runner_processes processes;
	struct map by_key; /* struct runner_process whose end was not told yet */
	struct leftovers leftovers;
	struct {
		uv_work_t request;
		bool in_progress;
		bool failed;
		struct error err;
		struct found found;
	} listing;
	bool listed, closing;
};

static struct local *local_of(struct platform *platform) {
	return CONTAINER_OF(platform, struct local, platform);
}

static void free_if_done(struct local *local) {
	bool done = local->closing && !local->listing.in_progress && list_is_empty(&local->processes.all) &&
		    leftovers_is_idle(&local->leftovers);
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

static void on_ended(struct runner_processes *processes, struct runner_process *process) {
	struct local *local = CONTAINER_OF(processes, struct local, processes);
	map_remove(&local->by_key, str_from(process->key));
	if (process->left_something)
		leftovers_add(&local->leftovers, process->key);
	if (!local->closing)
		local->options.events->exited(local->options.owner, process->key, process->why, &process->lines);
}

static void on_freed(struct runner_processes *processes) {
	free_if_done(CONTAINER_OF(processes, struct local, processes));
}

/* --- listing ------------------------------------------------------------------------------------------------------ */

static void list_work(uv_work_t *request) {
	struct local *local = request->data;
	local->listing.failed = found_read(local->options.folder, &local->listing.found, &local->listing.err) < 0;
}

static void tell_found(struct local *local) {
	struct found *found = &local->listing.found;
	for (size_t cursor = 0; !local->closing;) {
		struct found_runner *runner = map_next(&found->runners, &cursor);
		if (runner == NULL)
			break;
		struct runner_process *process =
			runner_process_watch(&local->processes, runner->key, runner->pid, runner->pidfd);
		runner->pidfd = -1;
		map_put(&local->by_key, str_from(runner->key), process);
		local->options.events->found(local->options.owner, runner->key);
	}
	found_deinit(found);
}

static void list_done(uv_work_t *request, int status UNUSED) {
	struct local *local = request->data;
	if (!local->listing.failed)
		tell_found(local);
	local->listed = !local->listing.failed;
	if (!local->closing)
		local->options.events->listed(local->options.owner, local->listing.failed ? &local->listing.err : NULL);
	local->listing.in_progress = false; /* the owner may have closed the platform, which waits for this */
	free_if_done(local);
}

static void local_start(struct platform *platform) {
	struct local *local = local_of(platform);
	local->listing.request.data = local;
	local->listing.in_progress = true;
	int failed = uv_queue_work(&local->options.loop->uv, &local->listing.request, list_work, list_done);
	ASSERT(failed == 0);
}

/* --- orders ------------------------------------------------------------------------------------------------------- */

static void local_create(struct platform *platform, const struct runner_spec *spec) {
	struct local *local = local_of(platform);
	ASSERT(local->listed);
	if (map_get(&local->by_key, str_from(spec->key)) != NULL)
		return;
	map_put(&local->by_key, str_from(spec->key),
		runner_process_spawn(&local->processes, spec, &local->options.runner));
}

static void local_destroy(struct platform *platform, const char *runner_key, uint64_t epoch UNUSED) {
	struct runner_process *process = map_get(&local_of(platform)->by_key, str_from(runner_key));
	if (process != NULL)
		runner_process_kill(process);
}

static void local_close(struct platform *platform) {
	struct local *local = local_of(platform);
	local->closing = true;
	LIST_FOREACH(link, &local->processes.all)
		runner_process_leave(LIST_ENTRY(link, struct runner_process, link));
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
	local->processes = (struct runner_processes){.loop = options->loop,
						     .folder = local->options.folder,
						     .ended = on_ended,
						     .freed = on_freed};
	list_init(&local->processes.all);
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
