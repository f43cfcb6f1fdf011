/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/host_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/thread.h"
#include "module/module_host.h"
#include "runner/output_capture.h"

struct library_host {
	struct host host;
	enum library_host_state state;
	struct module_host *module; /* NULL: not loaded yet */
	struct output_capture *output; /* what it prints, until the end */
	struct timer limit; /* of the loading and the start, then of the stop */
	struct {
		pthread_t thread;
		struct task loaded;
		/* Written by the thread, and read by the loop after `loaded`. */
		const struct ftl_module *module;
		struct error err;
	} loading;
};

static struct library_host *library_of(struct host *host) {
	return CONTAINER_OF(host, struct library_host, host);
}

static size_t library_calls(const struct host *host) {
	const struct library_host *library = CONTAINER_OF(host, const struct library_host, host);
	return library->module == NULL ? 0 : module_host_calls(library->module);
}

#define TO(state) (1u << (state))

void library_host_move(enum library_host_state *state, enum library_host_state next) {
	static const unsigned allowed[] = {
		[LIBRARY_LOADING] = TO(LIBRARY_LOADING_TO_END) | TO(LIBRARY_STARTING) | TO(LIBRARY_ENDED),
		[LIBRARY_LOADING_TO_END] = TO(LIBRARY_ENDED),
		[LIBRARY_STARTING] = TO(LIBRARY_STARTING_TO_END) | TO(LIBRARY_ALIVE) | TO(LIBRARY_ENDED),
		[LIBRARY_STARTING_TO_END] = TO(LIBRARY_CANCELLING) | TO(LIBRARY_ENDED),
		[LIBRARY_ALIVE] = TO(LIBRARY_CANCELLING),
		[LIBRARY_CANCELLING] = TO(LIBRARY_STOPPING) | TO(LIBRARY_ENDED),
		[LIBRARY_STOPPING] = TO(LIBRARY_ENDED),
		[LIBRARY_ENDED] = 0,
	};
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

/* --- what it says ------------------------------------------------------------------------------------------------- */

static void on_log(void *owner, const struct module_log *said) {
	struct library_host *library = owner;
	struct buf attributes = BUF_INIT(KIB(64));
	if (said->verb[0] != '\0' && strlen(said->request_id) < KIB(4)) {
		int over = buf_append(&attributes, STR("{\"verb\":"));
		text_quote(&attributes, str_from(said->verb));
		over |= buf_append(&attributes, STR(",\"request_id\":"));
		text_quote(&attributes, str_from(said->request_id));
		over |= buf_append(&attributes, STR("}"));
		ASSERT(over == 0);
	}
	int over = buf_append(&attributes, str_new("", 1));
	ASSERT(over == 0);
	const struct log_line line = {.time_ms = clock_wall_ms(),
				      .level = said->level,
				      .message = said->message,
				      .attributes = buf_view(&attributes).ptr};
	logs_add(library->host.options.logs, library->host.options.module, library->host.options.deployment_key, &line);
	buf_deinit(&attributes);
	host_keep_line(&library->host, str_from(said->message));
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void library_free(struct library_host *library) {
	host_deinit(&library->host);
	free(library);
}

static void end(struct library_host *library, const struct error *why, bool stuck) {
	library_host_move(&library->state, LIBRARY_ENDED);
	timer_stop(library->host.options.loop, &library->limit);
	output_capture_give_back(library->output);
	host_tell_ended(&library->host, why, stuck);
	if (stuck)
		return; /* a thread still uses it */
	if (library->module != NULL)
		module_host_free(library->module);
	library_free(library);
}

static void on_limit(struct timer *timer) {
	struct library_host *library = CONTAINER_OF(timer, struct library_host, limit);
	const struct host_options *options = &library->host.options;
	struct error why;
	char limit[TIME_TEXT_MAX];
	duration_format(limit, (int64_t)options->start_timeout_ms);
	if (library->state == LIBRARY_LOADING)
		error_set(&why, CODE_DEADLINE_EXCEEDED, "the loading of %s did not end within %s", options->entry,
			  limit);
	else if (library->state == LIBRARY_STARTING)
		error_set(&why, CODE_DEADLINE_EXCEEDED, "the start of module %s did not return within %s",
			  options->module, limit);
	else
		error_set(&why, CODE_CANCELLED, "stopped while %zu calls were running", library_calls(&library->host));
	end(library, &why, true);
}

static void stop_when_idle(struct library_host *library) {
	if (module_host_calls(library->module) > 0)
		return;
	library_host_move(&library->state, LIBRARY_STOPPING);
	module_host_stop(library->module);
}

static void cancel(struct library_host *library) {
	library_host_move(&library->state, LIBRARY_CANCELLING);
	module_host_cancel(library->module);
	stop_when_idle(library);
}

static void library_stop(struct host *host) {
	struct library_host *library = library_of(host);
	switch (library->state) {
	case LIBRARY_LOADING:
		library_host_move(&library->state, LIBRARY_LOADING_TO_END);
		break;
	case LIBRARY_STARTING:
		library_host_move(&library->state, LIBRARY_STARTING_TO_END);
		break;
	case LIBRARY_ALIVE:
		cancel(library);
		break;
	case LIBRARY_LOADING_TO_END:
	case LIBRARY_STARTING_TO_END:
	case LIBRARY_CANCELLING:
	case LIBRARY_STOPPING:
	case LIBRARY_ENDED:
		return;
	}
	timer_start(host->options.loop, &library->limit, host->options.kill_timeout_ms);
}

/* --- the module's events ------------------------------------------------------------------------------------------ */

static void on_started(void *owner, const struct error *err) {
	struct library_host *library = owner;
	if (err != NULL) {
		end(library, err, false);
	} else if (library->state == LIBRARY_STARTING_TO_END) {
		cancel(library);
	} else {
		timer_stop(library->host.options.loop, &library->limit);
		library_host_move(&library->state, LIBRARY_ALIVE);
		library->host.options.events->alive(&library->host);
	}
}

static void on_idle(void *owner) {
	struct library_host *library = owner;
	if (library->state == LIBRARY_CANCELLING)
		stop_when_idle(library);
	else
		library->host.options.events->idle(&library->host);
}

static void end_as_told(struct library_host *library) {
	struct error why;
	error_set(&why, CODE_CANCELLED, "stopped");
	end(library, &why, false);
}

static void on_stopped(void *owner) {
	end_as_told(owner);
}

static const struct module_events module_events = {
	.started = on_started, .idle = on_idle, .stopped = on_stopped, .log = on_log};

/* --- calls -------------------------------------------------------------------------------------------------------- */

static void library_call(struct host *host, struct rpc_stream *stream) {
	module_host_call(library_of(host)->module, stream);
}

static void library_list(struct host *host, struct rpc_stream *stream) {
	module_host_list(library_of(host)->module, stream);
}

static const struct host_ops library_ops = {
	.call = library_call, .list = library_list, .stop = library_stop, .calls = library_calls};

/* --- the start ---------------------------------------------------------------------------------------------------- */

static const struct ftl_module *load(const char *path, struct error *err) {
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL) {
		error_set(err, CODE_FAILED_PRECONDITION, "could not be loaded: %s", dlerror());
		return NULL;
	}
	const struct ftl_module *module = dlsym(handle, "ftl_module");
	if (module == NULL)
		error_set(err, CODE_FAILED_PRECONDITION,
			  "exports no constant ftl_module (see FTL_MODULE in ftl/module.h)");
	return module;
}

static const struct ftl_module *load_module(const struct host_options *options, struct error *err) {
	char *path = mem_printf("%s/%s", options->folder, options->entry);
	const struct ftl_module *module = load(path, err);
	free(path);
	if (module == NULL || module_check(module, err) < 0)
		return NULL;
	if (strcmp(module->name, options->module) == 0)
		return module;
	error_set(err, CODE_FAILED_PRECONDITION, "the file is the module %.100s, and was deployed as %s", module->name,
		  options->module);
	return NULL;
}

static void *run_loading(void *data) {
	struct library_host *library = data;
	char fault_stack[THREAD_FAULT_STACK_SIZE];
	thread_set_fault_stack(fault_stack);
	thread_unblock_signals();
	library->loading.module = load_module(&library->host.options, &library->loading.err);
	if (library->loading.module == NULL)
		error_wrap(&library->loading.err, "%s", library->host.options.entry);
	loop_post(library->host.options.loop, &library->loading.loaded);
	return NULL;
}

static void on_loaded(struct task *task) {
	struct library_host *library = CONTAINER_OF(task, struct library_host, loading.loaded);
	const struct host_options *options = &library->host.options;
	pthread_join(library->loading.thread, NULL);
	if (library->state == LIBRARY_ENDED)
		return; /* its limit passed a moment before */
	if (library->loading.module == NULL) {
		end(library, &library->loading.err, false);
		return;
	}
	if (library->state == LIBRARY_LOADING_TO_END) {
		end_as_told(library);
		return;
	}
	library_host_move(&library->state, LIBRARY_STARTING);
	library->module = module_host_new(&(struct module_host_options){
		.loop = options->loop,
		.module = library->loading.module,
		.deployment = options->deployment_key,
		.working_dir = options->working_dir,
		.backplane = options->backplane,
		.events = &module_events,
		.owner = library,
	});
}

struct host *host_library_start(const struct host_options *options, struct error *err) {
	struct library_host *library = mem_zalloc(sizeof *library);
	host_init(&library->host, &library_ops, options);
	library->limit.fire = on_limit;
	library->loading.loaded.run = on_loaded;
	library->output = output_capture_take(&(struct output_capture_options){.on_stdout = host_on_line,
									       .on_stderr = host_on_line,
									       .data = &library->host,
									       .folder = options->work_folder},
					      err);
	if (library->output == NULL) {
		library_free(library);
		return NULL;
	}
	int failed = thread_start(&library->loading.thread, 0, run_loading, library);
	if (failed != 0) {
		output_capture_give_back(library->output);
		library_free(library);
		error_set_errno(err, failed, "%s: no thread could be started to load it", options->entry);
		return NULL;
	}
	timer_start(options->loop, &library->limit, options->start_timeout_ms);
	return &library->host;
}
