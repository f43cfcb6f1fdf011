/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/since.h"
#include "cli/status.h"
#include "ftl.pb-c.h"

struct events_options {
	struct common_options common;
	bool follow;
	struct since_range range;
};

static const struct args_option options[] = {
	{.name = "follow",
	 .letter = 'f',
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct events_options, follow),
	 .help = "follow: print new events as they happen"},
	SINCE_OPTIONS(struct events_options, "events"),
};

/* --- one event ---------------------------------------------------------------------------------------------------- */

static void print_time(int64_t wall_ms, bool utc) {
	char time[TIME_TEXT_MAX];
	output_time(time, wall_ms, utc);
	output_style(stdout, STYLE_DIM);
	printf("%s ", time);
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

/* A deploy of what was deployed before creates nothing. */
static bool is_deployed_again(const Ftl__Event *event) {
	return event->kind == FTL__EVENT_KIND__EVENT_KIND_DEPLOYMENT_CREATED && strcmp(event->text, "created") != 0;
}

/* Prints "runner alive", padded to the longest kind. */
static void print_kind(const Ftl__Event *event) {
	enum { WIDTH = 23 };
	char word[ENUM_WORD_MAX] = "deployed_again";
	Ftl__EventKind kind = event->kind;
	if (!is_deployed_again(event))
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

static void print_line(const Ftl__Event *event, bool utc) {
	print_time(event->time_ms, utc);
	print_kind(event);
	print_key(event->deployment_key);
	print_key(event->runner_key);
	output_text(stdout, str_from(event->text));
	putchar('\n');
	for (size_t i = 0; i < event->n_last_lines; i++)
		output_lines(stdout, "  | ", str_from(event->last_lines[i]));
}

/* --- the command -------------------------------------------------------------------------------------------------- */

/* state: how many were printed */
static int print_event(struct cli *cli, const ProtobufCMessage *message, void *state, struct error *err UNUSED) {
	const struct events_options *given = cli->options;
	const Ftl__Event *event = ((const Ftl__StreamEventsResponse *)message)->event;
	if (event == NULL)
		return 0;
	++*(size_t *)state;
	if (cli->common->output == FORMAT_JSON)
		output_json(json_from_message(&event->base), JSON_RECORD);
	else
		print_line(event, given->range.utc);
	return 0;
}

static int run(struct cli *cli) {
	const struct events_options *given = cli->options;
	Ftl__StreamEventsRequest request = FTL__STREAM_EVENTS_REQUEST__INIT;
	struct error err;
	size_t printed = 0;
	int wrong = since_read(cli, &given->range, &request.tail, &request.since_ms);
	if (wrong != EXIT_DONE)
		return wrong;
	request.module = cli->operand_count > 0 ? cli->operands[0] : request.module;
	request.follow = given->follow;
	if (given->follow) /* which may wait for ever */
		status_warn_of_unknown(cli, cli->operands, cli->operand_count);
	if (cli_connect(cli, NULL, &err) < 0 ||
	    cli_print_stream(cli, "StreamEvents", &request.base, &ftl__stream_events_response__descriptor, print_event,
			     &printed, &err) < 0)
		return cli_fail(cli, &err);
	if (printed == 0 && request.tail > 0) {
		output_nothing("no event is kept%s", given->range.since != NULL ? " since then" : "");
		if (!given->follow)
			status_warn_of_unknown(cli, cli->operands, cli->operand_count);
	}
	return EXIT_DONE;
}

const struct command command_events = {
	.name = "events",
	.summary = "what happened to Runners and deployments, and why",
	.operands = "[MODULE]",
	.operands_max = 1,
	.examples = "ftl events echo --since 1h\nftl events -f\n"
		    "ftl events -o json | jq 'select(.kind == \"deployment_failed\")'",
	.notes = "The Backplane keeps the newest 10,000 events. On a terminal times are those of\n"
		 "this place, elsewhere UTC.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct events_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
