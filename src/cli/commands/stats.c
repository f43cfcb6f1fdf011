/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/table.h"
#include "ftl.pb-c.h"

struct stats_options {
	struct common_options common;
	bool all;
};

static const struct args_option options[] = {
	{.name = "all",
	 .letter = 'a',
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct stats_options, all),
	 .help = "also show verbs that were never called"},
};

static bool was_called(const Ftl__CallStatsResponse__Verb *verb) {
	return verb->calls > 0 || verb->under_way > 0;
}

/* "840 µs", "1.25 ms", "31.0 ms", "2.40 s": three digits. */
static const char *time_text(struct arena *arena, uint64_t us) {
	static const struct {
		double us;
		const char *unit;
	} units[] = {{1e6, "s"}, {1e3, "ms"}};
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		double value = (double)us / units[i].us;
		if (value >= 1)
			return arena_printf(arena, "%.*f %s",
					    value < 10    ? 2
					    : value < 100 ? 1
							  : 0,
					    value, units[i].unit);
	}
	return arena_printf(arena, "%" PRIu64 " µs", us);
}

static uint64_t count_failed(const Ftl__CallStatsResponse__Verb *verb) {
	uint64_t failed = verb->verb_failed;
	for (size_t i = 0; i < verb->n_ended; i++)
		failed += strcmp(verb->ended[i]->status, code_name(CODE_OK)) != 0 ? verb->ended[i]->calls : 0;
	return failed;
}

/* "by the verb 3, Unavailable 1" */
static const char *failures_text(struct arena *arena, const Ftl__CallStatsResponse__Verb *verb) {
	const char *text = "";
	if (verb->verb_failed > 0)
		text = arena_printf(arena, "by the verb %" PRIu64, verb->verb_failed);
	for (size_t i = 0; i < verb->n_ended; i++)
		if (strcmp(verb->ended[i]->status, code_name(CODE_OK)) != 0)
			text = arena_printf(arena, "%s%s%s %" PRIu64, text, text[0] != '\0' ? ", " : "",
					    verb->ended[i]->status, verb->ended[i]->calls);
	return text;
}

static void add_row(struct table *table, struct arena *arena, const Ftl__CallStatsResponse__Verb *verb) {
	uint64_t failed = count_failed(verb);
	const struct table_cell cells[] = {
		{arena_printf(arena, "%s.%s", verb->module, verb->verb), STYLE_PLAIN},
		{arena_printf(arena, "%" PRIu64, verb->calls), STYLE_PLAIN},
		{arena_printf(arena, "%" PRIu64, verb->under_way), STYLE_PLAIN},
		{arena_printf(arena, "%" PRIu64, failed), failed > 0 ? STYLE_RED : STYLE_PLAIN},
		{time_text(arena, verb->p50_us), STYLE_PLAIN},
		{time_text(arena, verb->p90_us), STYLE_PLAIN},
		{time_text(arena, verb->p99_us), STYLE_PLAIN},
		{time_text(arena, verb->max_us), STYLE_PLAIN},
		{failures_text(arena, verb), STYLE_PLAIN},
	};
	table_add(table, cells);
}

static void print_table(struct cli *cli, const Ftl__CallStatsResponse *stats, bool all) {
	static const struct table_column columns[] = {
		{"VERB", 0, 16}, {"CALLS", 0, 0}, {"NOW", 4, 0}, {"FAILED", 0, 0},    {"P50", 0, 0},
		{"P90", 3, 0},   {"P99", 0, 0},   {"MAX", 2, 0}, {"FAILURES", 1, 12},
	};
	struct table table;
	size_t shown = 0;
	char since[TIME_TEXT_MAX];
	table_init(&table, &cli->arena, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < stats->n_verbs; i++) {
		if (!all && !was_called(stats->verbs[i]))
			continue;
		shown++;
		add_row(&table, &cli->arena, stats->verbs[i]);
	}
	duration_format(since, clock_wall_ms() - stats->since_ms);
	if (shown > 0)
		table_print(&table, cli->common->output == FORMAT_WIDE);
	else
		output_nothing("nothing was called in the %s since the Backplane started", since);
}

static void print_json(const Ftl__CallStatsResponse *stats, bool all) {
	json_t *verbs = json_array();
	for (size_t i = 0; i < stats->n_verbs; i++)
		if (all || was_called(stats->verbs[i]))
			json_array_append_new(verbs, json_from_message(&stats->verbs[i]->base));
	output_json(json_pack("{s:I, s:o}", "since_ms", (json_int_t)stats->since_ms, "verbs", verbs), JSON_MANY_LINES);
}

static int run(struct cli *cli) {
	const struct stats_options *given = cli->options;
	Ftl__CallStatsRequest request = FTL__CALL_STATS_REQUEST__INIT;
	const ProtobufCMessage *response;
	struct error err;
	if (cli->operand_count > 0)
		request.module = cli->operands[0];
	if (cli_connect(cli, NULL, &err) < 0 ||
	    cli_unary(cli, "CallStats", &request.base, &ftl__call_stats_response__descriptor, &response, &err) < 0)
		return cli_fail(cli, &err);
	if (cli->common->output == FORMAT_JSON)
		print_json((const Ftl__CallStatsResponse *)response, given->all);
	else
		print_table(cli, (const Ftl__CallStatsResponse *)response, given->all);
	return EXIT_DONE;
}

const struct command command_stats = {
	.name = "stats",
	.summary = "how many calls each verb had, how long they took, how they ended",
	.operands = "[MODULE]",
	.operands_max = 1,
	.examples = "ftl stats\nftl stats echo -o json | jq '.verbs[] | {verb, calls, p99_us}'",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct stats_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
