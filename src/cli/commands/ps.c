/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/status.h"

struct ps_options {
	struct common_options common;
	bool all;
};

static const struct args_option options[] = {
	{.name = "all",
	 .letter = 'a',
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct ps_options, all),
	 .help = "also show the last stopped deployment of each module\n(all: ftl history MODULE)"},
};

static bool is_shown(const Ftl__StatusResponse__Deployment *deployment, bool all) {
	return all || deployment->state != FTL__DEPLOYMENT_STATE__DEPLOYMENT_STATE_STOPPED;
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

static void print_table(struct cli *cli, const Ftl__StatusResponse *status, bool all) {
	static const char *const titles[] = {"MODULE", "DEPLOYMENT", "STATE", "ALIVE", "AGE",
					     "RUNNER", "RUNNER IS",  "CALLS NOW", "START, OR WHY NOT"};
	struct table table;
	size_t shown = 0;
	table_init(&table, &cli->arena, titles, ARRAY_LEN(titles));
	for (size_t i = 0; i < status->n_deployments; i++) {
		const Ftl__StatusResponse__Deployment *deployment = status->deployments[i];
		size_t runners = 0;
		if (!is_shown(deployment, all))
			continue;
		shown++;
		for (size_t j = 0; j < status->n_runners; j++) {
			if (strcmp(status->runners[j]->deployment_key, deployment->key) != 0)
				continue;
			runners++;
			add_row(&table, &cli->arena, deployment, status->runners[j]);
		}
		if (runners == 0)
			add_row(&table, &cli->arena, deployment, NULL);
	}
	if (shown > 0)
		table_print(&table);
	else
		output_nothing("nothing runs; deploy something: ftl deploy DIR");
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

/* Prints one object for each deployment, with its Runners inside. */
static void print_json(const Ftl__StatusResponse *status, bool all) {
	json_t *deployments = json_array();
	for (size_t i = 0; i < status->n_deployments; i++) {
		const Ftl__StatusResponse__Deployment *deployment = status->deployments[i];
		if (!is_shown(deployment, all))
			continue;
		json_t *object = json_from_message(&deployment->base), *runners = json_array();
		for (size_t j = 0; j < status->n_runners; j++)
			if (strcmp(status->runners[j]->deployment_key, deployment->key) == 0)
				json_array_append_new(runners, json_from_message(&status->runners[j]->base));
		json_object_set_new(object, "runners", runners);
		json_array_append_new(deployments, object);
	}
	output_json(deployments, JSON_MANY_LINES);
}

static int run(struct cli *cli) {
	const struct ps_options *given = cli->options;
	const Ftl__StatusResponse *status;
	struct error err;
	if (status_get(cli, &status, &err) < 0)
		return cli_fail(cli, &err);
	if (cli->common->output == FORMAT_JSON)
		print_json(status, given->all);
	else
		print_table(cli, status, given->all);
	return EXIT_DONE;
}

const struct command command_ps = {
	.name = "ps",
	.summary = "the deployments that run, and their Runners",
	.operands = "",
	.examples = "ftl ps\nftl ps -o json | jq -r '.[] | select(.state == \"live\") | .module'",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct ps_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT,
	.run = run,
};
