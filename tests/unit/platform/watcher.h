/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The owner of a Platform in tests: notes its events and sees that they keep the rules.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../cmocka_test.h"

#include "base/memory.h"
#include "base/path.h"
#include "base/random.h"
#include "platform/registry.h"

enum { WATCHER_KEYS_MAX = 64, WATCHER_PATIENCE_MS = 10000 };

struct watcher {
	struct loop loop;
	char folder[64]; /* of the test; the platform's is below it */
	char *run; /* the platform's */
	struct platform *platform;
	bool is_inside; /* a call */
	bool is_closed;
	bool closes_at_exit; /* within the event */
	char found[WATCHER_KEYS_MAX][KEY_MAX];
	size_t found_count;
	bool listed;
	struct error listing_error;
	unsigned progress_count;
	struct watcher_exit {
		char key[KEY_MAX], why[256];
		char *last_line; /* NULL: none */
	} exits[WATCHER_KEYS_MAX];
	size_t exit_count;
};

static inline void watcher_close(struct watcher *watcher) {
	bool was_inside = watcher->is_inside;
	watcher->is_inside = watcher->is_closed = true;
	watcher->platform->ops->close(watcher->platform);
	watcher->is_inside = was_inside;
	watcher->platform = NULL;
}

static inline struct watcher *watcher_check(void *owner) {
	struct watcher *watcher = owner;
	if (watcher->is_inside)
		fail_msg("an event came from inside a call");
	if (watcher->is_closed)
		fail_msg("an event came after close");
	return watcher;
}

static inline void watcher_on_found(void *owner, const char *key) {
	struct watcher *watcher = watcher_check(owner);
	assert_true(watcher->found_count < WATCHER_KEYS_MAX);
	snprintf(watcher->found[watcher->found_count++], KEY_MAX, "%s", key);
}

static inline void watcher_on_listed(void *owner, const struct error *err) {
	struct watcher *watcher = watcher_check(owner);
	assert_false(watcher->listed);
	watcher->listed = true;
	if (err != NULL)
		watcher->listing_error = *err;
}

static inline void watcher_on_progress(void *owner, const char *key UNUSED, const char *text) {
	struct watcher *watcher = watcher_check(owner);
	assert_true(strlen(text) > 0);
	watcher->progress_count++;
}

static inline void watcher_on_exited(void *owner, const char *key, const char *why, const struct last_lines *lines) {
	struct watcher *watcher = watcher_check(owner);
	assert_true(watcher->exit_count < WATCHER_KEYS_MAX);
	struct watcher_exit *seen = &watcher->exits[watcher->exit_count++];
	snprintf(seen->key, sizeof seen->key, "%s", key);
	snprintf(seen->why, sizeof seen->why, "%s", why);
	if (lines->count > 0)
		seen->last_line = mem_strdup(last_lines_get(lines, lines->count - 1));
	if (watcher->closes_at_exit)
		watcher_close(watcher);
}

static inline void watcher_open(struct watcher *watcher, const struct platform_driver *driver, const char *options,
				const char *program) {
	static const struct platform_events events = {
		.found = watcher_on_found,
		.listed = watcher_on_listed,
		.progress = watcher_on_progress,
		.exited = watcher_on_exited,
	};
	char *text = mem_printf("%s%s%s", driver->name, options[0] != '\0' ? ":" : "", options);
	struct platform_choice choice;
	struct error err;
	if (platform_choose_among(&driver, 1, text, &choice, &err) < 0)
		fail_msg("%s", err.msg);
	watcher->platform = platform_open(&choice,
					  (struct platform_options){.loop = &watcher->loop,
								    .folder = watcher->run,
								    .runner = {.program = program,
									       .start_timeout_ms = 30000,
									       .orphan_timeout_ms = 120000,
									       .child_ping_ms = 2000},
								    .events = &events,
								    .owner = watcher},
					  &err);
	if (watcher->platform == NULL)
		fail_msg("%s", err.msg);
	platform_choice_deinit(&choice);
	free(text);
	watcher->is_closed = watcher->listed = false;
	watcher->found_count = watcher->exit_count = 0;
}

/* Until nothing is left on the loop, as at the end of a Backplane; then another one has a new loop. */
static inline void watcher_run_out(struct watcher *watcher) {
	loop_run_out(&watcher->loop);
	loop_deinit(&watcher->loop);
	loop_init(&watcher->loop);
}

static inline void watcher_nap(struct timer *timer UNUSED) {
}

/* One turn of the loop, 10 ms at most. */
static inline void watcher_turn(struct watcher *watcher) {
	struct timer nap = {.fire = watcher_nap};
	uv_update_time(&watcher->loop.uv);
	timer_start(&watcher->loop, &nap, 10);
	uv_run(&watcher->loop.uv, UV_RUN_ONCE);
	timer_stop(&watcher->loop, &nap);
}

static inline void watcher_pass(struct watcher *watcher, uint64_t ms) {
	uint64_t until_ns = uv_hrtime() + ms * 1000000;
	while (uv_hrtime() < until_ns)
		watcher_turn(watcher);
}

#define WATCHER_WAIT(watcher, condition)                                                   \
	do {                                                                               \
		uint64_t until_ns = uv_hrtime() + (uint64_t)WATCHER_PATIENCE_MS * 1000000; \
		while (!(condition) && uv_hrtime() < until_ns)                             \
			watcher_turn(watcher);                                             \
		assert_true(condition);                                                    \
	} while (0)

static inline void watcher_start(struct watcher *watcher) {
	watcher->is_inside = true;
	watcher->platform->ops->start(watcher->platform);
	watcher->is_inside = false;
}

static inline void watcher_create(struct watcher *watcher, const char *key, const char *language) {
	const struct runner_spec spec = {.key = key, .language = language, .backplane = "http://127.0.0.1:1"};
	watcher->is_inside = true;
	watcher->platform->ops->create(watcher->platform, &spec);
	watcher->is_inside = false;
}

static inline void watcher_destroy(struct watcher *watcher, const char *key) {
	watcher->is_inside = true;
	watcher->platform->ops->destroy(watcher->platform, key, 0);
	watcher->is_inside = false;
}

static inline unsigned watcher_count_exits(const struct watcher *watcher, const char *key) {
	unsigned count = 0;
	for (size_t i = 0; i < watcher->exit_count; i++)
		count += strcmp(watcher->exits[i].key, key) == 0;
	return count;
}

static inline const struct watcher_exit *watcher_wait_exit(struct watcher *watcher, const char *key) {
	WATCHER_WAIT(watcher, watcher_count_exits(watcher, key) > 0);
	assert_int_equal(watcher_count_exits(watcher, key), 1);
	for (size_t i = 0; i < watcher->exit_count; i++)
		if (strcmp(watcher->exits[i].key, key) == 0)
			return &watcher->exits[i];
	return NULL;
}

static inline bool watcher_has_found(const struct watcher *watcher, const char *key) {
	for (size_t i = 0; i < watcher->found_count; i++)
		if (strcmp(watcher->found[i], key) == 0)
			return true;
	return false;
}

static inline struct watcher *watcher_new(void) {
	struct watcher *watcher = mem_zalloc(sizeof *watcher);
	snprintf(watcher->folder, sizeof watcher->folder, "/tmp/ftl-platform-XXXXXX");
	assert_non_null(mkdtemp(watcher->folder));
	watcher->run = mem_printf("%s/run", watcher->folder);
	loop_init(&watcher->loop);
	return watcher;
}

static inline void watcher_free(struct watcher *watcher) {
	struct error err;
	watcher_run_out(watcher);
	loop_deinit(&watcher->loop);
	for (size_t i = 0; i < WATCHER_KEYS_MAX; i++)
		free(watcher->exits[i].last_line);
	assert_int_equal(path_remove_tree(watcher->folder, &err), 0);
	free(watcher->run);
	free(watcher);
}
