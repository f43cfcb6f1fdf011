/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/host_process.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/line_splitter.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "ftl.pb-c.h"
#include "rpc/relay.h"
#include "runner/child.h"
#include "runner/child_ping.h"

enum {
	PROBE_FIRST_MS = 1, /* between two Pings: an eighth of the time since the start, but within these two */
	PROBE_LAST_MS = 50,
	PROBE_TIMEOUT_MS = 1000, /* of one Ping */
	SLOW_STOP_MS = 1000, /* after SIGTERM, until it is told who is waited for */
	LEFTOVER_MS = 500, /* after the exit, for calls in progress to find their connections broken */
};

struct process_host {
	struct host host;
	enum process_host_state state;
	struct child *child;
	struct rpc_channel *channel; /* NULL: closed */
	struct rpc_unary_call *ping; /* in progress */
	size_t calls; /* in progress */
	struct timer probe; /* the next Ping */
	struct child_ping pinging; /* since it is alive */
	uint64_t ticks; /* of the child and what it started, when it missed a Ping the last time */
	char trouble[128]; /* BUSY; else "" */
	struct timer limit; /* of the start-up, of the stop, and then of what is left after the exit */
	uint64_t started_ms;
	char bind[ENDPOINT_MAX];
	char not_ready[256]; /* the answer to the last Ping */
	char label[256]; /* for the errors of calls */
	struct error why; /* it ends; CODE_OK: not known yet */
	struct line_splitter lines[CHILD_OUTPUTS];
	struct timer flush; /* runs while a line is incomplete */
};

static struct process_host *process_of(struct host *host) {
	return CONTAINER_OF(host, struct process_host, host);
}

#define TO(state) (1u << (state))

void process_host_move(enum process_host_state *state, enum process_host_state next) {
	static const unsigned allowed[] = {
		[PROCESS_PROBING] = TO(PROCESS_ALIVE) | TO(PROCESS_STOPPING) | TO(PROCESS_EXITED),
		[PROCESS_ALIVE] = TO(PROCESS_STOPPING) | TO(PROCESS_EXITED),
		[PROCESS_STOPPING] = TO(PROCESS_EXITED),
		[PROCESS_EXITED] = 0,
	};
	ASSERT(allowed[*state] & TO(next));
	*state = next;
}

/* --- what it prints ----------------------------------------------------------------------------------------------- */

static void on_flush_due(struct timer *timer) {
	struct process_host *process = CONTAINER_OF(timer, struct process_host, flush);
	for (size_t i = 0; i < CHILD_OUTPUTS; i++)
		line_splitter_flush(&process->lines[i], host_on_line, &process->host);
}

static void on_output(void *owner, enum child_output which, struct str bytes) {
	struct process_host *process = owner;
	line_splitter_feed(&process->lines[which], bytes, host_on_line, &process->host);
	if (line_splitter_has_begun(&process->lines[which]) && !timer_is_running(&process->flush))
		timer_start(process->host.options.loop, &process->flush, LINE_FLUSH_MS);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void free_process(struct process_host *process) {
	for (size_t i = 0; i < CHILD_OUTPUTS; i++)
		line_splitter_deinit(&process->lines[i]);
	host_deinit(&process->host);
	free(process);
}

/* The child has exited, and every call has found its connection broken. */
static void end_if_done(struct process_host *process) {
	if (process->state != PROCESS_EXITED || process->ping != NULL || process->calls > 0)
		return;
	timer_stop(process->host.options.loop, &process->limit);
	rpc_channel_close(process->channel);
	host_tell_ended(&process->host, &process->why, false);
	free_process(process);
}

/* The child has exited, but another process still holds its connections. */
static void on_leftover_limit(struct timer *timer) {
	struct process_host *process = CONTAINER_OF(timer, struct process_host, limit);
	rpc_channel_close(process->channel);
	process->channel = NULL;
}

/* Why the child ended, unless its start-up limit has told already. */
static void tell_why(struct process_host *process, int wait_status) {
	const char *entry = process->host.options.entry;
	char status[EXIT_TEXT_MAX];
	exit_status_format(wait_status, status);
	if (process->why.code != CODE_OK)
		return;
	if (process->state == PROCESS_STOPPING)
		error_set(&process->why, CODE_CANCELLED, "stopped");
	else if (process->state == PROCESS_PROBING)
		error_set(&process->why, CODE_FAILED_PRECONDITION, "%s %s before it answered Ping", entry, status);
	else
		error_set(&process->why, CODE_UNAVAILABLE, "%s %s", entry, status);
}

static void on_exited(void *owner, int wait_status) {
	struct process_host *process = owner;
	process->child = NULL;
	tell_why(process, wait_status);
	process_host_move(&process->state, PROCESS_EXITED);
	for (size_t i = 0; i < CHILD_OUTPUTS; i++)
		line_splitter_end(&process->lines[i], host_on_line, &process->host);
	timer_stop(process->host.options.loop, &process->flush);
	timer_stop(process->host.options.loop, &process->probe);
	process->limit.fire = on_leftover_limit;
	timer_start(process->host.options.loop, &process->limit, LEFTOVER_MS);
	end_if_done(process);
}

static const struct child_events child_events = {.output = on_output, .exited = on_exited};

static void on_kill_limit(struct timer *timer) {
	struct process_host *process = CONTAINER_OF(timer, struct process_host, limit);
	child_signal(process->child, SIGKILL);
}

static void on_slow_stop(struct timer *timer) {
	const struct process_host *process = CONTAINER_OF(timer, struct process_host, probe);
	const struct host_options *options = &process->host.options;
	char limit[TIME_TEXT_MAX];
	duration_format(limit, (int64_t)options->kill_timeout_ms);
	log_info("waiting for %s of %s, process %d, which has not ended after SIGTERM; it is killed %s after that",
		 options->entry, options->module, (int)child_pid(process->child), limit);
}

static void stop_child(struct process_host *process, int number) {
	process_host_move(&process->state, PROCESS_STOPPING);
	process->probe.fire = on_slow_stop;
	timer_start(process->host.options.loop, &process->probe, SLOW_STOP_MS);
	child_signal(process->child, number);
	process->limit.fire = on_kill_limit;
	timer_start(process->host.options.loop, &process->limit, process->host.options.kill_timeout_ms);
}

static void process_stop(struct host *host) {
	struct process_host *process = process_of(host);
	if (process->state == PROCESS_PROBING || process->state == PROCESS_ALIVE)
		stop_child(process, SIGTERM);
}

/* --- until it is alive -------------------------------------------------------------------------------------------- */

static void on_start_limit(struct timer *timer) {
	struct process_host *process = CONTAINER_OF(timer, struct process_host, limit);
	char limit[TIME_TEXT_MAX];
	duration_format(limit, (int64_t)process->host.options.start_timeout_ms);
	bool told = process->not_ready[0] != '\0';
	error_set(&process->why, CODE_DEADLINE_EXCEEDED, "%s did not answer Ping on FTL_BIND=%s within %s%s%s",
		  process->host.options.entry, process->bind, limit, told ? "; it says: " : "", process->not_ready);
	stop_child(process, SIGKILL);
}

static void become_alive(struct process_host *process) {
	process_host_move(&process->state, PROCESS_ALIVE);
	timer_stop(process->host.options.loop, &process->limit);
	if (process->pinging.every_ms > 0)
		timer_start(process->host.options.loop, &process->probe, process->pinging.every_ms);
	process->host.options.events->alive(&process->host);
}

/* --- while it is alive -------------------------------------------------------------------------------------------- */

static void on_hung(struct process_host *process, bool is_stopped) {
	char every[TIME_TEXT_MAX];
	duration_format(every, (int64_t)process->pinging.every_ms);
	error_set(&process->why, CODE_UNAVAILABLE, "%s hung, and was killed: it %s and missed %u pings, one each %s",
		  process->host.options.entry, is_stopped ? "was stopped by a signal" : "had no call to answer",
		  process->pinging.missed, every);
	stop_child(process, SIGKILL);
}

static void tell_busy(struct process_host *process) {
	const struct host_options *options = &process->host.options;
	bool is_first = process->trouble[0] == '\0';
	if (process->calls > 0)
		snprintf(process->trouble, sizeof process->trouble,
			 "%s does not answer pings; it may be busy, as %zu call%s in progress there", options->entry,
			 process->calls, process->calls == 1 ? " is" : "s are");
	else
		snprintf(process->trouble, sizeof process->trouble,
			 "%s does not answer pings; it may be busy with something else", options->entry);
	if (is_first)
		log_warn("%s: %s", options->deployment_key, process->trouble);
}

static void on_missed(struct process_host *process, uint64_t now_ms) {
	/* The process that serves may be a child of the entry, which is a shell script then. */
	pid_t session = child_pid(process->child);
	uint64_t ticks = process_session_ticks(session);
	const struct child_activity activity = {
		.calls = process->calls,
		.is_stopped = process_session_is_stopped(session),
		.has_worked = ticks > process->ticks,
	};
	process->ticks = ticks;
	switch (child_ping_missed(&process->pinging, now_ms, &activity)) {
	case CHILD_ANSWERING:
		break;
	case CHILD_BUSY:
		tell_busy(process);
		break;
	case CHILD_HUNG:
		on_hung(process, activity.is_stopped);
		break;
	}
}

static void on_answered(struct process_host *process) {
	if (!child_ping_answered(&process->pinging))
		return;
	process->trouble[0] = '\0';
	log_info("%s: %s answers pings again", process->host.options.deployment_key, process->host.options.entry);
}

/* Whatever status the child gives, it has answered. */
static bool is_missed(const struct error *err) {
	return err != NULL && (err->code == CODE_DEADLINE_EXCEEDED || err->code == CODE_UNAVAILABLE);
}

static void on_alive_pinged(struct process_host *process, const struct error *err) {
	struct loop *loop = process->host.options.loop;
	uint64_t now_ms = loop_now_ms(loop);
	if (!is_missed(err))
		on_answered(process);
	else if (!child_ping_is_late(&process->pinging, now_ms))
		on_missed(process, now_ms);
	uint64_t due_ms = child_ping_due_ms(&process->pinging);
	if (process->state == PROCESS_ALIVE)
		timer_start(loop, &process->probe, due_ms > now_ms ? due_ms - now_ms : 0);
}

static void on_pinged(void *owner, const ProtobufCMessage *message, const struct error *err) {
	struct process_host *process = owner;
	process->ping = NULL;
	if (process->state == PROCESS_ALIVE) {
		on_alive_pinged(process, err);
		return;
	}
	if (process->state != PROCESS_PROBING) {
		end_if_done(process);
		return;
	}
	const Ftl__PingResponse *response = (const Ftl__PingResponse *)message;
	if (err == NULL && response->not_ready[0] == '\0') {
		become_alive(process);
		return;
	}
	if (err == NULL)
		snprintf(process->not_ready, sizeof process->not_ready, "%s", response->not_ready);
	struct loop *loop = process->host.options.loop;
	uint64_t eighth = (loop_now_ms(loop) - process->started_ms) / 8;
	timer_start(loop, &process->probe, MIN(MAX(eighth, (uint64_t)PROBE_FIRST_MS), (uint64_t)PROBE_LAST_MS));
}

static void on_probe(struct timer *timer) {
	struct process_host *process = CONTAINER_OF(timer, struct process_host, probe);
	Ftl__PingRequest request = FTL__PING_REQUEST__INIT;
	bool is_alive = process->state == PROCESS_ALIVE;
	child_ping_sent(&process->pinging, loop_now_ms(process->host.options.loop));
	process->ping = rpc_unary_call(process->channel,
				       &(struct rpc_unary_options){
					       .path = "/xyz.block.ftl.v1.VerbService/Ping",
					       .timeout_ms = is_alive ? process->pinging.every_ms : PROBE_TIMEOUT_MS,
					       .response = &ftl__ping_response__descriptor,
					       .done = on_pinged,
					       .owner = process,
				       },
				       &request.base);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

static void on_call_done(struct relay *relay) {
	struct process_host *process = relay_owner(relay);
	if (relay_status(relay) == CODE_CANCELLED || relay_status(relay) == CODE_DEADLINE_EXCEEDED)
		child_ping_abandoned(&process->pinging, loop_now_ms(process->host.options.loop));
	if (--process->calls > 0)
		return;
	if (process->state == PROCESS_EXITED)
		end_if_done(process);
	else
		process->host.options.events->idle(&process->host);
}

static void process_call(struct host *host, struct rpc_stream *stream) {
	struct process_host *process = process_of(host);
	if (process->state == PROCESS_EXITED || process->state == PROCESS_STOPPING) {
		rpc_refuse(stream);
		return;
	}
	process->calls++;
	relay_start(stream, process->channel,
		    &(struct relay_options){.peer = process->label, .done = on_call_done, .owner = process});
}

static size_t process_calls(const struct host *host) {
	return CONTAINER_OF(host, const struct process_host, host)->calls;
}

static const char *process_trouble(const struct host *host) {
	return CONTAINER_OF(host, const struct process_host, host)->trouble;
}

static const struct host_ops process_ops = {
	.call = process_call,
	.list = process_call,
	.stop = process_stop,
	.calls = process_calls,
	.trouble = process_trouble,
};

/* --- the start ---------------------------------------------------------------------------------------------------- */

/* Finds a port of the loopback that is free now. Another process may take it before the child does: the child then ends
 * with an error of its own, which stands in its last lines. */
static int choose_port(struct endpoint *ret_endpoint, struct error *err) {
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool failed = fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 ||
		      getsockname(fd, (struct sockaddr *)&address, &len) < 0;
	int number = errno;
	if (fd >= 0)
		close(fd);
	if (failed)
		return error_set_errno(err, number, "could not find a free port");
	*ret_endpoint = (struct endpoint){.kind = ENDPOINT_TCP, .port = ntohs(address.sin_port), .host = "127.0.0.1"};
	return 0;
}

static int choose_bind(const struct host_options *options, struct endpoint *ret_endpoint, struct error *err) {
	struct endpoint endpoint = {.kind = ENDPOINT_UNIX};
	int len = snprintf(endpoint.path, sizeof endpoint.path, "%s/socket", options->working_dir);
	/* A path that is too long for a socket: a child that can serve on a socket can serve on a port as well. */
	if (!options->unix_socket || len >= (int)sizeof endpoint.path)
		return choose_port(ret_endpoint, err);
	*ret_endpoint = endpoint;
	return 0;
}

/* The environment of the Runner without its FTL_ variables, and then those of the child. */
static char **make_environment(const struct process_host *process, struct arena *arena) {
	const struct host_options *options = &process->host.options;
	const char *told[] = {
		arena_printf(arena, "FTL_BIND=%s", process->bind),
		arena_printf(arena, "FTL_ENDPOINT=%s", options->backplane_endpoint),
		arena_printf(arena, "FTL_WORKING_DIR=%s", options->working_dir),
		arena_printf(arena, "FTL_MODULE=%s", options->module),
		arena_printf(arena, "FTL_DEPLOYMENT=%s", options->deployment_key),
	};
	size_t inherited = 0, count = 0;
	while (environ[inherited] != NULL)
		inherited++;
	char **environment = arena_alloc(arena, (inherited + ARRAY_LEN(told) + 1) * sizeof *environment);
	for (size_t i = 0; i < inherited; i++)
		/* FTL_ variables of the Runner are between the Platform and the Runner. */
		if (strncmp(environ[i], "FTL_", 4) != 0)
			environment[count++] = environ[i];
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		environment[count++] = (char *)told[i];
	environment[count] = NULL;
	return environment;
}

static int start_child(struct process_host *process, struct error *err) {
	const struct host_options *options = &process->host.options;
	struct arena arena = ARENA_INIT(MIB(4));
	process->child = child_start(options->loop,
				     &(struct child_options){
					     .program = arena_printf(&arena, "%s/%s", options->folder, options->entry),
					     .folder = options->folder,
					     .environment = make_environment(process, &arena),
					     .events = &child_events,
					     .owner = process,
				     },
				     err);
	arena_deinit(&arena);
	return process->child == NULL ? -1 : 0;
}

struct host *host_process_start(const struct host_options *options, struct error *err) {
	struct endpoint endpoint;
	if (choose_bind(options, &endpoint, err) < 0)
		return NULL;
	struct process_host *process = mem_zalloc(sizeof *process);
	*process = (struct process_host){
		.probe.fire = on_probe,
		.pinging.every_ms = options->child_ping_ms,
		.started_ms = loop_now_ms(options->loop),
		.limit.fire = on_start_limit,
	};
	host_init(&process->host, &process_ops, options);
	endpoint_format(&endpoint, process->bind);
	snprintf(process->label, sizeof process->label, "the deployment %s of %s", options->deployment_key,
		 options->module);
	for (size_t i = 0; i < CHILD_OUTPUTS; i++)
		line_splitter_init(&process->lines[i]);
	process->flush.fire = on_flush_due;
	if (start_child(process, err) < 0) {
		free_process(process);
		return NULL;
	}
	struct rpc_channel_options channel_options = rpc_channel_options_default;
	channel_options.backoff_ms = 0; /* on_probe decides when to connect */
	/* The exit of a child is noticed without pings, and gRPC's servers accept only a few of them. */
	channel_options.keepalive_ms = 0;
	channel_options.http.header_bytes =
		HTTP_HEADER_BYTES_MAX; /* a long text of an error is cut here, not refused */
	process->channel = rpc_channel_new(options->loop, &endpoint, &channel_options);
	timer_start(options->loop, &process->limit, options->start_timeout_ms);
	timer_start(options->loop, &process->probe, PROBE_FIRST_MS);
	return &process->host;
}
