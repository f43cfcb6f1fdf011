/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes calls at a fixed rate, independent of the responses, and measures the latency of each (latencies.h).
 *
 *   bench-openloop --to URL --call-file FILE [--rate N] [--connections N] [--seconds N] [--warm-up N]
 *
 * FILE is a CallRequest in wire format. Prints one line of JSON: microseconds, by percentile.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "latencies.h"
#include "rpc/channel.h"

enum { CONNECTIONS_MAX = 1024, CALL_FILE_MAX = 64 << 20 };

struct call {
	size_t index;
};

static struct {
	struct loop loop;
	struct rpc_channel *channels[CONNECTIONS_MAX];
	uv_poll_t clock;
	int clock_fd;
	struct str request;
	const char *to, *call_file;
	uint64_t rate, connections, seconds, warm_up;
	struct latencies latencies;
	size_t started, finished, failed;
	struct error first_failure;
} bench = {.rate = 1000, .connections = 16, .seconds = 5, .warm_up = 1};

/* --- calls -------------------------------------------------------------------------------------------------------- */

static void on_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	rpc_consume(stream, bytes.len);
}

static void on_closed(struct rpc_stream *stream) {
	struct call *call = stream->owner;
	latencies_set(&bench.latencies, call->index);
	if (stream->status != CODE_OK && bench.failed++ == 0)
		error_set(&bench.first_failure, stream->status, "%.*s", STR_ARG(stream->status_text));
	if (++bench.finished == bench.latencies.count)
		loop_stop(&bench.loop);
	free(call);
}

static const struct rpc_events events = {.message = on_message, .data = on_data, .closed = on_closed};

static void start_call(void) {
	struct call *call = mem_alloc(sizeof *call);
	*call = (struct call){.index = bench.started};
	struct rpc_channel *channel = bench.channels[bench.started++ % bench.connections];
	struct rpc_stream *stream =
		rpc_call(channel, &(struct rpc_call_options){.path = STR("/xyz.block.ftl.v1.VerbService/Call"),
							     .events = &events,
							     .owner = call});
	rpc_send(stream, bench.request);
	rpc_half_close(stream);
}

static void set_clock(uint64_t at_ns) {
	struct itimerspec when = {.it_value = {(time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u)}};
	timerfd_settime(bench.clock_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_due(uv_poll_t *poll UNUSED, int status UNUSED, int what UNUSED) {
	const struct latencies *latencies = &bench.latencies;
	uint64_t rung;
	ssize_t got = read(bench.clock_fd, &rung, sizeof rung);
	uint64_t now = latencies_now_ns();
	while (got > 0 && bench.started < latencies->count && latencies_due_ns(latencies, bench.started) <= now)
		start_call();
	if (bench.started < latencies->count)
		set_clock(latencies_due_ns(latencies, bench.started));
}

/* --- the program -------------------------------------------------------------------------------------------------- */

static void stop_if(int failed, const struct error *err) {
	if (failed) {
		fprintf(stderr, "bench-openloop: %s\n", err->msg);
		exit(2);
	}
}

static void read_options(int argc, char **argv) {
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *value = argv[i + 1];
		if (strcmp(argv[i], "--to") == 0)
			bench.to = value;
		else if (strcmp(argv[i], "--call-file") == 0)
			bench.call_file = value;
		else if (strcmp(argv[i], "--rate") == 0)
			bench.rate = strtoul(value, NULL, 10);
		else if (strcmp(argv[i], "--connections") == 0)
			bench.connections = strtoul(value, NULL, 10);
		else if (strcmp(argv[i], "--seconds") == 0)
			bench.seconds = strtoul(value, NULL, 10);
		else if (strcmp(argv[i], "--warm-up") == 0)
			bench.warm_up = strtoul(value, NULL, 10);
	}
	struct error err;
	stop_if(bench.to == NULL || bench.call_file == NULL || bench.rate == 0 || bench.connections == 0 ||
			bench.connections > CONNECTIONS_MAX,
		&(struct error){.msg = "it needs --to URL and --call-file FILE, and numbers above 0"});
	char *content;
	size_t len;
	stop_if(file_read(bench.call_file, CALL_FILE_MAX, &content, &len, &err), &err);
	bench.request = str_new(content, len);
}

int main(int argc, char **argv) {
	struct endpoint endpoint;
	struct error err;
	signal(SIGPIPE, SIG_IGN);
	log_init(LOG_WARN, "bench-openloop");
	read_options(argc, argv);
	stop_if(endpoint_parse(str_from(bench.to), &endpoint, &err), &err);
	loop_init(&bench.loop);
	struct rpc_channel_options options = rpc_channel_options_default;
	options.connections_max = 1;
	for (size_t i = 0; i < bench.connections; i++)
		bench.channels[i] = rpc_channel_new(&bench.loop, &endpoint, &options);
	latencies_init(&bench.latencies, bench.rate, bench.seconds, bench.warm_up);
	bench.clock_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	uv_poll_init(&bench.loop.uv, &bench.clock, bench.clock_fd);
	uv_poll_start(&bench.clock, UV_READABLE, on_due);
	set_clock(latencies_due_ns(&bench.latencies, 0));
	loop_run(&bench.loop);
	latencies_print(&bench.latencies, bench.failed);
	if (bench.failed > 0)
		fprintf(stderr, "bench-openloop: %zu calls failed, first with: %s\n", bench.failed,
			bench.first_failure.msg);
	return bench.failed > 0;
}
