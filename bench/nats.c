/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request and reply over a NATS server, with NATS's own C client.
 *
 *   bench-nats --to URL --echo SUBJECT                      echoes requests to SUBJECT; prints "ready"
 *   bench-nats --to URL --request SUBJECT --count N         a closed loop
 *   bench-nats --to URL --request SUBJECT --rate N          at a fixed rate (latencies.h)
 *
 * Options of --request: [--size BYTES] [--connections N]; with --count [--outstanding N] requests at a time on each
 * connection; with --rate [--seconds N] [--warm-up N]. Prints one line of JSON.
 */
#include <errno.h>
#include <nats/nats.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/memory.h"
#include "latencies.h"

enum { CONNECTIONS_MAX = 1024, SUBJECT_SIZE = 64 };

struct connection {
	natsConnection *nats;
	natsSubscription *replies;
	size_t number;
};

static struct {
	const char *to, *echo, *request;
	size_t size, connections, count, outstanding, rate, seconds, warm_up;
	char *content;
	struct connection connected[CONNECTIONS_MAX];
	struct latencies latencies; /* with --rate */
	/* Each connection's replies come on a thread of its own. */
	atomic_size_t started, finished;
	sem_t all_finished;
} bench = {.size = 1024, .connections = 16, .outstanding = 1, .seconds = 5, .warm_up = 1};

static void check(natsStatus status, const char *what) {
	if (status == NATS_OK)
		return;
	fprintf(stderr, "bench-nats: %s: %s\n", what, natsStatus_GetText(status));
	_exit(1); /* several threads may come here */
}

static natsConnection *open_connection(void) {
	natsOptions *options;
	natsConnection *connection;
	check(natsOptions_Create(&options), "options");
	check(natsOptions_SetURL(options, bench.to), bench.to);
	/* Sends at once; without this, a thread of the client sends later. */
	check(natsOptions_SetSendAsap(options, true), "options");
	check(natsConnection_Connect(&connection, options), bench.to);
	natsOptions_Destroy(options);
	return connection;
}

/* --- the echo ----------------------------------------------------------------------------------------------------- */

static void on_request(natsConnection *connection, natsSubscription *subscription UNUSED, natsMsg *message,
		       void *closure UNUSED) {
	check(natsConnection_Publish(connection, natsMsg_GetReply(message), natsMsg_GetData(message),
				     natsMsg_GetDataLength(message)),
	      "publish");
	natsMsg_Destroy(message);
}

static _Noreturn void run_echo(void) {
	natsConnection *connection = open_connection();
	natsSubscription *subscription;
	check(natsConnection_Subscribe(&subscription, connection, bench.echo, on_request, NULL), "subscribe");
	check(natsConnection_Flush(connection), "flush");
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

/* Each connection has its own subject for replies, which ends with the number of the call. */
static void start_call(const struct connection *connection, size_t call) {
	char reply[SUBJECT_SIZE];
	snprintf(reply, sizeof reply, "bench.%d.%zu.%zu", (int)getpid(), connection->number, call);
	check(natsConnection_PublishRequest(connection->nats, bench.request, reply, bench.content, (int)bench.size),
	      "publish");
}

static void start_next(const struct connection *connection) {
	size_t call = atomic_fetch_add(&bench.started, 1);
	if (call < bench.count)
		start_call(connection, call);
}

static void on_reply(natsConnection *nats UNUSED, natsSubscription *subscription UNUSED, natsMsg *message,
		     void *closure) {
	const char *call = strrchr(natsMsg_GetSubject(message), '.') + 1;
	if (bench.rate > 0)
		latencies_set(&bench.latencies, strtoul(call, NULL, 10));
	if (natsMsg_GetDataLength(message) != (int)bench.size)
		check(NATS_ERR, natsMsg_IsNoResponders(message) ? "nobody answers" : "the answer is no echo");
	natsMsg_Destroy(message);
	if (bench.rate == 0)
		start_next(closure);
	if (atomic_fetch_add(&bench.finished, 1) + 1 == bench.count)
		sem_post(&bench.all_finished);
}

static void connect_all(void) {
	char subject[SUBJECT_SIZE];
	for (size_t i = 0; i < bench.connections; i++) {
		struct connection *connection = &bench.connected[i];
		*connection = (struct connection){.nats = open_connection(), .number = i};
		snprintf(subject, sizeof subject, "bench.%d.%zu.*", (int)getpid(), i);
		check(natsConnection_Subscribe(&connection->replies, connection->nats, subject, on_reply, connection),
		      "subscribe");
		check(natsConnection_Flush(connection->nats), "flush");
	}
}

static void sleep_until(uint64_t at_ns) {
	const struct timespec when = {(time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u)};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
		;
}

static void wait_for_all(void) {
	while (sem_wait(&bench.all_finished) < 0)
		;
}

static int run_at_rate(void) {
	latencies_init(&bench.latencies, bench.rate, bench.seconds, bench.warm_up);
	bench.count = bench.latencies.count;
	for (size_t call = 0; call < bench.count; call++) {
		sleep_until(latencies_due_ns(&bench.latencies, call));
		start_call(&bench.connected[call % bench.connections], call);
	}
	wait_for_all();
	latencies_print(&bench.latencies, 0);
	return 0;
}

static int run_count(void) {
	uint64_t begin_ns = latencies_now_ns();
	for (size_t i = 0; i < bench.outstanding * bench.connections; i++)
		start_next(&bench.connected[i % bench.connections]);
	wait_for_all();
	double seconds = (double)(latencies_now_ns() - begin_ns) / 1e9;
	printf("{\"calls\": %zu, \"per_second\": %.1f}\n", bench.count, (double)bench.count / seconds);
	return 0;
}

/* --- the program -------------------------------------------------------------------------------------------------- */

static void read_number(const char *option, const char *value) {
	const struct {
		const char *name;
		size_t *place;
	} numbers[] = {
		{"--size", &bench.size},       {"--connections", &bench.connections},
		{"--count", &bench.count},     {"--outstanding", &bench.outstanding},
		{"--rate", &bench.rate},       {"--seconds", &bench.seconds},
		{"--warm-up", &bench.warm_up},
	};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (strcmp(option, numbers[i].name) == 0)
			*numbers[i].place = strtoul(value, NULL, 10);
}

static void read_options(int argc, char **argv) {
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--to") == 0)
			bench.to = argv[i + 1];
		else if (strcmp(argv[i], "--echo") == 0)
			bench.echo = argv[i + 1];
		else if (strcmp(argv[i], "--request") == 0)
			bench.request = argv[i + 1];
		else
			read_number(argv[i], argv[i + 1]);
	}
	bool one_kind = bench.echo != NULL || (bench.request != NULL && (bench.count > 0) != (bench.rate > 0));
	if (bench.to != NULL && one_kind && bench.connections > 0 && bench.connections <= CONNECTIONS_MAX)
		return;
	fprintf(stderr,
		"bench-nats: it needs --to URL and --echo SUBJECT, or --request SUBJECT and --count N or --rate N\n");
	exit(2);
}

int main(int argc, char **argv) {
	signal(SIGPIPE, SIG_IGN);
	read_options(argc, argv);
	if (bench.echo != NULL)
		run_echo();
	bench.content = memset(mem_alloc(bench.size + 1), 'x', bench.size);
	sem_init(&bench.all_finished, 0, 0);
	connect_all();
	return bench.rate > 0 ? run_at_rate() : run_count();
}
