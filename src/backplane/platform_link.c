/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/platform_link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backplane/context.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "platform/registry.h"

struct found_key {
	struct list link;
	char key[KEY_MAX];
};

#define TO(state) (1u << (state))

/* The states that may follow each. */
static const unsigned allowed[PLATFORM_LINK_STATE_COUNT] = {
	[PLATFORM_LINK_CLOSED] = TO(PLATFORM_LINK_LISTING),
	[PLATFORM_LINK_LISTING] = TO(PLATFORM_LINK_LISTED) | TO(PLATFORM_LINK_CLOSED),
	[PLATFORM_LINK_LISTED] = TO(PLATFORM_LINK_SERVING) | TO(PLATFORM_LINK_CLOSED),
	[PLATFORM_LINK_SERVING] = TO(PLATFORM_LINK_CLOSED),
};

void platform_link_set_state(struct platform_link *link, enum platform_link_state state) {
	ASSERT(allowed[link->state] & TO(state));
	link->state = state;
}

/* --- what was found before the control side was loaded ------------------------------------------------------------ */

static void forget(struct found_key *found) {
	list_remove(&found->link);
	free(found);
}

static void forget_key(struct platform_link *link, const char *key) {
	LIST_FOREACH(item, &link->found) {
		struct found_key *found = LIST_ENTRY(item, struct found_key, link);
		if (strcmp(found->key, key) == 0)
			forget(found);
	}
}

static void keep(struct platform_link *link, const char *key) {
	struct found_key *found = mem_alloc(sizeof *found);
	snprintf(found->key, sizeof found->key, "%s", key);
	list_append(&link->found, &found->link);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void on_found(void *owner, const char *runner_key) {
	struct backplane *backplane = owner;
	if (backplane->platform.state != PLATFORM_LINK_SERVING) {
		keep(&backplane->platform, runner_key);
		return;
	}
	control_found(backplane_event(backplane), runner_key);
	backplane_event_done(backplane);
}

static void stop_waiting(struct backplane *backplane) {
	timer_stop(&backplane->loop, &backplane->platform.limit);
	loop_stop(&backplane->loop);
}

static void on_listed(void *owner, const struct error *err) {
	struct backplane *backplane = owner;
	struct platform_link *link = &backplane->platform;
	if (link->state != PLATFORM_LINK_LISTING)
		return; /* too late */
	link->failed = err != NULL;
	if (err != NULL)
		link->err = *err;
	else
		platform_link_set_state(link, PLATFORM_LINK_LISTED);
	stop_waiting(backplane);
}

static void on_limit(struct timer *timer) {
	struct backplane *backplane = CONTAINER_OF(timer, struct backplane, platform.limit);
	backplane->platform.failed = true;
	error_set(&backplane->platform.err, CODE_DEADLINE_EXCEEDED,
		  "the platform \"%s\" has not listed its Runners within %" PRIu64 " ms",
		  backplane->options->platform->driver->name, backplane->platform.limit_ms);
	stop_waiting(backplane);
}

static void on_progress(void *owner, const char *runner_key, const char *text) {
	struct backplane *backplane = owner;
	if (backplane->platform.state != PLATFORM_LINK_SERVING)
		return;
	control_runner_progress(backplane_event(backplane), runner_key, text);
	backplane_event_done(backplane);
}

static void on_exited(void *owner, const char *runner_key, const char *why, const struct last_lines *lines) {
	struct backplane *backplane = owner;
	const char *oldest_first[LAST_LINES_MAX];
	if (backplane->platform.state != PLATFORM_LINK_SERVING) {
		forget_key(&backplane->platform, runner_key);
		return;
	}
	for (size_t i = 0; i < lines->count; i++)
		oldest_first[i] = last_lines_get(lines, i);
	failpoint(FAILPOINT_RUNNER_EXITED);
	control_runner_exited(backplane_event(backplane), runner_key, &(struct cause){why, oldest_first, lines->count});
	backplane_event_done(backplane);
}

static const struct platform_events events = {
	.found = on_found,
	.listed = on_listed,
	.progress = on_progress,
	.exited = on_exited,
};

/* --- life --------------------------------------------------------------------------------------------------------- */

static struct platform *open_driver(struct backplane *backplane, struct error *err) {
	const struct backplane_options *options = backplane->options;
	char *folder = mem_printf("%s/run", backplane->data_folder);
	struct platform *platform = platform_open(options->platform,
						  (struct platform_options){
							  .loop = &backplane->loop,
							  .folder = folder,
							  .runner = {.program = options->program,
								     .busy_poll_us = options->busy_poll_us,
								     .start_timeout_ms = options->start_timeout_ms,
								     .orphan_timeout_ms = options->orphan_timeout_ms},
							  .events = &events,
							  .owner = backplane,
						  },
						  err);
	free(folder);
	return platform;
}

int platform_link_open(struct backplane *backplane, uint64_t limit_ms, struct error *err) {
	struct platform_link *link = &backplane->platform;
	list_init(&link->found);
	link->limit.fire = on_limit;
	link->platform = open_driver(backplane, err);
	if (link->platform == NULL)
		return -1;
	platform_link_set_state(link, PLATFORM_LINK_LISTING);
	uv_update_time(&backplane->loop.uv);
	link->limit_ms = limit_ms;
	timer_start(&backplane->loop, &link->limit, limit_ms);
	link->platform->ops->start(link->platform);
	loop_run(&backplane->loop);
	if (!link->failed)
		return 0;
	*err = link->err;
	return -1;
}

void platform_link_begin(struct backplane *backplane) {
	struct platform_link *link = &backplane->platform;
	platform_link_set_state(link, PLATFORM_LINK_SERVING);
	LIST_FOREACH(item, &link->found) {
		struct found_key *found = LIST_ENTRY(item, struct found_key, link);
		control_found(&backplane->control, found->key);
		forget(found);
	}
}

void platform_link_close(struct backplane *backplane) {
	struct platform_link *link = &backplane->platform;
	if (link->platform == NULL)
		return;
	timer_stop(&backplane->loop, &link->limit);
	link->platform->ops->close(link->platform);
	link->platform = NULL;
	LIST_FOREACH(item, &link->found)
		forget(LIST_ENTRY(item, struct found_key, link));
	platform_link_set_state(link, PLATFORM_LINK_CLOSED);
}

/* --- orders ------------------------------------------------------------------------------------------------------- */

void platform_link_create(struct backplane *backplane, const char *runner_key, const char *language) {
	struct platform *platform = backplane->platform.platform;
	if (platform != NULL)
		platform->ops->create(platform, &(struct runner_spec){.key = runner_key,
								      .language = language,
								      .backplane = backplane->inner_endpoint,
								      .epoch = backplane->writer.epoch});
}

void platform_link_destroy(struct backplane *backplane, const char *runner_key) {
	struct platform *platform = backplane->platform.platform;
	if (platform != NULL)
		platform->ops->destroy(platform, runner_key, backplane->writer.epoch);
}
