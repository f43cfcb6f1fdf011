/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/output.h"
#include "ftl.pb-c.h"

struct events_options {
	struct common_options common;
	bool follow;
	const char *tail, *since; /* NULL: not given */
};

static const struct args_option options[] = {
	{.name = "follow",
	 .letter = 'f',
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct events_options, follow),
	 .help = "follow: print new events as they happen"},
	{.name = "tail",
	 .letter = 'n',
	 .kind = ARGS_TEXT,
	 .offset = offsetof(struct events_options, tail),
	 .value = "N",
	 .help = "start with the last N events (default 100, with --since all)"},
	{.name = "since",
	 .letter = 's',
	 .kind = ARGS_TEXT,
	 .offset = offsetof(struct events_options, since),
	 .value = "TIME",
	 .help = "leave out older events: 10m, 2h, 1d, or a time such as\n2026-01-31T08:00:00Z"},
};

/* --- one event ---------------------------------------------------------------------------------------------------- */

/* Prints the local time: "2026-01-31 08:00:00.123". */
static void print_time(int64_t wall_ms) {
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm parts;
	char date[32];
	localtime_r(&seconds, &parts);
	strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &parts);
	output_style(stdout, STYLE_DIM);
	printf("%s.%03d ", date, (int)(wall_ms % 1000));
	output_style(stdout, STYLE_PLAIN);
}

static enum style kind_style(Ftl__EventKind kind) {
	switch (kind) {
	case FTL__EVENT_KIND__EVENT_KIND_RUNNER_ALIVE:
	case FTL__EVENT_KIND__EVENT_KIND_DEPLOYMENT_LIVE:
		return STYLE_GREEN;
	case FTL__EVENT_KIND__EVENT_KIND_RUNNER_LOST:
	case FTL__EVENT_KIND__EVENT_KIND_RUNNER_KILLED:
	case FTL__EVENT_KIND__EVENT_KIND_DEPLOYMENT_FAILED:
	case FTL__EVENT_KIND__EVENT_KIND_DEPLOYMENT_REPLICA_FAILED:
	case FTL__EVENT_KIND__EVENT_KIND_BACKPLANE_CANNOT_WRITE:
		return STYLE_RED;
	case FTL__EVENT_KIND__EVENT_KIND_RUNNER_SILENT:
	case FTL__EVENT_KIND__EVENT_KIND_DEPLOYMENT_BACKING_OFF:
		return STYLE_YELLOW;
	case FTL__EVENT_KIND__EVENT_KIND_UNSPECIFIED:
	case FTL__EVENT_KIND__EVENT_KIND_BACKPLANE_STARTED:
	case FTL__EVENT_KIND__EVENT_KIND_BACKPLANE_STOPPING:
	case FTL__EVENT_KIND__EVENT_KIND_BACKPLANE_WRITES_AGAIN:
	case FTL__EVENT_KIND__EVENT_KIND_RUNNER_CREATING:
	case FTL__EVENT_KIND__EVENT_KIND_RUNNER_PROBING:
	case FTL__EVENT_KIND__EVENT_KIND_RUNNER_IDLE:
	case FTL__EVENT_KIND__EVENT_KIND_RUNNER_DEPLOYING:
	case FTL__EVENT_KIND__EVENT_KIND_RUNNER_DRAINING:
	case FTL__EVENT_KIND__EVENT_KIND_RUNNER_ENDED:
	case FTL__EVENT_KIND__EVENT_KIND_DEPLOYMENT_CREATED:
	case FTL__EVENT_KIND__EVENT_KIND_DEPLOYMENT_ROLLED_BACK:
	case FTL__EVENT_KIND__EVENT_KIND_DEPLOYMENT_DRAINING:
	case FTL__EVENT_KIND__EVENT_KIND_DEPLOYMENT_STOPPED:
	case FTL__EVENT_KIND__EVENT_KIND_DEPLOYMENT_SCALED:
	case _FTL__EVENT_KIND_IS_INT_SIZE:
		break;
	}
	return STYLE_PLAIN;
}

/* Prints "runner alive", padded to the longest kind. */
static void print_kind(Ftl__EventKind kind) {
	enum { WIDTH = 23 };
	char word[ENUM_WORD_MAX];
	enum_word(&ftl__event_kind__descriptor, (int)kind, word);
	for (char *c = strchr(word, '_'); c != NULL; c = strchr(c, '_'))
		*c = ' ';
	output_style(stdout, kind_style(kind));
	fputs(word, stdout);
	output_style(stdout, STYLE_PLAIN);
	printf("%*s ", (int)(WIDTH - MIN(strlen(word), (size_t)WIDTH)), "");
}

static void print_key(const char *key) {
	if (key[0] == '\0')
		return;
	output_style(stdout, STYLE_BOLD);
	output_text(stdout, str_from(key));
	output_style(stdout, STYLE_PLAIN);
	putchar(' ');
}

static void print_line(const Ftl__Event *event) {
	print_time(event->time_ms);
	print_kind(event->kind);
	print_key(event->deployment_key);
	print_key(event->runner_key);
	output_text(stdout, str_from(event->text));
	putchar('\n');
	for (size_t i = 0; i < event->n_last_lines; i++)
		output_lines(stdout, "  | ", str_from(event->last_lines[i]));
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static bool read_since(const char *since, int64_t *ret_since_ms) {
	struct timestamp time;
	uint64_t ago_ms;
	if (duration_parse(since, &ago_ms)) {
		*ret_since_ms = clock_wall_ms() - (int64_t)ago_ms;
		return true;
	}
	if (!timestamp_parse(str_from(since), &time))
		return false;
	*ret_since_ms = time.seconds * 1000 + time.nanos / 1000000;
	return true;
}

static bool read_tail(const struct events_options *given, uint32_t *ret_tail) {
	uint64_t tail = given->since != NULL ? UINT32_MAX : 100;
	if (given->tail != NULL && !str_to_u64(str_from(given->tail), &tail))
		return false;
	*ret_tail = (uint32_t)MIN(tail, (uint64_t)UINT32_MAX);
	return true;
}

static int print_event(struct cli *cli, const ProtobufCMessage *message, void *state UNUSED, struct error *err UNUSED) {
	const Ftl__Event *event = ((const Ftl__StreamEventsResponse *)message)->event;
	if (event == NULL)
		return 0;
	if (cli->common->output == FORMAT_JSON)
		output_json(json_from_message(&event->base), JSON_RECORD);
	else
		print_line(event);
	return 0;
}

static int run(struct cli *cli) {
	const struct events_options *given = cli->options;
	Ftl__StreamEventsRequest request = FTL__STREAM_EVENTS_REQUEST__INIT;
	struct error err;
	if (!read_tail(given, &request.tail))
		return cli_usage(cli, "--tail is \"%s\"; it must be a number", given->tail);
	if (given->since != NULL && !read_since(given->since, &request.since_ms))
		return cli_usage(cli,
				 "--since is \"%s\"; it must be 10m, 2h, 1d, or a time such as 2026-01-31T08:00:00Z",
				 given->since);
	request.module = cli->operand_count > 0 ? cli->operands[0] : request.module;
	request.follow = given->follow;
	if (cli_connect(cli, NULL, &err) < 0 ||
	    cli_print_stream(cli, "StreamEvents", &request.base, &ftl__stream_events_response__descriptor, print_event,
			     NULL, &err) < 0)
		return cli_fail(cli, &err);
	return EXIT_DONE;
}

const struct command command_events = {
	.name = "events",
	.summary = "what happened to Runners and deployments, and why",
	.operands = "[MODULE]",
	.operands_max = 1,
	.examples = "ftl events echo --since 1h\nftl events -f\n"
		    "ftl events -o json | jq 'select(.kind == \"deployment_failed\")'",
	.notes = "The Backplane keeps the newest 10,000 events. Times are local.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct events_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
