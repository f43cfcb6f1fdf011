/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/waiting.h"

#include "backplane/context.h"
#include "backplane/route_builder.h"
#include "base/clock.h"
#include "base/log.h"

enum { TEXT_MAX = 16 << 10 };

/* Adds a name; those after the first WAITING_NAMES_MAX are only counted. A name that does not fit is left out. */
static void add_name(struct buf *text, size_t count, const char *module, const char *runner_key) {
	const char *separator = count == 1 ? "" : ", ";
	if (count > WAITING_NAMES_MAX)
		return;
	int full UNUSED = module != NULL ? buf_printf(text, "%s%s on %s", separator, module, runner_key)
					 : buf_printf(text, "%s%s, which is idle", separator, runner_key);
}

static void end_names(struct buf *text, size_t count) {
	if (count <= WAITING_NAMES_MAX)
		return;
	int full UNUSED = buf_printf(text, ", and %zu more", count - WAITING_NAMES_MAX);
}

static const char *module_of(const struct runner *runner) {
	return runner->deployment != NULL ? runner->deployment->module->name : NULL;
}

size_t waiting_name_runners(const struct control *control, struct buf *text) {
	size_t count = 0;
	LIST_FOREACH(link, &control->books.all_runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		if (runner->managed)
			add_name(text, ++count, module_of(runner), runner->key);
	}
	end_names(text, count);
	return count;
}

/* The calls of each module that has some. */
static size_t name_calls(const struct waiting *waiting, struct buf *text) {
	size_t modules = 0, calls = 0;
	LIST_FOREACH(link, &waiting->context->control.books.all_runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		unsigned here = route_builder_calls(waiting->routes, runner);
		if (module_of(runner) == NULL || here == 0)
			continue;
		calls += here;
		add_name(text, ++modules, module_of(runner), runner->key);
	}
	end_names(text, modules);
	return calls;
}

static void tell_calls(const struct waiting *waiting) {
	struct buf text = BUF_INIT(TEXT_MAX);
	char limit[TIME_TEXT_MAX];
	duration_format(limit, (int64_t)waiting->context->options->drain_timeout_ms);
	size_t calls = name_calls(waiting, &text);
	struct str names = buf_view(&text);
	log_info("waiting for %zu call%s in progress, at most %s in all%s%.*s", calls, calls == 1 ? "" : "s", limit,
		 names.len > 0 ? ": " : "", STR_ARG(names));
	buf_deinit(&text);
}

/* The time until the Platform kills the last of them. */
static uint64_t time_left_ms(const struct control *control) {
	uint64_t left_ms = 0;
	LIST_FOREACH(link, &control->books.all_runners) {
		const struct runner *runner = LIST_ENTRY(link, struct runner, in_control);
		if (runner->managed && runner->due_ms > control->time.now_ms)
			left_ms = MAX(left_ms, runner->due_ms - control->time.now_ms);
	}
	return left_ms;
}

static void tell_runners(const struct control *control) {
	struct buf text = BUF_INIT(TEXT_MAX);
	char limit[TIME_TEXT_MAX];
	duration_format(limit, (int64_t)time_left_ms(control));
	size_t count = waiting_name_runners(control, &text);
	struct str names = buf_view(&text);
	log_info("waiting for %zu Runner%s to end, at most %s: %.*s", count, count == 1 ? "" : "s", limit,
		 STR_ARG(names));
	buf_deinit(&text);
}

static void on_timer(struct timer *timer) {
	struct waiting *waiting = CONTAINER_OF(timer, struct waiting, timer);
	switch (waiting->context->state) {
	case BACKPLANE_DRAINING:
	case BACKPLANE_LEAVING:
		tell_calls(waiting);
		break;
	case BACKPLANE_ENDING:
		tell_runners(context_event(waiting->context));
		break;
	case BACKPLANE_SERVING:
	case BACKPLANE_STOPPED:
		return;
	}
	timer_start(&waiting->context->loop, timer, WAITING_AGAIN_MS);
}

void waiting_start(struct waiting *waiting, struct context *context, const struct route_builder *routes) {
	waiting->context = context;
	waiting->routes = routes;
	waiting->timer.fire = on_timer;
	timer_start(&context->loop, &waiting->timer, WAITING_FIRST_MS);
}

void waiting_stop(struct waiting *waiting) {
	if (waiting->context != NULL)
		timer_stop(&waiting->context->loop, &waiting->timer);
}
