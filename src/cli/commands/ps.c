/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/status.h"
#include "cli/table.h"

struct ps_options {
	struct common_options common;
	bool all, watch;
};

static const struct args_option options[] = {
	{.name = "all",
	 .letter = 'a',
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct ps_options, all),
	 .help = "also show the last stopped deployment of each module\n(all: ftl history MODULE)"},
	{.name = "watch",
	 .letter = 'w',
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct ps_options, watch),
	 .help = "show it again each second, until interrupted"},
};

/* Which deployments are shown. */
struct shown {
	bool all;
	const char *module; /* NULL: of every module */
};

static bool is_shown(const Ftl__StatusResponse__Deployment *deployment, const struct shown *shown) {
	if (shown->module != NULL && strcmp(deployment->module, shown->module) != 0)
		return false;
	return shown->all || deployment->state != FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_STOPPED;
}

/* --- table -------------------------------------------------------------------------------------------------------- */

static enum style state_style(Ftl__DeploymentState state) {
	if (state == FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_LIVE)
		return STYLE_GREEN;
	if (state == FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_FAILED)
		return STYLE_RED;
	return STYLE_YELLOW;
}

/* The start times; for a deployment that failed or stopped, the reason. */
static const char *start_text(struct arena *arena, const Ftl__StatusResponse__Deployment *deployment) {
	if (deployment->state == FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_FAILED ||
	    deployment->state == FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_STOPPED)
		return deployment->detail;
	if (deployment->fetch_us == 0 && deployment->start_us == 0)
		return "-";
	return arena_printf(arena, "fetch %.1f ms, start %.1f ms", (double)deployment->fetch_us / 1000,
			    (double)deployment->start_us / 1000);
}

static const char *state_text(struct arena *arena, const Ftl__StatusResponse__Runner *runner) {
	if (runner->left_out[0] != '\0')
		return arena_printf(arena, "%s, %s", runner->state, runner->left_out);
	return runner->trouble[0] != '\0' ? arena_printf(arena, "%s, misses pings", runner->state) : runner->state;
}

/* Adds a row for one Runner of a deployment; runner NULL: the deployment has none. */
static void add_row(struct table *table, struct arena *arena, const Ftl__StatusResponse__Deployment *deployment,
		    const Ftl__StatusResponse__Runner *runner) {
	char age[TIME_TEXT_MAX], word[ENUM_WORD_MAX];
	duration_format(age, clock_wall_ms() - deployment->since_ms);
	enum_word(&ftl__deployment_state__descriptor, (int)deployment->state, word);
	const struct table_cell cells[] = {
		{deployment->module, STYLE_PLAIN},
		{deployment->key, STYLE_PLAIN},
		{arena_strdup(arena, str_from(word)), state_style(deployment->state)},
		{arena_printf(arena, "%u/%u", deployment->alive, deployment->replicas), STYLE_PLAIN},
		{arena_strdup(arena, str_from(age)), STYLE_PLAIN},
		{runner ? runner->key : "-", STYLE_PLAIN},
		{runner ? state_text(arena, runner) : "-",
		 runner && (runner->left_out[0] != '\0' || runner->trouble[0] != '\0') ? STYLE_YELLOW : STYLE_PLAIN},
		{runner ? arena_printf(arena, "%llu", (unsigned long long)runner->calls) : "-", STYLE_PLAIN},
		{start_text(arena, deployment), STYLE_PLAIN},
	};
	table_add(table, cells);
}

static const struct table_column columns[] = {
	{"MODULE", 0, 8},    {"DEPLOYMENT", 5, 0}, {"STATE", 0, 0},
	{"ALIVE", 0, 0},     {"AGE", 2, 0},        {"RUNNER", 4, 0},
	{"RUNNER IS", 3, 5}, {"CALLS NOW", 1, 0},  {"START, OR WHY NOT", 0, 16},
};

static void print_table(struct cli *cli, const Ftl__StatusResponse *status, const struct shown *shown) {
	struct table table;
	size_t rows = 0;
	table_init(&table, &cli->arena, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < status->n_deployments; i++) {
		const Ftl__StatusResponse__Deployment *deployment = status->deployments[i];
		if (!is_shown(deployment, shown))
			continue;
		bool has_runner = false;
		for (size_t j = 0; j < status->n_runners; j++) {
			if (strcmp(status->runners[j]->deployment_key, deployment->key) != 0)
				continue;
			add_row(&table, &cli->arena, deployment, status->runners[j]);
			has_runner = true;
		}
		if (!has_runner)
			add_row(&table, &cli->arena, deployment, NULL);
		rows++;
	}
	if (rows > 0)
		table_print(&table, cli->common->output == FORMAT_WIDE);
	else if (shown->module != NULL)
		output_nothing("nothing of %s runs; ftl deploy starts it", shown->module);
	else
		output_nothing("nothing runs; deploy something: ftl deploy DIR");
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

/* Prints one object for each deployment, with its Runners inside. */
static void print_json(const Ftl__StatusResponse *status, const struct shown *shown, enum json_shape shape) {
	json_t *deployments = json_array();
	for (size_t i = 0; i < status->n_deployments; i++)
		if (is_shown(status->deployments[i], shown))
			json_array_append_new(deployments, status_deployment_to_json(status, status->deployments[i]));
	output_json(deployments, shape);
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static int print(struct cli *cli, const struct shown *shown, struct error *err) {
	const struct ps_options *given = cli->options;
	const Ftl__StatusResponse *status;
	if (status_get(cli, &status, err) < 0)
		return -1;
	if (shown->module != NULL && status_check_module(cli, status, shown->module, err) < 0)
		return -1;
	if (given->watch && output_is_terminal(stdout))
		fputs("\033[H\033[2J", stdout); /* to the upper left, and clear */
	if (cli->common->output == FORMAT_JSON)
		print_json(status, shown, given->watch ? JSON_RECORD : JSON_MANY_LINES);
	else
		print_table(cli, status, shown);
	return 0;
}

/* Prints again each second, in an arena of its own, until it is interrupted or nobody reads. */
static int watch(struct cli *cli, const struct shown *shown, struct error *err) {
	enum { AGAIN_MS = 1000 };
	struct arena kept = cli->arena;
	int result = 0;
	while (result == 0 && !ferror(stdout)) {
		arena_init(&cli->arena, CLI_ARENA_MAX);
		result = print(cli, shown, err);
		arena_deinit(&cli->arena);
		fflush(stdout);
		if (result == 0)
			result = client_sleep(cli->client, AGAIN_MS, err);
	}
	cli->arena = kept;
	return result;
}

static int run(struct cli *cli) {
	const struct ps_options *given = cli->options;
	const struct shown shown = {.all = given->all, .module = cli->operand_count > 0 ? cli->operands[0] : NULL};
	struct error err;
	if ((given->watch ? watch : print)(cli, &shown, &err) < 0)
		return cli_fail(cli, &err);
	return EXIT_DONE;
}

static const char *const aliases[] = {"ls", NULL};

const struct command command_ps = {
	.name = "ps",
	.summary = "the deployments that run, and their Runners",
	.aliases = aliases,
	.operands = "[MODULE]",
	.operands_max = 1,
	.examples = "ftl ps\nftl ps echo --watch\nftl ps -o json | jq -r '.[] | select(.state == \"live\") | .module'",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct ps_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
