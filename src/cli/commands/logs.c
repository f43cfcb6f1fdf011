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

struct logs_options {
	struct common_options common;
	bool follow;
	struct since_range range;
	enum log_level level;
	const char *request; /* NULL: any */
};

static const struct args_option options[] = {
	{.name = "follow",
	 .letter = 'f',
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct logs_options, follow),
	 .help = "follow: print new lines as they are written"},
	SINCE_OPTIONS(struct logs_options, "lines"),
	{.name = "level",
	 .letter = 'l',
	 .kind = ARGS_LEVEL,
	 .offset = offsetof(struct logs_options, level),
	 .value = "LEVEL",
	 .standard = "debug",
	 .help = "leave out lower levels than this"},
	{.name = "request",
	 .letter = 'r',
	 .kind = ARGS_TEXT,
	 .offset = offsetof(struct logs_options, request),
	 .value = "ID",
	 .help = "only lines of the request with this id, in any module\n(ftl call -v shows it as ftl-request-id)"},
};

/* --- one line ----------------------------------------------------------------------------------------------------- */

/* Prints strings that need no quotes as they are, everything else as JSON. */
static void print_attribute(const char *name, const json_t *value) {
	putchar(' ');
	output_style(stdout, STYLE_DIM);
	output_text(stdout, str_from(name));
	putchar('=');
	output_style(stdout, STYLE_PLAIN);
	const char *text = json_string_value(value);
	if (text != NULL && text[0] != '\0' && strpbrk(text, " \"=\t\n\r") == NULL)
		output_text(stdout, str_from(text));
	else
		output_json_value(stdout, value, JSON_COMPACT);
}

static void print_attributes(const char *attributes) {
	json_t *object = json_loads(attributes, 0, NULL);
	if (!json_is_object(object)) {
		/* The attributes are no JSON object; the text may still help. */
		putchar(' ');
		output_text(stdout, str_from(attributes));
	}
	const char *name;
	json_t *value;
	json_object_foreach(object, name, value) {
		print_attribute(name, value);
	}
	json_decref(object);
}

static enum style level_style(const char *level) {
	if (strcmp(level, "error") == 0)
		return STYLE_RED;
	if (strcmp(level, "warn") == 0)
		return STYLE_YELLOW;
	return strcmp(level, "debug") == 0 ? STYLE_DIM : STYLE_GREEN;
}

static void print_line(const Ftl__LogEntry *entry, bool utc) {
	char time[TIME_TEXT_MAX];
	output_time(time, entry->time_ms, utc);
	output_style(stdout, STYLE_DIM);
	fputs(time, stdout);
	output_style(stdout, STYLE_PLAIN);
	putchar(' ');
	output_style(stdout, level_style(entry->level));
	output_text(stdout, str_from(entry->level));
	output_style(stdout, STYLE_PLAIN);
	printf("%*s ", (int)(5 - MIN(strlen(entry->level), (size_t)5)), "");
	output_style(stdout, STYLE_BOLD);
	output_text(stdout, str_from(entry->module));
	output_style(stdout, STYLE_PLAIN);
	putchar(' ');
	struct str rest;
	output_text(stdout, str_cut(str_from(entry->message), '\n', &rest));
	if (entry->attributes[0] != '\0')
		print_attributes(entry->attributes);
	putchar('\n');
	output_lines(stdout, "    ", rest); /* of a traceback */
}

static void print_json(const Ftl__LogEntry *entry) {
	json_t *object = json_from_message(&entry->base);
	json_t *attributes = json_loads(entry->attributes, 0, NULL);
	if (attributes != NULL)
		json_object_set_new(object, "attributes", attributes);
	output_json(object, JSON_RECORD);
}

/* --- the command -------------------------------------------------------------------------------------------------- */

/* state: how many were printed */
static int print_entry(struct cli *cli, const ProtobufCMessage *message, void *state, struct error *err UNUSED) {
	const struct logs_options *given = cli->options;
	const Ftl__StreamLogsResponse *response = (const Ftl__StreamLogsResponse *)message;
	if (response->dropped > 0)
		output_warning("%llu lines were dropped here, as they were not read fast enough",
			       (unsigned long long)response->dropped);
	if (response->entry == NULL)
		return 0;
	++*(size_t *)state;
	if (cli->common->output == FORMAT_JSON)
		print_json(response->entry);
	else
		print_line(response->entry, given->range.utc);
	return 0;
}

static int run(struct cli *cli) {
	const struct logs_options *given = cli->options;
	Ftl__StreamLogsRequest request = FTL__STREAM_LOGS_REQUEST__INIT;
	struct error err;
	size_t printed = 0;
	int wrong = since_read(cli, &given->range, &request.tail, &request.since_ms);
	if (wrong != EXIT_DONE)
		return wrong;
	if (cli->operand_count == 1) /* for a Backplane that knows only one */
		request.module = cli->operands[0];
	else
		request.modules = cli->operands;
	request.n_modules = cli->operand_count > 1 ? cli->operand_count : 0;
	request.follow = given->follow;
	request.level = given->level > LOG_DEBUG ? (char *)log_level_name(given->level) : request.level;
	request.request_id = given->request != NULL ? (char *)given->request : request.request_id;
	if (given->follow) /* which may wait for ever */
		status_warn_of_unknown(cli, cli->operands, cli->operand_count);
	if (cli_connect(cli, NULL, &err) < 0 ||
	    cli_print_stream(cli, "StreamLogs", &request.base, &ftl__stream_logs_response__descriptor, print_entry,
			     &printed, &err) < 0)
		return cli_fail(cli, &err);
	if (printed == 0 && request.tail > 0) {
		output_nothing("no such line is kept");
		if (!given->follow)
			status_warn_of_unknown(cli, cli->operands, cli->operand_count);
	}
	return EXIT_DONE;
}

const struct command command_logs = {
	.name = "logs",
	.summary = "the log lines of modules",
	.operands = "[MODULE…]",
	.operands_max = ARGS_OPERANDS_ANY,
	.examples =
		"ftl logs echo --tail 20\nftl logs echo time --since 10m --level warn\nftl logs -f -o json | jq 'select(.level == \"error\")'",
	.notes =
		"A line has level info unless it says another. On a terminal times are those of this place, elsewhere UTC.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct logs_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
