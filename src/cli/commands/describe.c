/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that is known of one module, from what ps, schema, stats, history and events show of it.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/schemas/callers.h"
#include "cli/schemas/schemas.h"
#include "cli/status.h"
#include "ftl.pb-c.h"

enum { HISTORY_SHOWN = 5, EVENTS_SHOWN = 10 };

struct description {
	const char *module;
	const Ftl__StatusResponse *status;
	const Ftl__GetSchemaResponse *schema; /* NULL: the module has none that is deployed */
	const Ftl__CallStatsResponse *stats;
	const Ftl__ListDeploymentsResponse *history;
	const char *callers;
	json_t *events;
};

/* --- asking ------------------------------------------------------------------------------------------------------- */

static int keep_event(struct cli *cli UNUSED, const ProtobufCMessage *message, void *state, struct error *err UNUSED) {
	const Ftl__Event *event = ((const Ftl__StreamEventsResponse *)message)->event;
	if (event != NULL)
		json_array_append_new(state, json_from_message(&event->base));
	return 0;
}

static int ask_events(struct cli *cli, struct description *description, struct error *err) {
	Ftl__StreamEventsRequest request = FTL__STREAM_EVENTS_REQUEST__INIT;
	request.module = (char *)description->module;
	request.tail = EVENTS_SHOWN;
	return cli_print_stream(cli, "StreamEvents", &request.base, &ftl__stream_events_response__descriptor,
				keep_event, description->events, err);
}

static int ask(struct cli *cli, struct description *description, struct error *err) {
	Ftl__CallStatsRequest stats = FTL__CALL_STATS_REQUEST__INIT;
	Ftl__ListDeploymentsRequest history = FTL__LIST_DEPLOYMENTS_REQUEST__INIT;
	stats.module = history.module = (char *)description->module;
	history.limit = HISTORY_SHOWN;
	const ProtobufCMessage *answer;
	struct error ignored;
	if (status_get(cli, &description->status, err) < 0 ||
	    cli_unary(cli, "ListDeployments", &history.base, &ftl__list_deployments_response__descriptor, &answer,
		      err) < 0)
		return -1;
	description->history = (const Ftl__ListDeploymentsResponse *)answer;
	if (cli_unary(cli, "CallStats", &stats.base, &ftl__call_stats_response__descriptor, &answer, &ignored) == 0)
		description->stats = (const Ftl__CallStatsResponse *)answer;
	if (schema_fetch_messages(cli, NULL, description->module, &description->schema, &ignored) < 0)
		description->schema = NULL;
	description->callers = callers_of(cli, description->module);
	return ask_events(cli, description, err);
}

/* --- text --------------------------------------------------------------------------------------------------------- */

static void title(const char *text) {
	putchar('\n');
	output_style(stdout, STYLE_BOLD);
	puts(text);
	output_style(stdout, STYLE_PLAIN);
}

static const char *age(struct arena *arena, int64_t since_ms) {
	char text[TIME_TEXT_MAX];
	duration_format(text, clock_wall_ms() - since_ms);
	return arena_strdup(arena, str_from(text));
}

static void print_runners(struct arena *arena, const Ftl__StatusResponse *status, const char *key) {
	for (size_t i = 0; i < status->n_runners; i++) {
		const Ftl__StatusResponse__Runner *runner = status->runners[i];
		if (strcmp(runner->deployment_key, key) != 0)
			continue;
		printf("    ");
		output_text(stdout, str_from(runner->key));
		printf(" %s for %s, %" PRIu64 " call%s now", runner->state, age(arena, runner->since_ms), runner->calls,
		       runner->calls == 1 ? "" : "s");
		if (runner->left_out[0] != '\0') {
			fputs(", ", stdout);
			output_text(stdout, str_from(runner->left_out));
		}
		putchar('\n');
	}
}

static void print_deployments(struct arena *arena, const struct description *description) {
	const Ftl__StatusResponse *status = description->status;
	title("Deployments");
	for (size_t i = 0; i < status->n_deployments; i++) {
		const Ftl__StatusResponse__Deployment *deployment = status->deployments[i];
		char word[ENUM_WORD_MAX];
		if (strcmp(deployment->module, description->module) != 0)
			continue;
		enum_word(&ftl__deployment_state__descriptor, (int)deployment->state, word);
		fputs("  ", stdout);
		output_text(stdout, str_from(deployment->key));
		printf(" (%s) %s for %s, %u of %u replicas alive", deployment->language, word,
		       age(arena, deployment->since_ms), deployment->alive, deployment->replicas);
		putchar('\n');
		output_lines(stdout, "    ", str_from(deployment->detail));
		print_runners(arena, status, deployment->key);
	}
}

static void print_stats(const struct description *description) {
	bool titled = false;
	for (size_t i = 0; description->stats != NULL && i < description->stats->n_verbs; i++) {
		const Ftl__CallStatsResponse__Verb *verb = description->stats->verbs[i];
		if (verb->calls == 0)
			continue;
		if (!titled)
			title("Calls since the Backplane started");
		titled = true;
		printf("  %s %" PRIu64 ", half of them within %.3g ms, the longest %.3g ms\n", verb->verb, verb->calls,
		       (double)verb->p50_us / 1000, (double)verb->max_us / 1000);
	}
}

static void print_history(struct arena *arena, const struct description *description) {
	title("History");
	for (size_t i = 0; i < description->history->n_deployments; i++) {
		const Ftl__ListDeploymentsResponse__Deployment *one = description->history->deployments[i];
		char word[ENUM_WORD_MAX];
		enum_word(&ftl__deployment_state__descriptor, (int)one->state, word);
		printf("%s ", one->active ? " *" : "  ");
		output_text(stdout, str_from(one->key));
		printf(" %s, created %s ago\n", word, age(arena, one->created_ms));
	}
}

static void print_events(const struct description *description) {
	size_t i;
	json_t *event;
	title("Events");
	json_array_foreach(description->events, i, event) {
		char time[TIME_TEXT_MAX];
		output_time(time, json_integer_value(json_object_get(event, "time_ms")), false);
		printf("  %s ", time);
		output_text(stdout, str_from(json_string_value(json_object_get(event, "text"))));
		putchar('\n');
	}
}

static void print_problems(const struct description *description) {
	const Ftl__StatusResponse *status = description->status;
	bool titled = false;
	for (size_t i = 0; i < status->n_problems; i++) {
		if (strstr(status->problems[i], description->module) == NULL)
			continue;
		if (!titled)
			title("Problems");
		titled = true;
		output_lines(stdout, "  ", str_from(status->problems[i]));
	}
}

static int print(struct cli *cli, const struct description *description, struct error *err) {
	output_style(stdout, STYLE_BOLD);
	fputs(description->module, stdout);
	output_style(stdout, STYLE_PLAIN);
	printf(", called by %s\n", description->callers[0] != '\0' ? description->callers : "no other module");
	print_problems(description);
	print_deployments(&cli->arena, description);
	print_stats(description);
	print_history(&cli->arena, description);
	print_events(description);
	if (description->schema == NULL || description->schema->n_modules == 0)
		return 0;
	title("Schema");
	return schema_print_message(cli, description->schema->modules[0], err);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static json_t *deployments_to_json(const struct description *description) {
	json_t *deployments = json_array();
	for (size_t i = 0; i < description->status->n_deployments; i++)
		if (strcmp(description->status->deployments[i]->module, description->module) == 0)
			json_array_append_new(deployments,
					      status_deployment_to_json(description->status,
									description->status->deployments[i]));
	return deployments;
}

static void print_json(const struct description *description) {
	json_t *callers = json_array(), *object = json_pack("{s:s}", "module", description->module);
	for (struct str rest = str_from(description->callers); rest.len > 0;) {
		struct str name = str_cut(rest, ',', &rest);
		json_array_append_new(callers, json_stringn(name.ptr, name.len));
		rest = rest.len > 0 ? str_from_offset(rest, 1) : rest;
	}
	json_object_set_new(object, "called_by", callers);
	json_object_set_new(object, "deployments", deployments_to_json(description));
	if (description->stats != NULL)
		json_object_set_new(object, "stats", json_from_message(&description->stats->base));
	json_object_set_new(object, "history", json_from_message(&description->history->base));
	json_object_set(object, "events", description->events);
	if (description->schema != NULL && description->schema->n_modules > 0)
		json_object_set_new(object, "schema", json_from_message(&description->schema->modules[0]->base));
	output_json(object, JSON_MANY_LINES);
}

static int run(struct cli *cli) {
	struct description description = {.module = cli->operands[0], .events = json_array()};
	struct error err;
	int result = ask(cli, &description, &err);
	if (result == 0 && cli->common->output == FORMAT_JSON)
		print_json(&description);
	else if (result == 0)
		result = print(cli, &description, &err);
	json_decref(description.events);
	return result < 0 ? cli_fail(cli, &err) : EXIT_DONE;
}

const struct command command_describe = {
	.name = "describe",
	.summary = "all that is known of a module: replicas, callers, calls, history, events, schema",
	.operands = "MODULE",
	.operands_min = 1,
	.operands_max = 1,
	.examples = "ftl describe echo\nftl describe echo -o json | jq .called_by",
	.options_size = sizeof(struct common_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT | COMMON_OPERAND_IS_MODULE,
	.run = run,
};
