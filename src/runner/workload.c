/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/workload.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/reasons.h"
#include "runner/fetch.h"
#include "runner/host_library.h"
#include "runner/host_process.h"

struct workload {
	struct workload_options options;
	char key[KEY_MAX];
	char *folder; /* of its files */
	char *working_dir; /* beside it */
	struct fetch fetch;
	struct host *host; /* NULL: nothing was started, or it has ended */
	struct timer step; /* a turn of its own: the begin, each piece of the check, a failure, the removal */
	struct error failure; /* that is told in a turn of its own */
	bool has_threads; /* something of it still runs, in this process */
	uint64_t began_us, checked_us;
};

static void run_later(struct workload *workload, void (*fire)(struct timer *timer)) {
	workload->step.fire = fire;
	timer_start(workload->options.loop, &workload->step, 0);
}

static void on_failure(struct timer *timer) {
	struct workload *workload = CONTAINER_OF(timer, struct workload, step);
	workload->options.events->ended(workload->options.owner, &workload->failure, NULL, REMAINS_NOTHING);
}

/* --- fetch -------------------------------------------------------------------------------------------------------- */

static void on_fetched(struct fetch *fetch, const struct error *err) {
	struct workload *workload = CONTAINER_OF(fetch, struct workload, fetch);
	if (err != NULL)
		workload->options.events->fetch_failed(workload->options.owner, err);
	else
		workload->options.events->fetched(workload->options.owner);
}

static void on_begin(struct timer *timer) {
	struct workload *workload = CONTAINER_OF(timer, struct workload, step);
	/* A Runner that used the same folder before may have left files there. */
	if (path_remove_tree(workload->folder, &workload->failure) < 0 ||
	    path_remove_tree(workload->working_dir, &workload->failure) < 0 ||
	    path_make_folders(workload->folder, &workload->failure) < 0)
		on_failure(timer);
	else
		fetch_start(&workload->fetch);
}

struct workload *workload_fetch(const char *deployment_key, const struct workload_options *options) {
	struct workload *workload = mem_zalloc(sizeof *workload);
	workload->options = *options;
	workload->began_us = clock_us();
	snprintf(workload->key, sizeof workload->key, "%s", deployment_key);
	workload->folder = mem_printf("%s/%s", options->work_folder, deployment_key);
	workload->working_dir = mem_printf("%s/%s.work", options->work_folder, deployment_key);
	workload->fetch =
		(struct fetch){.backplane = options->backplane, .deployment_key = workload->key, .done = on_fetched};
	layout_init(&workload->fetch.layout, workload->folder);
	run_later(workload, on_begin);
	return workload;
}

/* --- check -------------------------------------------------------------------------------------------------------- */

static void on_check(struct timer *timer) {
	struct workload *workload = CONTAINER_OF(timer, struct workload, step);
	int more = layout_check_step(&workload->fetch.layout, &workload->failure);
	if (more < 0) {
		on_failure(timer);
	} else if (more > 0) {
		timer_start(workload->options.loop, timer, 0);
	} else {
		workload->checked_us = clock_us();
		workload->options.events->checked(workload->options.owner, workload->checked_us - workload->began_us);
	}
}

void workload_check(struct workload *workload) {
	run_later(workload, on_check);
}

/* --- start -------------------------------------------------------------------------------------------------------- */

static bool is_library(const struct workload *workload) {
	return str_ends_with(str_from(workload->fetch.entry), STR(".so"));
}

static void on_alive(struct host *host) {
	const struct workload *workload = host->options.owner;
	workload->options.events->alive(workload->options.owner, clock_us() - workload->checked_us);
}

static void on_idle(struct host *host) {
	const struct workload *workload = host->options.owner;
	workload->options.events->idle(workload->options.owner);
}

static void on_ended(struct host *host, const struct error *why, struct last_lines *last_lines, bool stuck) {
	struct workload *workload = host->options.owner;
	workload->host = NULL;
	workload->has_threads = stuck;
	workload->options.events->ended(workload->options.owner, why, last_lines,
					stuck                  ? REMAINS_THREADS
					: is_library(workload) ? REMAINS_CODE
							       : REMAINS_NOTHING);
}

static const struct host_events host_events = {.alive = on_alive, .idle = on_idle, .ended = on_ended};

static int check_entry(const struct workload *workload, struct error *err) {
	const struct fetch *fetch = &workload->fetch;
	const struct layout_file *entry = layout_find(&fetch->layout, str_from(fetch->entry));
	if (entry == NULL) {
		error_set(err, CODE_FAILED_PRECONDITION,
			  "the entry \"%s\" is not among the %zu files of the deployment", fetch->entry,
			  fetch->layout.count);
		return error_set_reason(err, REASON_ENTRY_MISSING);
	}
	if (!entry->executable && !is_library(workload))
		return error_set(err, CODE_FAILED_PRECONDITION, "the entry \"%s\" is not executable", fetch->entry);
	return 0;
}

static int start(struct workload *workload, struct error *err) {
	const struct workload_options *options = &workload->options;
	const struct host_options host = {
		.loop = options->loop,
		.deployment_key = workload->key,
		.module = workload->fetch.module,
		.folder = workload->folder,
		.working_dir = workload->working_dir,
		.work_folder = options->work_folder,
		.entry = workload->fetch.entry,
		.unix_socket = strcmp(workload->fetch.bind, "unix") == 0,
		.backplane_endpoint = options->backplane_endpoint,
		.backplane = options->backplane,
		.logs = options->logs,
		.start_timeout_ms = options->start_timeout_ms,
		.kill_timeout_ms = options->kill_timeout_ms,
		.child_ping_ms = options->child_ping_ms,
		.events = &host_events,
		.owner = workload,
	};
	if (check_entry(workload, err) < 0 || path_make_folders(workload->working_dir, err) < 0)
		return -1;
	workload->host = is_library(workload) ? host_library_start(&host, err) : host_process_start(&host, err);
	return workload->host == NULL ? -1 : 0;
}

void workload_start(struct workload *workload) {
	if (start(workload, &workload->failure) < 0)
		run_later(workload, on_failure);
}

/* --- stop --------------------------------------------------------------------------------------------------------- */

void workload_stop(struct workload *workload) {
	if (workload->host != NULL) {
		host_stop(workload->host);
	} else if (timer_is_running(&workload->step)) {
		if (workload->failure.code == CODE_OK)
			error_set(&workload->failure, CODE_CANCELLED, "stopped");
		run_later(workload, on_failure);
	} else {
		fetch_cancel(&workload->fetch);
	}
}

/* --- remove ------------------------------------------------------------------------------------------------------- */

static void remove_folder(const char *folder) {
	struct error err;
	if (path_remove_tree(folder, &err) < 0)
		log_failure(LOG_WARN, &err, "left over from a deployment");
}

static void on_remove(struct timer *timer) {
	struct workload *workload = CONTAINER_OF(timer, struct workload, step);
	remove_folder(workload->folder);
	remove_folder(workload->working_dir);
	workload->options.events->removed(workload->options.owner);
	if (workload->has_threads)
		return; /* they read its texts */
	layout_deinit(&workload->fetch.layout);
	free(workload->folder);
	free(workload->working_dir);
	free(workload);
}

void workload_remove(struct workload *workload) {
	run_later(workload, on_remove);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

void workload_call(struct workload *workload, struct rpc_stream *stream) {
	workload->host->ops->call(workload->host, stream);
}

void workload_list(struct workload *workload, struct rpc_stream *stream) {
	workload->host->ops->list(workload->host, stream);
}

size_t workload_calls(const struct workload *workload) {
	return workload->host == NULL ? 0 : host_calls(workload->host);
}

const char *workload_trouble(const struct workload *workload) {
	return workload->host == NULL ? "" : host_trouble(workload->host);
}
