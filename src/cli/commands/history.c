/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/output.h"
#include "ftl.pb-c.h"

static void print_table(struct cli *cli, const Ftl__ListDeploymentsResponse *list) {
	static const char *const titles[] = {"", "DEPLOYMENT", "STATE", "AGE", "WHY"};
	struct table table;
	table_init(&table, &cli->arena, titles, ARRAY_LEN(titles));
	for (size_t i = 0; i < list->n_deployments; i++) {
		const Ftl__ListDeploymentsResponse__Deployment *deployment = list->deployments[i];
		char age[TIME_TEXT_MAX], word[ENUM_WORD_MAX];
		duration_format(age, clock_wall_ms() - deployment->created_ms);
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
	table_print(&table);
}

static void print_json(const Ftl__ListDeploymentsResponse *list) {
	json_t *deployments = json_array();
	for (size_t i = 0; i < list->n_deployments; i++)
		json_array_append_new(deployments, json_from_message(&list->deployments[i]->base));
	output_json(deployments, JSON_MANY_LINES);
}

static int run(struct cli *cli) {
	Ftl__ListDeploymentsRequest request = FTL__LIST_DEPLOYMENTS_REQUEST__INIT;
	request.module = cli->operands[0];
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
	return EXIT_DONE;
}

const struct command command_history = {
	.name = "history",
	.summary = "the deployments of a module, newest first",
	.operands = "MODULE",
	.operands_min = 1,
	.operands_max = 1,
	.examples = "ftl history echo\nftl rollback echo $(ftl history echo -o json | jq -r '.[2].key')",
	.options_size = sizeof(struct common_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
