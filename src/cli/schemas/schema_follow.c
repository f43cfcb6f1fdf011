/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/schemas/schema_follow.h"

#include <jansson.h>
#include <stdio.h>

#include "cli/json.h"
#include "cli/output.h"
#include "cli/schemas/schemas.h"
#include "ftl.pb-c.h"

/* "added" for SCHEMA_CHANGE_ADDED. */
static const char *change_word(Ftl__SchemaChange change, char text[ENUM_WORD_MAX]) {
	return enum_word(&ftl__schema_change__descriptor, (int)change, text);
}

/* Prints schema text in which the changes are comments, so that the output parses. */
static int print_text(struct cli *cli, const Ftl__PullSchemaResponse *news, bool all_told, struct error *err) {
	char word[ENUM_WORD_MAX];
	if (news->change == FTL__SCHEMA_CHANGE__SCHEMA_CHANGE_ALL_TOLD)
		return 0;
	if (all_told) {
		printf("// %s ", change_word(news->change, word));
		output_text(stdout, str_from(news->module));
		putchar('\n');
	}
	if (news->schema != NULL && schema_print_message(cli, news->schema, err) < 0)
		return -1;
	putchar('\n');
	return 0;
}

static void print_json(const Ftl__PullSchemaResponse *news) {
	char word[ENUM_WORD_MAX];
	json_t *line = json_pack("{s:s}", "change", change_word(news->change, word));
	if (news->module[0] != '\0')
		json_object_set_new(line, "module", json_string(news->module));
	if (news->schema != NULL)
		json_object_set_new(line, "schema", json_from_message(&news->schema->base));
	output_json(line, JSON_RECORD);
}

struct schema_follower {
	bool as_json;
	bool all_told;
};

static int print_news(struct cli *cli, const ProtobufCMessage *message, void *state, struct error *err) {
	struct schema_follower *follower = state;
	const Ftl__PullSchemaResponse *news = (const Ftl__PullSchemaResponse *)message;
	if (follower->as_json)
		print_json(news);
	else if (print_text(cli, news, follower->all_told, err) < 0)
		return -1;
	follower->all_told |= news->change == FTL__SCHEMA_CHANGE__SCHEMA_CHANGE_ALL_TOLD;
	return 0;
}

int schema_follow(struct cli *cli, const char *module, bool as_json, struct error *err) {
	Ftl__PullSchemaRequest request = FTL__PULL_SCHEMA_REQUEST__INIT;
	if (module != NULL)
		request.module = (char *)module;
	if (cli_connect(cli, NULL, err) < 0)
		return -1;
	struct schema_follower follower = {.as_json = as_json};
	return cli_print_stream(cli, "PullSchema", &request.base, &ftl__pull_schema_response__descriptor, print_news,
				&follower, err);
}
