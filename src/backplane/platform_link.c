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

/* For each state the set of allowed next states. */
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

/* --- Runners that were found before the control side was loaded --------------------------------------------------- */

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
	struct platform_link *link = owner;
	if (link->state != PLATFORM_LINK_SERVING) {
		keep(link, runner_key);
		return;
	}
	control_found(context_event(link->context), runner_key);
	context_event_done(link->context);
}

static void stop_waiting(struct platform_link *link) {
	timer_stop(&link->context->loop, &link->limit);
	loop_stop(&link->context->loop);
}

static void on_listed(void *owner, const struct error *err) {
	struct platform_link *link = owner;
	if (link->state != PLATFORM_LINK_LISTING)
		return; /* the limit came first */
	link->failed = err != NULL;
	if (err != NULL)
		link->err = *err;
	else
		platform_link_set_state(link, PLATFORM_LINK_LISTED);
	stop_waiting(link);
}

static void on_limit(struct timer *timer) {
	struct platform_link *link = CONTAINER_OF(timer, struct platform_link, limit);
	link->failed = true;
	error_set(&link->err, CODE_DEADLINE_EXCEEDED,
		  "the platform \"%s\" has not listed its Runners within %" PRIu64 " ms",
		  link->context->options->platform->driver->name, link->limit_ms);
	stop_waiting(link);
}

static void on_progress(void *owner, const char *runner_key, const char *text) {
	struct platform_link *link = owner;
	if (link->state != PLATFORM_LINK_SERVING)
		return;
	control_runner_progress(context_event(link->context), runner_key, text);
	context_event_done(link->context);
}

static void on_exited(void *owner, const char *runner_key, const char *why, const struct last_lines *lines) {
	struct platform_link *link = owner;
	const char *oldest_first[LAST_LINES_MAX];
	if (link->state != PLATFORM_LINK_SERVING) {
		forget_key(link, runner_key);
		return;
	}
	for (size_t i = 0; i < lines->count; i++)
		oldest_first[i] = last_lines_get(lines, i);
	failpoint(FAILPOINT_RUNNER_EXITED);
	control_runner_exited(context_event(link->context), runner_key,
			      &(struct cause){why, oldest_first, lines->count});
	context_event_done(link->context);
}

static const struct platform_events events = {
	.found = on_found,
	.listed = on_listed,
	.progress = on_progress,
	.exited = on_exited,
};

/* --- life --------------------------------------------------------------------------------------------------------- */

static struct platform *open_driver(struct platform_link *link, struct error *err) {
	const struct backplane_options *options = link->context->options;
	char *folder = mem_printf("%s/run", link->context->data.folder);
	struct platform *platform = platform_open(options->platform,
						  (struct platform_options){
							  .loop = &link->context->loop,
							  .folder = folder,
							  .runner = {.program = options->program,
								     .busy_poll_us = options->busy_poll_us,
								     .start_timeout_ms = options->start_timeout_ms,
								     .orphan_timeout_ms = options->orphan_timeout_ms,
								     .child_ping_ms = options->child_ping_ms},
							  .events = &events,
							  .owner = link,
						  },
						  err);
	free(folder);
	return platform;
}

int platform_link_open(struct platform_link *link, uint64_t limit_ms, struct error *err) {
	struct loop *loop = &link->context->loop;
	list_init(&link->found);
	link->limit.fire = on_limit;
	link->platform = open_driver(link, err);
	if (link->platform == NULL)
		return -1;
	platform_link_set_state(link, PLATFORM_LINK_LISTING);
	uv_update_time(&loop->uv);
	link->limit_ms = limit_ms;
	timer_start(loop, &link->limit, limit_ms);
	link->platform->ops->start(link->platform);
	loop_run(loop);
	if (!link->failed)
		return 0;
	*err = link->err;
	return -1;
}

void platform_link_begin(struct platform_link *link) {
	platform_link_set_state(link, PLATFORM_LINK_SERVING);
	LIST_FOREACH(item, &link->found) {
		struct found_key *found = LIST_ENTRY(item, struct found_key, link);
		control_found(&link->context->control, found->key);
		forget(found);
	}
}

void platform_link_close(struct platform_link *link) {
	if (link->platform == NULL)
		return;
	timer_stop(&link->context->loop, &link->limit);
	link->platform->ops->close(link->platform);
	link->platform = NULL;
	LIST_FOREACH(item, &link->found)
		forget(LIST_ENTRY(item, struct found_key, link));
	platform_link_set_state(link, PLATFORM_LINK_CLOSED);
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

void platform_link_create(struct platform_link *link, const char *runner_key, const char *language) {
	struct platform *platform = link->platform;
	if (platform != NULL)
		platform->ops->create(platform, &(struct runner_spec){.key = runner_key,
								      .language = language,
								      .backplane = link->context->runner_endpoint,
								      .epoch = link->context->data.writer.epoch});
}

void platform_link_destroy(struct platform_link *link, const char *runner_key) {
	struct platform *platform = link->platform;
	if (platform != NULL)
		platform->ops->destroy(platform, runner_key, link->context->data.writer.epoch);
}
