/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status.h"

#include <stdio.h>

#include "base/clock.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/table.h"

static const char *age(struct arena *arena, int64_t since_ms) {
	char text[TIME_TEXT_MAX];
	duration_format(text, clock_wall_ms() - since_ms);
	return arena_strdup(arena, str_from(text));
}

static void print_deployments(struct cli *cli, const Ftl__StatusResponse *status) {
	static const struct table_column columns[] = {
		{"MODULE", 0, 8}, {"DEPLOYMENT", 3, 0}, {"LANGUAGE", 2, 0}, {"STATE", 0, 0},
		{"ALIVE", 0, 0},  {"SINCE", 1, 0},      {"DETAIL", 0, 16},
	};
	struct arena *arena = &cli->arena;
	struct table table;
	table_init(&table, arena, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < status->n_deployments; i++) {
		const Ftl__StatusResponse__Deployment *deployment = status->deployments[i];
		char word[ENUM_WORD_MAX];
		enum_word(&ftl__deployment_state__descriptor, (int)deployment->state, word);
		const struct table_cell cells[] = {
			{deployment->module, STYLE_PLAIN},
			{deployment->key, STYLE_PLAIN},
			{deployment->language, STYLE_PLAIN},
			{arena_strdup(arena, str_from(word)), STYLE_PLAIN},
			{arena_printf(arena, "%u/%u", deployment->alive, deployment->replicas), STYLE_PLAIN},
			{age(arena, deployment->since_ms), STYLE_PLAIN},
			{deployment->detail, STYLE_PLAIN},
		};
		table_add(&table, cells);
	}
	if (status->n_deployments > 0) {
		putchar('\n');
		table_print(&table, cli->common->output == FORMAT_WIDE);
	}
}

static void print_runners(struct cli *cli, const Ftl__StatusResponse *status) {
	static const struct table_column columns[] = {
		{"RUNNER", 0, 0},    {"LANGUAGE", 2, 0},   {"STATE", 0, 0},     {"SINCE", 1, 0},
		{"CALLS NOW", 3, 0}, {"STARTED BY", 4, 0}, {"ENDPOINT", 5, 12}, {"DEPLOYMENT", 0, 12},
	};
	struct arena *arena = &cli->arena;
	struct table table;
	table_init(&table, arena, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < status->n_runners; i++) {
		const Ftl__StatusResponse__Runner *runner = status->runners[i];
		const struct table_cell cells[] = {
			{runner->key, STYLE_PLAIN},
			{runner->language, STYLE_PLAIN},
			{runner->state, STYLE_PLAIN},
			{age(arena, runner->since_ms), STYLE_PLAIN},
			{arena_printf(arena, "%llu", (unsigned long long)runner->calls), STYLE_PLAIN},
			{runner->managed ? "the platform" : "a person", STYLE_PLAIN},
			{runner->endpoint[0] != '\0' ? runner->endpoint : "-", STYLE_PLAIN},
			{runner->deployment_key[0] != '\0' ? runner->deployment_key : "-", STYLE_PLAIN},
		};
		table_add(&table, cells);
	}
	if (status->n_runners > 0) {
		putchar('\n');
		table_print(&table, cli->common->output == FORMAT_WIDE);
	}
}

static void print_problems(const Ftl__StatusResponse *status) {
	putchar('\n');
	if (status->n_problems == 0) {
		puts("No problems.");
		return;
	}
	output_style(stdout, STYLE_RED);
	printf("%zu problem%s:", status->n_problems, status->n_problems == 1 ? "" : "s");
	output_style(stdout, STYLE_PLAIN);
	putchar('\n');
	for (size_t i = 0; i < status->n_problems; i++)
		output_lines(stdout, "  ", str_from(status->problems[i]));
}

static int run(struct cli *cli) {
	const Ftl__StatusResponse *status;
	struct error err;
	if (status_get(cli, &status, &err) < 0)
		return cli_fail(cli, &err);
	if (cli->common->output == FORMAT_JSON) {
		output_json(json_from_message(&status->base), JSON_MANY_LINES);
		return EXIT_DONE;
	}
	fputs("FTL ", stdout);
	output_text(stdout, str_from(status->version));
	fputs(" at ", stdout);
	output_text(stdout, str_from(status->endpoint));
	printf(", up %s\n", age(&cli->arena, status->started_ms));
	print_deployments(cli, status);
	print_runners(cli, status);
	print_problems(status);
	return EXIT_DONE;
}

const struct command command_status = {
	.name = "status",
	.summary = "the whole system: deployments, Runners, problems",
	.operands = "",
	.examples = "ftl status\nftl status -o json | jq .problems",
	.options_size = sizeof(struct common_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT,
	.run = run,
};
