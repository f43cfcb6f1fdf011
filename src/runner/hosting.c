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

struct hosting {
	struct hosting_options options;
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

static void move_to(struct hosting *hosting, enum state next) {
	ASSERT(states[hosting->state].next & MAY(next));
	hosting->state = next;
}

/* --- ENDED -------------------------------------------------------------------------------------------------------- */

static void remove_folder(const char *folder) {
	struct error err;
	if (path_remove_tree(folder, &err) < 0)
		log_failure(LOG_WARN, &err, "left over from a deployment");
}

static void on_end(struct timer *timer) {
	struct hosting *hosting = CONTAINER_OF(timer, struct hosting, step);
	remove_folder(hosting->folder);
	remove_folder(hosting->working_dir);
	hosting->options.events->ended(hosting, &hosting->why, &hosting->last_lines);
	if (hosting->stuck)
		return; /* what still runs reads our texts */
	layout_deinit(&hosting->fetch.layout);
	last_lines_deinit(&hosting->last_lines);
	free(hosting->folder);
	free(hosting->working_dir);
	free(hosting);
}

static void end(struct hosting *hosting, const struct error *why) {
	move_to(hosting, ENDED);
	if (hosting->why.code == CODE_OK)
		hosting->why = *why;
	timer_stop(hosting->options.loop, &hosting->grace);
	hosting->step.fire = on_end;
	timer_start(hosting->options.loop, &hosting->step, 0);
}

/* --- STARTING, ALIVE, DRAINING, STOPPING -------------------------------------------------------------------------- */

static void stop(struct hosting *hosting) {
	move_to(hosting, STOPPING);
	timer_stop(hosting->options.loop, &hosting->grace);
	host_stop(hosting->host);
}

static void on_alive(struct host *host) {
	struct hosting *hosting = host->options.owner;
	if (hosting->state != STARTING)
		return;
	move_to(hosting, ALIVE);
	hosting->alive_us = clock_us();
	hosting->options.events->alive(hosting);
}

static void on_idle(struct host *host) {
	struct hosting *hosting = host->options.owner;
	if (hosting->state == DRAINING)
		stop(hosting);
}

static void on_ended(struct host *host, const struct error *why, bool stuck) {
	struct hosting *hosting = host->options.owner;
	hosting->stuck = stuck;
	hosting->last_lines = host->last_lines;
	host->last_lines = (struct last_lines){0};
	hosting->host = NULL;
	end(hosting, why);
}

static const struct host_events host_events = {.alive = on_alive, .idle = on_idle, .ended = on_ended};

static void on_grace_over(struct timer *timer) {
	struct hosting *hosting = CONTAINER_OF(timer, struct hosting, grace);
	stop(hosting);
}

bool hosting_is_library(const struct hosting *hosting) {
	return hosting->fetch.entry != NULL && str_ends_with(str_from(hosting->fetch.entry), STR(".so"));
}

static int check_entry(const struct hosting *hosting, struct error *err) {
	const struct fetch *fetch = &hosting->fetch;
	const struct layout_file *entry = layout_find(&fetch->layout, str_from(fetch->entry));
	if (entry == NULL)
		return error_set(
			err, CODE_FAILED_PRECONDITION,
			"the entry \"%s\" is not among the %zu files of the deployment; name it in ftl.toml: entry = \"…\"",
			fetch->entry, fetch->layout.count);
	if (!entry->executable && !hosting_is_library(hosting))
		return error_set(err, CODE_FAILED_PRECONDITION,
				 "the entry \"%s\" is not executable; make it so (chmod +x) and deploy again",
				 fetch->entry);
	return 0;
}

static int start(struct hosting *hosting, struct error *err) {
	const struct hosting_options *options = &hosting->options;
	const struct host_options host = {
		.loop = options->loop,
		.deployment_key = hosting->key,
		.module = hosting->fetch.module,
		.folder = hosting->folder,
		.working_dir = hosting->working_dir,
		.work_folder = options->work_folder,
		.entry = hosting->fetch.entry,
		.unix_socket = strcmp(hosting->fetch.bind, "unix") == 0,
		.backplane_endpoint = options->backplane_endpoint,
		.backplane = options->backplane,
		.logs = options->logs,
		.start_timeout_ms = options->start_timeout_ms,
		.kill_timeout_ms = options->kill_timeout_ms,
		.events = &host_events,
		.owner = hosting,
	};
	if (check_entry(hosting, err) < 0 || path_make_folders(hosting->working_dir, err) < 0)
		return -1;
	hosting->host = hosting_is_library(hosting) ? host_library_start(&host, err) : host_process_start(&host, err);
	return hosting->host == NULL ? -1 : 0;
}

/* --- FETCHING, CHECKING ------------------------------------------------------------------------------------------- */

static void on_check(struct timer *timer) {
	struct hosting *hosting = CONTAINER_OF(timer, struct hosting, step);
	struct error err;
	int more = layout_check_step(&hosting->fetch.layout, &err);
	if (more < 0) {
		end(hosting, &err);
	} else if (more > 0) {
		timer_start(hosting->options.loop, timer, 0);
	} else {
		hosting->fetched_us = clock_us();
		move_to(hosting, STARTING);
		if (start(hosting, &err) < 0)
			end(hosting, &err);
	}
}

/* Another Runner, or this one a moment later, may fare better. */
static bool is_passing(enum code code) {
	return code == CODE_UNAVAILABLE || code == CODE_DEADLINE_EXCEEDED || code == CODE_CANCELLED ||
	       code == CODE_RESOURCE_EXHAUSTED || code == CODE_ABORTED || code == CODE_UNKNOWN;
}

static void on_fetched(struct fetch *fetch, const struct error *err) {
	struct hosting *hosting = CONTAINER_OF(fetch, struct hosting, fetch);
	if (err != NULL) {
		hosting->was_unreachable = is_passing(err->code);
		end(hosting, err);
		return;
	}
	move_to(hosting, CHECKING);
	hosting->step.fire = on_check;
	timer_start(hosting->options.loop, &hosting->step, 0);
}

static void on_begin(struct timer *timer) {
	struct hosting *hosting = CONTAINER_OF(timer, struct hosting, step);
	struct error err;
	/* What a Runner of the same folder left behind is of no use. */
	if (path_remove_tree(hosting->folder, &err) < 0 || path_remove_tree(hosting->working_dir, &err) < 0 ||
	    path_make_folders(hosting->folder, &err) < 0)
		end(hosting, &err);
	else
		fetch_start(&hosting->fetch);
}

/* --- the interface ------------------------------------------------------------------------------------------------ */

int hosting_check_key(const char *key, struct error *err) {
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

struct hosting *hosting_new(const char *key, const struct hosting_options *options) {
	struct hosting *hosting = mem_zalloc(sizeof *hosting);
	hosting->options = *options;
	hosting->began_us = clock_us();
	snprintf(hosting->key, sizeof hosting->key, "%s", key);
	hosting->folder = mem_printf("%s/%s", options->work_folder, key);
	hosting->working_dir = mem_printf("%s/%s.work", options->work_folder, key);
	hosting->grace.fire = on_grace_over;
	hosting->fetch =
		(struct fetch){.backplane = options->backplane, .deployment_key = hosting->key, .done = on_fetched};
	layout_init(&hosting->fetch.layout, hosting->folder);
	hosting->step.fire = on_begin;
	timer_start(options->loop, &hosting->step, 0);
	return hosting;
}

void hosting_call(struct hosting *hosting, struct rpc_stream *stream) {
	if (hosting->state == ALIVE)
		hosting->host->ops->call(hosting->host, stream);
	else
		rpc_refuse(stream);
}

void hosting_list(struct hosting *hosting, struct rpc_stream *stream) {
	if (hosting->state == ALIVE)
		hosting->host->ops->list(hosting->host, stream);
	else
		rpc_refuse(stream);
}

static void drain(struct hosting *hosting, uint64_t grace_ms) {
	struct loop *loop = hosting->options.loop;
	bool is_first = hosting->state == ALIVE;
	if (is_first)
		move_to(hosting, DRAINING);
	if (host_calls(hosting->host) == 0)
		stop(hosting);
	else if (is_first || loop_now_ms(loop) + grace_ms < hosting->grace.due.key)
		timer_start(loop, &hosting->grace, grace_ms);
}

void hosting_terminate(struct hosting *hosting, uint64_t grace_ms) {
	struct error why;
	error_set(&why, CODE_CANCELLED, "it was terminated while it was %s", states[hosting->state].name);
	switch (hosting->state) {
	case FETCHING:
		hosting->why = why;
		if (timer_is_running(&hosting->step))
			end(hosting, &why); /* it has not begun */
		else
			fetch_cancel(&hosting->fetch);
		break;
	case CHECKING:
		end(hosting, &why);
		break;
	case STARTING:
		hosting->why = why;
		stop(hosting);
		break;
	case ALIVE:
	case DRAINING:
		if (hosting->why.code == CODE_OK)
			error_set(&hosting->why, CODE_CANCELLED, "it was terminated");
		drain(hosting, grace_ms);
		break;
	case STOPPING:
	case ENDED:
		break;
	}
}

const char *hosting_key(const struct hosting *hosting) {
	return hosting->key;
}

void *hosting_owner(const struct hosting *hosting) {
	return hosting->options.owner;
}

bool hosting_is_alive(const struct hosting *hosting) {
	return hosting->state == ALIVE;
}

bool hosting_is_ending(const struct hosting *hosting) {
	return hosting->state > ALIVE || hosting->why.code != CODE_OK;
}

const char *hosting_state_text(const struct hosting *hosting) {
	return states[hosting->state].name;
}

bool hosting_is_stuck(const struct hosting *hosting) {
	return hosting->stuck;
}

bool hosting_was_unreachable(const struct hosting *hosting) {
	return hosting->was_unreachable;
}

uint64_t hosting_fetch_us(const struct hosting *hosting) {
	return hosting->fetched_us - hosting->began_us;
}

uint64_t hosting_start_us(const struct hosting *hosting) {
	return hosting->alive_us - hosting->fetched_us;
}
