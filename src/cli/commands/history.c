/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/table.h"
#include "ftl.pb-c.h"

enum { LIMIT_MAX = 1000 };

struct history_options {
	struct common_options common;
	unsigned limit;
};

static const struct args_option options[] = {
	{.name = "limit",
	 .letter = 'n',
	 .kind = ARGS_COUNT_FROM_1,
	 .offset = offsetof(struct history_options, limit),
	 .value = "N",
	 .standard = "100",
	 .help = "show so many of the newest entries, at most 1000"},
};

static void print_table(struct cli *cli, const Ftl__ListDeploymentsResponse *list) {
	static const struct table_column columns[] = {
		{"", 0, 0}, {"DEPLOYMENT", 0, 0}, {"STATE", 0, 0}, {"AGE", 0, 0}, {"WHY", 0, 12},
	};
	struct table table;
	table_init(&table, &cli->arena, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < list->n_deployments; i++) {
		const Ftl__ListDeploymentsResponse__Deployment *deployment = list->deployments[i];
		char age[TIME_TEXT_MAX], word[ENUM_WORD_MAX];
		int64_t since_ms = deployment->live_ms != 0 ? deployment->live_ms : deployment->created_ms;
		duration_format(age, clock_wall_ms() - since_ms);
		enum_word(&ftl__deployment_state__descriptor, (int)deployment->state, word);
		const struct table_cell cells[] = {
			{deployment->active ? "*" : "", STYLE_GREEN},
			{deployment->key, STYLE_PLAIN},
			{arena_strdup(&cli->arena, str_from(word)), deployment->active ? STYLE_GREEN : STYLE_PLAIN},
			{arena_strdup(&cli->arena, str_from(age)), STYLE_PLAIN},
			{deployment->detail, STYLE_PLAIN},
		};
		table_add(&table, cells);
	}
	table_print(&table, cli->common->output == FORMAT_WIDE);
}

static void print_json(const Ftl__ListDeploymentsResponse *list) {
	json_t *deployments = json_array();
	for (size_t i = 0; i < list->n_deployments; i++)
		json_array_append_new(deployments, json_from_message(&list->deployments[i]->base));
	output_json(deployments, JSON_MANY_LINES);
}

/* On standard error, as what is printed is the same for a program whether or not there is more. */
static void tell_of_older(const Ftl__ListDeploymentsResponse *list) {
	if (list->total <= list->n_deployments)
		return;
	progress_note("these are the newest %zu of %u entries; --limit %u shows %s", list->n_deployments, list->total,
		      MIN(list->total, (uint32_t)LIMIT_MAX), list->total > LIMIT_MAX ? "more" : "all");
}

static int run(struct cli *cli) {
	const struct history_options *given = cli->options;
	Ftl__ListDeploymentsRequest request = FTL__LIST_DEPLOYMENTS_REQUEST__INIT;
	request.module = cli->operands[0];
	request.limit = given->limit;
	const ProtobufCMessage *response;
	struct error err;
	if (cli_connect(cli, NULL, &err) < 0 ||
	    cli_unary(cli, "ListDeployments", &request.base, &ftl__list_deployments_response__descriptor, &response,
		      &err) < 0)
		return cli_fail(cli, &err);
	if (cli->common->output == FORMAT_JSON)
		print_json((const Ftl__ListDeploymentsResponse *)response);
	else
		print_table(cli, (const Ftl__ListDeploymentsResponse *)response);
	tell_of_older((const Ftl__ListDeploymentsResponse *)response);
	return EXIT_DONE;
}

const struct command command_history = {
	.name = "history",
	.summary = "when which deployment of a module was live, newest first",
	.operands = "MODULE",
	.operands_min = 1,
	.operands_max = 1,
	.examples = "ftl history echo\nftl rollback echo $(ftl history echo -o json | jq -r '.[2].key')",
	.notes =
		"Each time in which a deployment was live has a line; * marks the one that takes the calls. A deployment\n"
		"that was live twice has two lines. Deployments that never were live stand where they were created.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct history_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
