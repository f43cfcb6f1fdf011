/* SPDX-License-Identifier: Apache-2.0 */
#include "module/module_host.h"

#include <stdlib.h>

#include "base/memory.h"
#include "ftl.pb-c.h"
#include "module/module_call_out.h"
#include "module/module_context.h"
#include "module/module_request.h"
#include "pb/pb.h"

size_t module_host_calls(const struct module_host *host) {
	return host->call_count;
}

void module_host_call(struct module_host *host, struct rpc_stream *stream) {
	module_request_receive(host, stream);
}

void module_host_cancel(struct module_host *host) {
	LIST_FOREACH(link, &host->calls) {
		struct module_call *call = LIST_ENTRY(link, struct module_call, loop.link);
		atomic_store(&call->cancelled, true);
		module_call_cancel_out(call);
	}
}

/* --- List --------------------------------------------------------------------------------------------------------- */

static void on_list_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void on_list_data(struct rpc_stream *stream, struct str bytes) {
	rpc_consume(stream, bytes.len);
}

static void on_list_end(struct rpc_stream *stream) {
	const struct module_host *host = stream->owner;
	const struct ftl_module *module = host->options.module;
	Ftl__ListResponse response = FTL__LIST_RESPONSE__INIT;
	struct arena arena = ARENA_INIT(MIB(1));
	response.verbs = arena_alloc(&arena, (module->verb_count + 1) * sizeof *response.verbs);
	response.n_verbs = module->verb_count;
	for (size_t i = 0; i < module->verb_count; i++) {
		Schema__VerbRef *ref = arena_alloc(&arena, sizeof *ref);
		*ref = (Schema__VerbRef)SCHEMA__VERB_REF__INIT;
		ref->module = (char *)module->name;
		ref->name = (char *)module->verbs[i].name;
		response.verbs[i] = ref;
	}
	rpc_send(stream, pb_pack(&response.base, &arena));
	rpc_finish(stream, CODE_OK, "");
	arena_deinit(&arena);
}

static void on_list_closed(struct rpc_stream *stream UNUSED) {
}

static const struct rpc_events list_events = {
	.message = on_list_message, .data = on_list_data, .end = on_list_end, .closed = on_list_closed};

void module_host_list(struct module_host *host, struct rpc_stream *stream) {
	stream->owner = host;
	stream->events = &list_events;
}

/* --- start and stop of the module --------------------------------------------------------------------------------- */

static void run_start(struct verb_job *job) {
	struct module_call *call = CONTAINER_OF(job, struct module_call, job);
	call->result = module_call_go_on(call, call->host->options.module->start(&call->context));
	loop_post(call->host->options.loop, &call->done);
}

static void on_started(struct task *task) {
	struct module_call *call = CONTAINER_OF(task, struct module_call, done);
	struct module_host *host = call->host;
	host->user = call->context.user;
	struct error err;
	bool failed = call->result != 0 || call->code != CODE_OK;
	if (failed)
		error_set(&err, CODE_FAILED_PRECONDITION, "the start of module %s failed: %s", call->context.module,
			  call->failure         ? call->failure
			  : call->context.error ? call->context.error
						: "it did not say why (ftl_fail)");
	module_call_free(call);
	host->options.events->started(host->options.owner, failed ? &err : NULL);
}

static void run_stop(struct verb_job *job) {
	struct module_call *call = CONTAINER_OF(job, struct module_call, job);
	call->host->options.module->stop(&call->context);
	module_call_go_on(call, 0);
	loop_post(call->host->options.loop, &call->done);
}

static void on_stopped(struct task *task) {
	struct module_call *call = CONTAINER_OF(task, struct module_call, done);
	struct module_host *host = call->host;
	module_call_free(call);
	host->options.events->stopped(host->options.owner);
}

static void tell_started(struct task *task) {
	struct module_host *host = CONTAINER_OF(task, struct module_host, told);
	host->options.events->started(host->options.owner, NULL);
}

static void tell_stopped(struct task *task) {
	struct module_host *host = CONTAINER_OF(task, struct module_host, told);
	host->options.events->stopped(host->options.owner);
}

/* Runs start or stop in a thread. A module without that function is told in a turn of its own. */
static void run_hook(struct module_host *host, bool has_hook, void (*run)(struct verb_job *),
		     void (*ran)(struct task *), void (*tell)(struct task *)) {
	if (!has_hook) {
		host->told.run = tell;
		loop_post(host->options.loop, &host->told);
		return;
	}
	struct module_call *call = module_call_new(host);
	call->job.run = run;
	call->done.run = ran;
	module_call_move(call, MODULE_CALL_RUNNING);
	if (verb_pool_submit(host->pool, &call->job))
		return;
	call->result = -1;
	call->failure = "no thread could be started";
	loop_post(host->options.loop, &call->done);
}

struct module_host *module_host_new(const struct module_host_options *options) {
	struct module_host *host = mem_zalloc(sizeof *host);
	host->options = *options;
	host->functions = &module_functions;
	host->pool = verb_pool_new(MODULE_THREADS_MAX, MODULE_QUEUE_MAX);
	list_init(&host->calls);
	list_init(&host->told.link);
	run_hook(host, options->module->start != NULL, run_start, on_started, tell_started);
	return host;
}

void module_host_stop(struct module_host *host) {
	ASSERT(host->call_count == 0);
	run_hook(host, host->options.module->stop != NULL, run_stop, on_stopped, tell_stopped);
}

void module_host_free(struct module_host *host) {
	if (host == NULL)
		return;
	verb_pool_free(host->pool);
	free(host);
}

/* --- the module's constant -------------------------------------------------------------------------------------------- */

int module_check(const struct ftl_module *module, struct error *err) {
	if (module->version < 1 || module->version > FTL_MODULE_VERSION)
		return error_set(
			err, CODE_FAILED_PRECONDITION,
			"the module was built for version %u of ftl/module.h, and this Runner knows versions 1 to %d; build it "
			"again",
			module->version, FTL_MODULE_VERSION);
	if (module->name == NULL || module->name[0] == '\0')
		return error_set(err, CODE_FAILED_PRECONDITION, "the constant ftl_module has no name");
	for (size_t i = 0; i < module->verb_count; i++) {
		const struct ftl_verb *verb = &module->verbs[i];
		if (verb->name == NULL || verb->name[0] == '\0' || verb->run == NULL)
			return error_set(err, CODE_FAILED_PRECONDITION, "verb %zu of the constant ftl_module has no %s",
					 i + 1, verb->run ? "name" : "function");
		if (module_find_verb(module, str_from(verb->name)) != verb)
			return error_set(err, CODE_FAILED_PRECONDITION, "the constant ftl_module has the verb %s twice",
					 verb->name);
	}
	return 0;
}
