/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls at a fixed rate, whatever the answers do, and how long each took from the moment that it was due. A call that
 * is late because those before it were slow counts with its wait, so a stall is not hidden by the calls that it kept
 * from being made.
 *
 *   bench-openloop --to URL --call-file FILE [--rate N] [--connections N] [--seconds N] [--warm-up N]
 *
 * FILE is the CallRequest in the wire format. Prints one line of JSON: microseconds, by percentile.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "rpc/channel.h"

enum { CONNECTIONS_MAX = 1024, CALL_FILE_MAX = 64 << 20 };

struct call {
	uint64_t due_ns;
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
	uint64_t start_ns, period_ns;
	size_t count, started, finished, failed;
	uint32_t *latencies_ns;
	struct error first_failure;
} bench = {.rate = 1000, .connections = 16, .seconds = 5, .warm_up = 1};

static uint64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

static void on_message(struct rpc_stream *stream UNUSED, size_t size UNUSED) {
}

static void on_data(struct rpc_stream *stream, struct str bytes) {
	rpc_consume(stream, bytes.len);
}

static void on_closed(struct rpc_stream *stream) {
	struct call *call = stream->owner;
	uint64_t latency = now_ns() - call->due_ns;
	bench.latencies_ns[call->index] = (uint32_t)MIN(latency, (uint64_t)UINT32_MAX);
	if (stream->status != CODE_OK && bench.failed++ == 0)
		error_set(&bench.first_failure, stream->status, "%.*s", STR_ARG(stream->status_text));
	if (++bench.finished == bench.count)
		loop_stop(&bench.loop);
	free(call);
}

static const struct rpc_events events = {.message = on_message, .data = on_data, .closed = on_closed};

static void start_call(void) {
	struct call *call = mem_alloc(sizeof *call);
	*call = (struct call){.due_ns = bench.start_ns + bench.started * bench.period_ns, .index = bench.started};
	struct rpc_channel *channel = bench.channels[bench.started++ % bench.connections];
	struct rpc_stream *stream =
		rpc_call(channel, &(struct rpc_call_options){
					  .path = STR("/xyz.block.ftl.v1.VerbService/Call"), .events = &events, .owner = call});
	rpc_send(stream, bench.request);
	rpc_half_close(stream);
}

static void set_clock(uint64_t at_ns) {
	struct itimerspec when = {.it_value = {(time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u)}};
	timerfd_settime(bench.clock_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_due(uv_poll_t *poll UNUSED, int status UNUSED, int what UNUSED) {
	uint64_t rung;
	ssize_t got = read(bench.clock_fd, &rung, sizeof rung);
	uint64_t now = now_ns();
	while (got > 0 && bench.started < bench.count && bench.start_ns + bench.started * bench.period_ns <= now)
		start_call();
	if (bench.started < bench.count)
		set_clock(bench.start_ns + bench.started * bench.period_ns);
}

/* --- what came of it ---------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	return left < right ? -1 : left > right;
}

static double percentile(const uint32_t *sorted, size_t count, double part) {
	return sorted[MIN((size_t)((double)count * part), count - 1)] / 1000.0;
}

static int print_results(void) {
	size_t skipped = MIN(bench.warm_up * bench.rate, bench.count - 1), count = bench.count - skipped;
	uint32_t *sorted = bench.latencies_ns + skipped;
	qsort(sorted, count, sizeof *sorted, compare);
	printf("{\"calls\": %zu, \"failed\": %zu, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}\n",
	       count, bench.failed, percentile(sorted, count, 0.5), percentile(sorted, count, 0.9),
	       percentile(sorted, count, 0.99), percentile(sorted, count, 0.999), percentile(sorted, count, 1));
	if (bench.failed > 0)
		fprintf(stderr, "bench-openloop: %zu calls failed, first with: %s\n", bench.failed, bench.first_failure.msg);
	return bench.failed > 0;
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
	bench.count = (bench.warm_up + bench.seconds) * bench.rate;
	bench.latencies_ns = mem_zalloc(bench.count * sizeof *bench.latencies_ns);
	bench.period_ns = 1000000000u / bench.rate;
	bench.start_ns = now_ns() + 1000000;
	bench.clock_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	uv_poll_init(&bench.loop.uv, &bench.clock, bench.clock_fd);
	uv_poll_start(&bench.clock, UV_READABLE, on_due);
	set_clock(bench.start_ns);
	loop_run(&bench.loop);
	return print_results();
}
