/* SPDX-License-Identifier: Apache-2.0 */
#include "router_world.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmocka_test.h"

#include "base/memory.h"
#include "base/reasons.h"
#include "ftl.pb-c.h"
#include "router/call.h"
#include "router/verb_service.h"

enum { LIMIT_MS = 20000 };

/* --- the Runner --------------------------------------------------------------------------------------------------- */

static void reply(struct rpc_unary *unary, const char *error) {
	Ftl__CallResponse response;
	Ftl__CallResponse__Error message;
	ftl__call_response__init(&response);
	ftl__call_response__error__init(&message);
	if (error != NULL) {
		message.message = (char *)error;
		response.response_case = FTL__CALL_RESPONSE__RESPONSE_ERROR;
		response.error = &message;
	} else {
		response.response_case = FTL__CALL_RESPONSE__RESPONSE_BODY;
		response.body = (ProtobufCBinaryData){2, (uint8_t *)"{}"};
	}
	rpc_unary_reply(unary, &response.base);
}

static void on_late(struct timer *timer) {
	struct router_world *world = CONTAINER_OF(timer, struct router_world, late);
	reply(world->late_unary, NULL);
	world->late_unary = NULL;
}

static void on_call(struct rpc_unary *unary, const ProtobufCMessage *message) {
	const Ftl__CallRequest *request = (const Ftl__CallRequest *)message;
	struct router_world *world = unary->service;
	const char *verb = request->verb->name;
	struct error err;
	world->runs++;
	if (strcmp(verb, "echo") == 0) {
		reply(unary, NULL);
	} else if (strcmp(verb, "late") == 0) {
		world->late_unary = unary;
		timer_start(&world->loop, &world->late, LATE_MS);
	} else if (strcmp(verb, "fails") == 0) {
		reply(unary, "no such name");
	} else if (strcmp(verb, "denies") == 0) {
		error_set(&err, CODE_PERMISSION_DENIED, " not you ");
		rpc_unary_fail(unary, &err);
	} else {
		ASSERT(world->hanging_count < HANGING_MAX);
		world->hanging[world->hanging_count++] = unary;
		loop_stop(&world->loop);
	}
}

static const struct rpc_method runner_methods[] = {
	RPC_UNARY_METHOD("/xyz.block.ftl.v1.VerbService/Call", on_call, ftl__call_request__descriptor),
};

static void on_accept(struct listener *listener, int fd) {
	struct router_world *world = listener->owner;
	rpc_server_accept(world->runner, fd, false);
}

static void start_runner(struct router_world *world) {
	struct error err;
	struct endpoint endpoint;
	world->late.fire = on_late;
	world->runner = rpc_server_new(&world->loop, &rpc_server_options_default);
	rpc_server_add(world->runner, runner_methods, ARRAY_LEN(runner_methods), world);
	assert_int_equal(endpoint_parse(STR("http://127.0.0.1:0"), &endpoint, &err), 0);
	if (listener_open(&world->listener, &world->loop, &endpoint, on_accept, world, &err) < 0)
		fail_msg("%s", err.msg);
	/* A port that is taken and refuses connections. */
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	world->silent_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(world->silent_fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(world->silent_fd, (struct sockaddr *)&address, &len), 0);
	world->silent = world->listener.endpoint;
	world->silent.port = ntohs(address.sin_port);
}

/* --- the client --------------------------------------------------------------------------------------------------- */

static int dial_worker(void *data) {
	struct router_world *world = data;
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	worker_accept(world->worker, ends[1], true);
	return ends[0];
}

static void on_done(void *owner, const ProtobufCMessage *response UNUSED, const struct error *err) {
	struct router_world *world = owner;
	world->call = NULL;
	world->status = err != NULL ? err->code : CODE_OK;
	if (err != NULL)
		world->err = *err;
	loop_stop(&world->loop);
}

void router_world_start(struct router_world *world, const char *module, const char *verb,
			const struct http_headers *headers, uint64_t timeout_ms) {
	Schema__VerbRef ref;
	Ftl__CallRequest request;
	schema__verb_ref__init(&ref);
	ftl__call_request__init(&request);
	ref.module = (char *)module;
	ref.name = (char *)verb;
	request.verb = &ref;
	request.body = (ProtobufCBinaryData){2, (uint8_t *)"{}"};
	world->call = rpc_unary_call(world->channel,
				     &(struct rpc_unary_options){.path = "/xyz.block.ftl.v1.VerbService/Call",
								 .headers = headers,
								 .timeout_ms = timeout_ms,
								 .response = &ftl__call_response__descriptor,
								 .done = on_done,
								 .owner = world},
				     &request.base);
}

enum code router_world_wait(struct router_world *world) {
	while (world->call != NULL)
		loop_run(&world->loop);
	return world->status;
}

enum code router_world_call(struct router_world *world, const char *module, const char *verb) {
	router_world_start(world, module, verb, NULL, 0);
	return router_world_wait(world);
}

void router_world_wait_hanging(struct router_world *world, size_t count) {
	while (world->hanging_count < count)
		loop_run(&world->loop);
}

void router_world_turn(struct router_world *world) {
	usleep(1000);
	uv_run(&world->loop.uv, UV_RUN_NOWAIT);
}

/* --- routes ------------------------------------------------------------------------------------------------------- */

static void on_in_use(void *owner) {
	struct router_world *world = owner;
	world->in_use = true;
	loop_stop(&world->loop);
}

static void publish(struct router_world *world, struct route_module *module) {
	world->in_use = false;
	struct route_table *table = route_table_with(world->routes, &module, 1);
	route_table_unref(world->routes);
	world->routes = table;
	worker_set_routes(world->worker, route_table_ref(table), countdown_new(&world->loop, 1, on_in_use, world));
	while (!world->in_use)
		loop_run(&world->loop);
}

void router_world_route(struct router_world *world, const char *name, const char *kinds) {
	static const struct str verbs[] = {STR_INIT("denies"), STR_INIT("echo"), STR_INIT("fails"), STR_INIT("hangs"),
					   STR_INIT("late")};
	bool stopped = strcmp(kinds, "stopped") == 0, known = strcmp(kinds, "unknown") != 0 && !stopped;
	size_t count = known ? strlen(kinds) : 0;
	struct route_replica *replicas = mem_zalloc((count + 1) * sizeof *replicas);
	for (size_t i = 0; i < count; i++) {
		replicas[i].endpoint = kinds[i] == 'a' ? world->listener.endpoint : world->silent;
		replicas[i].label = mem_printf("the replica %zu of %s", i, name);
		replicas[i].outlier = outlier_new(i);
		snprintf(replicas[i].deployment_key, KEY_MAX, "dpl-%s", name);
		snprintf(replicas[i].runner_key, KEY_MAX, "rnr-%s-%c", name, kinds[i]);
	}
	struct route_module *module = route_module_new(str_from(name), verbs, known ? ARRAY_LEN(verbs) : 0, replicas,
						       count, stopped ? "it was stopped" : "it is starting");
	module->awaited = count == 0 && !stopped;
	module->problem_reason = stopped ? REASON_STOPPED : REASON_STARTING;
	if (known)
		stats_registry_fill(&world->stats, module);
	publish(world, module);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_limit(struct timer *timer UNUSED) {
	fail_msg("nothing happened for %d ms", LIMIT_MS);
}

static int dial_control(void *data UNUSED) {
	return -1;
}

void router_world_open(struct router_world *world, const struct call_observers *observers) {
	struct error err;
	*world = (struct router_world){.limit.fire = on_limit};
	loop_init(&world->loop);
	timer_start(&world->loop, &world->limit, LIMIT_MS);
	start_runner(world);
	world->routes = route_table_new();
	stats_registry_init(&world->stats, 1);
	world->worker = worker_start(&(struct worker_options){.server = rpc_server_options_default,
							      .dial_control = dial_control,
							      .control_name = world->listener.endpoint,
							      .methods = {verb_service},
							      .fallback = worker_relay_to_control,
							      .routes_changed = calls_routes_changed,
							      .observers = *observers},
				     &err);
	assert_non_null(world->worker);
	struct rpc_channel_options options = rpc_channel_options_default;
	options.dial = dial_worker;
	options.dial_data = world;
	world->channel = rpc_channel_new(&world->loop, &world->listener.endpoint, &options);
}

void router_world_stop_worker(struct router_world *world) {
	worker_stop(world->worker);
	world->worker = NULL;
}

void router_world_close(struct router_world *world) {
	struct error err;
	error_set(&err, CODE_UNAVAILABLE, "the test is over");
	rpc_channel_close(world->channel);
	if (world->worker != NULL)
		router_world_stop_worker(world);
	while (world->hanging_count > 0)
		rpc_unary_fail(world->hanging[--world->hanging_count], &err);
	listener_close(&world->listener);
	rpc_server_close(world->runner);
	timer_stop(&world->loop, &world->limit);
	timer_stop(&world->loop, &world->late);
	if (world->late_unary != NULL)
		rpc_unary_fail(world->late_unary, &err);
	loop_run_out(&world->loop);
	loop_deinit(&world->loop);
	close(world->silent_fd);
	route_table_unref(world->routes);
	stats_registry_deinit(&world->stats);
}
