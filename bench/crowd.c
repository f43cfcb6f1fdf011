/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a Backplane with modules that nobody calls, for simulated Runners (bench-echo) of the language "crowd".
 *
 *   bench-crowd --to URL --modules N --runners N
 *
 * A Runner hosts one deployment, so at most RUNNERS modules are alive at a time. Each batch is killed before the next one;
 * killed modules stay in the routing table as not alive.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ftl.pb-c.h"
#include "rpc/unary.h"

#define PATH(method) "/xyz.block.ftl.v1.BackplaneService/" method

static struct {
	struct loop loop;
	struct rpc_channel *channel;
	unsigned modules, runners, created, live;
	unsigned first; /* the first module that is alive */
	size_t pending;
} crowd;

static void stop_if(const struct error *err) {
	if (err != NULL) {
		fprintf(stderr, "bench-crowd: %s\n", err->msg);
		exit(1);
	}
}

static void create_some(void);

static void on_killed(void *owner UNUSED, const ProtobufCMessage *response UNUSED, const struct error *err) {
	stop_if(err);
	if (--crowd.pending == 0)
		create_some();
}

static void kill_all(void) {
	for (; crowd.first < crowd.live; crowd.first++) {
		char name[32];
		snprintf(name, sizeof name, "crowd%u", crowd.first);
		Ftl__KillModuleRequest request = FTL__KILL_MODULE_REQUEST__INIT;
		request.module = name;
		crowd.pending++;
		rpc_unary_call(crowd.channel,
			       &(struct rpc_unary_options){.path = PATH("KillModule"),
							   .response = &ftl__kill_module_response__descriptor,
							   .done = on_killed},
			       &request.base);
	}
}

/* --- one module: created, then watched until it is alive ---------------------------------------------------------- */

static void on_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	rpc_consume(stream, bytes.len);
}

static void on_watched(struct rpc_stream *stream) {
	struct error err;
	if (stream->status != CODE_OK) {
		error_set(&err, stream->status, "%.*s", STR_ARG(stream->status_text));
		stop_if(&err);
	}
	crowd.live++;
	if (crowd.live == crowd.modules)
		loop_stop(&crowd.loop);
	else if (crowd.live == crowd.created && crowd.created % crowd.runners == 0)
		kill_all();
}

static const struct rpc_events watch_events = {.message = on_message, .data = on_data, .closed = on_watched};

static void on_created(void *owner UNUSED, const ProtobufCMessage *response, const struct error *err) {
	stop_if(err);
	Ftl__WatchDeploymentRequest request = FTL__WATCH_DEPLOYMENT_REQUEST__INIT;
	request.deployment_key = ((const Ftl__CreateDeploymentResponse *)response)->deployment_key;
	struct rpc_stream *stream =
		rpc_call(crowd.channel,
			 &(struct rpc_call_options){.path = STR(PATH("WatchDeployment")), .events = &watch_events});
	struct arena arena = ARENA_INIT(KIB(4));
	rpc_send(stream, pb_pack(&request.base, &arena));
	rpc_half_close(stream);
	arena_deinit(&arena);
}

static void create(unsigned index) {
	char name[32];
	snprintf(name, sizeof name, "crowd%u", index);
	Schema__ModuleRuntime runtime = SCHEMA__MODULE_RUNTIME__INIT;
	runtime.language = (char *)"crowd";
	Schema__DataRef ref = SCHEMA__DATA_REF__INIT;
	ref.module = name;
	ref.name = (char *)"Nothing";
	Schema__Data data = SCHEMA__DATA__INIT;
	data.name = ref.name;
	Schema__Verb verb = SCHEMA__VERB__INIT;
	verb.name = (char *)"echo";
	verb.request = verb.response = &ref;
	Schema__Decl decls[] = {SCHEMA__DECL__INIT, SCHEMA__DECL__INIT};
	decls[0].value_case = SCHEMA__DECL__VALUE_DATA;
	decls[0].data = &data;
	decls[1].value_case = SCHEMA__DECL__VALUE_VERB;
	decls[1].verb = &verb;
	Schema__Module module = SCHEMA__MODULE__INIT;
	module.name = name;
	module.runtime = &runtime;
	module.n_decls = ARRAY_LEN(decls);
	module.decls = (Schema__Decl *[]){&decls[0], &decls[1]};
	Ftl__CreateDeploymentRequest request = FTL__CREATE_DEPLOYMENT_REQUEST__INIT;
	request.schema = &module;
	rpc_unary_call(crowd.channel,
		       &(struct rpc_unary_options){.path = PATH("CreateDeployment"),
						   .response = &ftl__create_deployment_response__descriptor,
						   .done = on_created},
		       &request.base);
}

static void create_some(void) {
	for (unsigned i = 0; i < crowd.runners && crowd.created < crowd.modules; i++)
		create(crowd.created++);
}

int main(int argc, char **argv) {
	struct endpoint endpoint;
	struct error err;
	const char *to = "";
	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_WARN, "bench-crowd");
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--to") == 0)
			to = argv[i + 1];
		else if (strcmp(argv[i], "--modules") == 0)
			crowd.modules = (unsigned)atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--runners") == 0)
			crowd.runners = (unsigned)atoi(argv[i + 1]);
	}
	stop_if(endpoint_parse(str_from(to), &endpoint, &err) < 0 ? &err : NULL);
	loop_init(&crowd.loop);
	crowd.channel = rpc_channel_new(&crowd.loop, &endpoint, &rpc_channel_options_default);
	create_some();
	loop_run(&crowd.loop);
	return 0;
}
