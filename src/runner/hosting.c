/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   FETCHING ──all there──▶ CHECKING ──digests right──▶ STARTING ──answers Ping──▶ ALIVE
 *      │ error, terminate       │ error, terminate         │ terminate              │ terminate
 *      │                        │                          │                        ▼
 *      │                        │                          │ ┌──no calls, grace──DRAINING
 *      │                        │                          ▼ ▼                      │
 *      │                        │                         STOPPING                  │
 *      │                        │                          │                        │
 *      └────────────────────────┴──────────────────────────┴─────host ended─────────┴──▶ ENDED
 *
 * STARTING and ALIVE end in ENDED directly as well, when the host ends by itself. In ENDED the folder is removed and
 * the owner is told, from a turn of its own.
 */
#include "runner/hosting.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/random.h"
#include "runner/fetch.h"
#include "runner/host.h"

enum state { FETCHING, CHECKING, STARTING, ALIVE, DRAINING, STOPPING, ENDED };

enum { STATE_COUNT = ENDED + 1 };

#define MAY(state) (1u << (state))

static const struct {
	const char *name;
	unsigned next;
} states[STATE_COUNT] = {
	[FETCHING] = {"fetching", MAY(CHECKING) | MAY(ENDED)},
	[CHECKING] = {"checking", MAY(STARTING) | MAY(ENDED)},
	[STARTING] = {"starting", MAY(ALIVE) | MAY(STOPPING) | MAY(ENDED)},
	[ALIVE] = {"alive", MAY(DRAINING) | MAY(ENDED)},
	[DRAINING] = {"draining", MAY(STOPPING) | MAY(ENDED)},
	[STOPPING] = {"stopping", MAY(ENDED)},
	[ENDED] = {"ended", 0},
};

struct deployment {
	struct deployment_options options;
	enum state state;
	char key[KEY_MAX];
	char *folder; /* of its files */
	char *working_dir; /* beside it */
	struct fetch fetch;
	struct host *host; /* NULL before STARTING and in ENDED */
	struct timer step; /* the next piece of the check; the end */
	struct timer grace;
	struct error why; /* it ended; CODE_OK: it did not */
	bool was_unreachable;
	struct last_lines last_lines;
	bool stuck; /* something of it still runs, in this process */
	uint64_t began_us, fetched_us, alive_us;
};

static void move_to(struct deployment *deployment, enum state next) {
	ASSERT(states[deployment->state].next & MAY(next));
	deployment->state = next;
}

/* --- ENDED -------------------------------------------------------------------------------------------------------- */

static void remove_folder(const char *folder) {
	struct error err;
	if (path_remove_tree(folder, &err) < 0)
		log_failure(LOG_WARN, &err, "left over from a deployment");
}

static void on_end(struct timer *timer) {
	struct deployment *deployment = CONTAINER_OF(timer, struct deployment, step);
	remove_folder(deployment->folder);
	remove_folder(deployment->working_dir);
	deployment->options.events->ended(deployment, &deployment->why, &deployment->last_lines);
	if (deployment->stuck)
		return; /* what still runs reads our texts */
	layout_deinit(&deployment->fetch.layout);
	last_lines_deinit(&deployment->last_lines);
	free(deployment->folder);
	free(deployment->working_dir);
	free(deployment);
}

static void end(struct deployment *deployment, const struct error *why) {
	move_to(deployment, ENDED);
	if (deployment->why.code == CODE_OK)
		deployment->why = *why;
	timer_stop(deployment->options.loop, &deployment->grace);
	deployment->step.fire = on_end;
	timer_start(deployment->options.loop, &deployment->step, 0);
}

/* --- STARTING, ALIVE, DRAINING, STOPPING -------------------------------------------------------------------------- */

static void stop(struct deployment *deployment) {
	move_to(deployment, STOPPING);
	timer_stop(deployment->options.loop, &deployment->grace);
	host_stop(deployment->host);
}

static void on_alive(struct host *host) {
	struct deployment *deployment = host->options.owner;
	if (deployment->state != STARTING)
		return;
	move_to(deployment, ALIVE);
	deployment->alive_us = clock_us();
	deployment->options.events->alive(deployment);
}

static void on_idle(struct host *host) {
	struct deployment *deployment = host->options.owner;
	if (deployment->state == DRAINING)
		stop(deployment);
}

static void on_ended(struct host *host, const struct error *why, bool stuck) {
	struct deployment *deployment = host->options.owner;
	deployment->stuck = stuck;
	deployment->last_lines = host->last_lines;
	host->last_lines = (struct last_lines){0};
	deployment->host = NULL;
	end(deployment, why);
}

static const struct host_events host_events = {.alive = on_alive, .idle = on_idle, .ended = on_ended};

static void on_grace_over(struct timer *timer) {
	struct deployment *deployment = CONTAINER_OF(timer, struct deployment, grace);
	stop(deployment);
}

bool deployment_is_library(const struct deployment *deployment) {
	return deployment->fetch.entry != NULL && str_ends_with(str_from(deployment->fetch.entry), STR(".so"));
}

static int check_entry(const struct deployment *deployment, struct error *err) {
	const struct fetch *fetch = &deployment->fetch;
	const struct layout_file *entry = layout_find(&fetch->layout, str_from(fetch->entry));
	if (entry == NULL)
		return error_set(
			err, CODE_FAILED_PRECONDITION,
			"the entry \"%s\" is not among the %zu files of the deployment; name it in ftl.toml: entry = \"…\"",
			fetch->entry, fetch->layout.count);
	if (!entry->executable && !deployment_is_library(deployment))
		return error_set(err, CODE_FAILED_PRECONDITION,
				 "the entry \"%s\" is not executable; make it so (chmod +x) and deploy again",
				 fetch->entry);
	return 0;
}

static int start(struct deployment *deployment, struct error *err) {
	const struct deployment_options *options = &deployment->options;
	const struct host_options host = {
		.loop = options->loop,
		.deployment_key = deployment->key,
		.module = deployment->fetch.module,
		.folder = deployment->folder,
		.working_dir = deployment->working_dir,
		.work_folder = options->work_folder,
		.entry = deployment->fetch.entry,
		.unix_socket = strcmp(deployment->fetch.bind, "unix") == 0,
		.backplane_endpoint = options->backplane_endpoint,
		.backplane = options->backplane,
		.logs = options->logs,
		.start_timeout_ms = options->start_timeout_ms,
		.kill_timeout_ms = options->kill_timeout_ms,
		.events = &host_events,
		.owner = deployment,
	};
	if (check_entry(deployment, err) < 0 || path_make_folders(deployment->working_dir, err) < 0)
		return -1;
	deployment->host =
		deployment_is_library(deployment) ? host_library_start(&host, err) : host_process_start(&host, err);
	return deployment->host == NULL ? -1 : 0;
}

/* --- FETCHING, CHECKING ------------------------------------------------------------------------------------------- */

static void on_check(struct timer *timer) {
	struct deployment *deployment = CONTAINER_OF(timer, struct deployment, step);
	struct error err;
	int more = layout_check_step(&deployment->fetch.layout, &err);
	if (more < 0) {
		end(deployment, &err);
	} else if (more > 0) {
		timer_start(deployment->options.loop, timer, 0);
	} else {
		deployment->fetched_us = clock_us();
		move_to(deployment, STARTING);
		if (start(deployment, &err) < 0)
			end(deployment, &err);
	}
}

/* Another Runner, or this one a moment later, may fare better. */
static bool is_passing(enum code code) {
	return code == CODE_UNAVAILABLE || code == CODE_DEADLINE_EXCEEDED || code == CODE_CANCELLED ||
	       code == CODE_RESOURCE_EXHAUSTED || code == CODE_ABORTED || code == CODE_UNKNOWN;
}

static void on_fetched(struct fetch *fetch, const struct error *err) {
	struct deployment *deployment = CONTAINER_OF(fetch, struct deployment, fetch);
	if (err != NULL) {
		deployment->was_unreachable = is_passing(err->code);
		end(deployment, err);
		return;
	}
	move_to(deployment, CHECKING);
	deployment->step.fire = on_check;
	timer_start(deployment->options.loop, &deployment->step, 0);
}

static void on_begin(struct timer *timer) {
	struct deployment *deployment = CONTAINER_OF(timer, struct deployment, step);
	struct error err;
	/* What a Runner of the same folder left behind is of no use. */
	if (path_remove_tree(deployment->folder, &err) < 0 || path_remove_tree(deployment->working_dir, &err) < 0 ||
	    path_make_folders(deployment->folder, &err) < 0)
		end(deployment, &err);
	else
		fetch_start(&deployment->fetch);
}

/* --- the interface ------------------------------------------------------------------------------------------------ */

int deployment_check_key(const char *key, struct error *err) {
	struct str text = str_from(key);
	if (text.len == 0)
		return error_set(err, CODE_INVALID_ARGUMENT, "the field deployment_key is missing");
	if (text.len >= KEY_MAX)
		return error_set(err, CODE_INVALID_ARGUMENT, "the deployment key has %zu bytes; at most %d are allowed",
				 text.len, KEY_MAX - 1);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
			     c == '-';
		if (!plain)
			return error_set(err, CODE_INVALID_ARGUMENT,
					 "\"%s\" is no deployment key: it may have letters, digits, '-' and '_'", key);
	}
	return 0;
}

struct deployment *deployment_new(const char *key, const struct deployment_options *options) {
	struct deployment *deployment = mem_zalloc(sizeof *deployment);
	deployment->options = *options;
	deployment->began_us = clock_us();
	snprintf(deployment->key, sizeof deployment->key, "%s", key);
	deployment->folder = mem_printf("%s/%s", options->work_folder, key);
	deployment->working_dir = mem_printf("%s/%s.work", options->work_folder, key);
	deployment->grace.fire = on_grace_over;
	deployment->fetch =
		(struct fetch){.backplane = options->backplane, .deployment_key = deployment->key, .done = on_fetched};
	layout_init(&deployment->fetch.layout, deployment->folder);
	deployment->step.fire = on_begin;
	timer_start(options->loop, &deployment->step, 0);
	return deployment;
}

void deployment_call(struct deployment *deployment, struct rpc_stream *stream) {
	if (deployment->state == ALIVE)
		deployment->host->ops->call(deployment->host, stream);
	else
		rpc_refuse(stream);
}

void deployment_list(struct deployment *deployment, struct rpc_stream *stream) {
	if (deployment->state == ALIVE)
		deployment->host->ops->list(deployment->host, stream);
	else
		rpc_refuse(stream);
}

static void drain(struct deployment *deployment, uint64_t grace_ms) {
	struct loop *loop = deployment->options.loop;
	bool is_first = deployment->state == ALIVE;
	if (is_first)
		move_to(deployment, DRAINING);
	if (host_calls(deployment->host) == 0)
		stop(deployment);
	else if (is_first || loop_now_ms(loop) + grace_ms < deployment->grace.due.key)
		timer_start(loop, &deployment->grace, grace_ms);
}

void deployment_terminate(struct deployment *deployment, uint64_t grace_ms) {
	struct error why;
	error_set(&why, CODE_CANCELLED, "it was terminated while it was %s", states[deployment->state].name);
	switch (deployment->state) {
	case FETCHING:
		deployment->why = why;
		if (timer_is_running(&deployment->step))
			end(deployment, &why); /* it has not begun */
		else
			fetch_cancel(&deployment->fetch);
		break;
	case CHECKING:
		end(deployment, &why);
		break;
	case STARTING:
		deployment->why = why;
		stop(deployment);
		break;
	case ALIVE:
	case DRAINING:
		if (deployment->why.code == CODE_OK)
			error_set(&deployment->why, CODE_CANCELLED, "it was terminated");
		drain(deployment, grace_ms);
		break;
	case STOPPING:
	case ENDED:
		break;
	}
}

const char *deployment_key(const struct deployment *deployment) {
	return deployment->key;
}

void *deployment_owner(const struct deployment *deployment) {
	return deployment->options.owner;
}

bool deployment_is_alive(const struct deployment *deployment) {
	return deployment->state == ALIVE;
}

bool deployment_is_ending(const struct deployment *deployment) {
	return deployment->state > ALIVE || deployment->why.code != CODE_OK;
}

const char *deployment_state_text(const struct deployment *deployment) {
	return states[deployment->state].name;
}

bool deployment_is_stuck(const struct deployment *deployment) {
	return deployment->stuck;
}

bool deployment_was_unreachable(const struct deployment *deployment) {
	return deployment->was_unreachable;
}

uint64_t deployment_fetch_us(const struct deployment *deployment) {
	return deployment->fetched_us - deployment->began_us;
}

uint64_t deployment_start_us(const struct deployment *deployment) {
	return deployment->alive_us - deployment->fetched_us;
}
