/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build ─▶ read the schema ─▶ find the files ─▶ ask what is missing ─▶ upload that ─▶ create ─▶ watch until it is live
 *                                                    └── --dry-run ends here      --no-wait ──┘
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/nearest.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/project/builder.h"
#include "cli/schemas/schema_diff.h"
#include "cli/schemas/schemas.h"
#include "cli/upload.h"
#include "cli/watch.h"
#include "control/model.h"
#include "ftl.pb-c.h"
#include "schema/proto.h"

struct deploy_options {
	struct common_options common;
	bool no_build, no_wait, dry_run, allow_breaking, verbose;
	unsigned replicas;
	uint64_t timeout_ms;
};

static const struct args_option options[] = {
	{.name = "replicas",
	 .letter = 'n',
	 .kind = ARGS_COUNT_FROM_1,
	 .offset = offsetof(struct deploy_options, replicas),
	 .value = "N",
	 .max = REPLICAS_MAX,
	 .help = "replicas to run (default: as many as now, 1 for a new module)"},
	{.name = "no-build",
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct deploy_options, no_build),
	 .help = "deploy the files as they are"},
	WATCH_OPTIONS(struct deploy_options),
	{.name = "dry-run",
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct deploy_options, dry_run),
	 .help = "only show schema changes and what would be uploaded"},
	{.name = "allow-breaking",
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct deploy_options, allow_breaking),
	 .help = "deploy even if it breaks deployed modules or refers to missing ones"},
};

struct deploy {
	struct cli *cli;
	const struct deploy_options *options;
	struct project project;
	struct schema_module *schema;
	struct files files;
	const char *key;
	bool existed, was_active;
	uint64_t start_ms;
};

/* --- what is deployed --------------------------------------------------------------------------------------------- */

static int check_project(const struct project *project, struct error *err) {
	if (project->language == NULL)
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "%s: the language is missing; add, for example: language = \"c\"", project->file);
	if (project->deploy_count == 0)
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "%s: \"deploy\" is missing; add, for example: deploy = [\"%s\"]", project->file,
				 project->entry);
	return 0;
}

static int check_entry(const struct deploy *deploy, struct error *err) {
	const struct project *project = &deploy->project;
	if (files_find(&deploy->files, project->entry) != NULL)
		return 0;
	struct nearest nearest;
	nearest_init(&nearest, str_from(project->entry));
	for (size_t i = 0; i < deploy->files.count; i++)
		nearest_offer(&nearest, deploy->files.items[i].path);
	char hint[NEAREST_HINT_MAX];
	const char *meant = nearest_hint(&nearest, hint);
	return error_set(err, CODE_INVALID_ARGUMENT, "%s: the entry \"%s\" is not among the files of \"deploy\"%s%s",
			 project->file, project->entry, meant ? "; " : "", meant ? meant : "");
}

static int prepare(struct deploy *deploy, struct error *err) {
	const struct project *project = &deploy->project;
	struct cli *cli = deploy->cli;
	/* Standard output is for the deployments; the build command writes to standard error. */
	if (!deploy->options->no_build && build_run(cli, project, STDERR_FILENO, err) < 0)
		return -1;
	if (schema_read_own(cli, project, &deploy->schema, err) < 0)
		return -1;
	schema_warn_of_metadata(deploy->schema);
	struct files *files = &deploy->files;
	if (files_collect(project->folder, project->deploy, project->deploy_count, &cli->arena, files, err) < 0)
		return -1;
	if (check_entry(deploy, err) < 0)
		return -1;
	return upload_hash(project, &deploy->files, err);
}

/* --- dry run ------------------------------------------------------------------------------------------------------ */

static void print_plan(const struct deploy *deploy, const struct schema_diff *diff) {
	const char *module = deploy->project.module;
	struct upload_size missing = upload_size(&deploy->files);
	if (deploy->options->common.output == FORMAT_JSON) {
		json_t *files = json_array();
		for (size_t i = 0; i < deploy->files.count; i++) {
			const struct file *file = &deploy->files.items[i];
			json_array_append_new(files, json_pack("{s:s, s:s, s:I, s:b, s:b}", "path", file->path,
							       "digest", digest_to_hex(&file->digest).text, "size",
							       (json_int_t)file->size, "executable", file->executable,
							       "missing", file->missing));
		}
		json_t *plan = schema_diff_to_json(diff);
		json_object_set_new(plan, "files", files);
		output_json(plan, JSON_ONE_LINE);
		return;
	}
	schema_diff_print(diff);
	for (size_t i = 0; i < deploy->files.count; i++) {
		const struct file *file = &deploy->files.items[i];
		char size[SIZE_TEXT_MAX];
		size_format(size, file->size);
		printf("%s  %s (%s%s)\n", file->missing ? "upload " : "present", file->path, size,
		       file->executable ? ", executable" : "");
	}
	char size[SIZE_TEXT_MAX];
	size_format(size, missing.bytes);
	printf("%s: would upload %zu of %zu files, %s\n", module, missing.files, deploy->files.count, size);
}

/* --- creating ----------------------------------------------------------------------------------------------------- */

static Ftl__DeploymentArtefact **list_artefacts(struct deploy *deploy) {
	struct arena *arena = &deploy->cli->arena;
	Ftl__DeploymentArtefact **list = arena_alloc(arena, (deploy->files.count + 1) * sizeof(void *));
	for (size_t i = 0; i < deploy->files.count; i++) {
		const struct file *file = &deploy->files.items[i];
		list[i] = arena_alloc(arena, sizeof **list);
		ftl__deployment_artefact__init(list[i]);
		list[i]->digest = arena_strdup(arena, str_from(digest_to_hex(&file->digest).text));
		list[i]->path = (char *)file->path;
		list[i]->executable = file->executable;
	}
	return list;
}

static int create(struct deploy *deploy, struct error *err) {
	deploy->schema->language = deploy->project.language;
	deploy->schema->entry = deploy->project.entry;
	deploy->schema->bind = deploy->project.bind;
	Ftl__CreateDeploymentRequest request = FTL__CREATE_DEPLOYMENT_REQUEST__INIT;
	request.schema = schema_to_proto(deploy->schema, &deploy->cli->arena);
	request.artefacts = list_artefacts(deploy);
	request.n_artefacts = deploy->files.count;
	request.replicas = deploy->options->replicas;
	request.allow_breaking = deploy->options->allow_breaking;
	deploy->start_ms = clock_ms();
	const ProtobufCMessage *response;
	if (cli_unary(deploy->cli, "CreateDeployment", &request.base, &ftl__create_deployment_response__descriptor,
		      &response, err) < 0)
		return error_wrap(err, "%s", deploy->project.module);
	const Ftl__CreateDeploymentResponse *created = (const Ftl__CreateDeploymentResponse *)response;
	deploy->key = created->deployment_key;
	deploy->existed = created->existed;
	deploy->was_active = created->active;
	return 0;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void report(struct deploy *deploy, bool live) {
	uint64_t took_ms = clock_ms() - deploy->start_ms;
	unsigned replicas = live ? watch_count_alive(deploy->cli, deploy->key) : 0;
	progress_clear();
	if (deploy->options->common.output == FORMAT_JSON) {
		output_json(json_pack("{s:s, s:s, s:s, s:b, s:b, s:i, s:I}", "module", deploy->project.module,
				      "deployment_key", deploy->key, "state", live ? "live" : "created", "existed",
				      deploy->existed, "unchanged", deploy->was_active, "replicas", (int)replicas,
				      "took_ms", (json_int_t)took_ms),
			    JSON_ONE_LINE);
		return;
	}
	char took[TIME_TEXT_MAX];
	duration_format(took, (int64_t)took_ms);
	const char *state = live ? "is live" : "was created";
	if (deploy->existed)
		state = !live ? "existed already" : deploy->was_active ? "is live, unchanged" : "is live again";
	printf("%s: ", deploy->project.module);
	output_text(stdout, str_from(deploy->key));
	printf(" %s (", state);
	if (replicas > 0)
		printf("%u replica%s, ", replicas, replicas == 1 ? "" : "s");
	printf("%s)\n", took);
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static int deploy_folder(struct cli *cli, const char *folder, struct error *err) {
	struct deploy deploy = {.cli = cli, .options = cli->options};
	if (project_read(folder, &cli->arena, &deploy.project, err) < 0 || check_project(&deploy.project, err) < 0)
		return -1;
	if (prepare(&deploy, err) < 0 || cli_connect(cli, deploy.project.endpoint, err) < 0)
		return -1;
	if (upload_find_missing(cli, &deploy.files, err) < 0)
		return -1;
	if (deploy.options->dry_run) {
		struct schema_diff *diff;
		if (schema_diff_make(cli, deploy.project.endpoint, deploy.schema, &diff, err) < 0)
			return -1;
		progress_clear();
		print_plan(&deploy, diff);
		schema_diff_free(diff);
		return 0;
	}
	if (upload_missing(cli, &deploy.project, &deploy.files, err) < 0 || create(&deploy, err) < 0)
		return -1;
	bool live = !deploy.options->no_wait;
	const struct watch watch = {.module = deploy.project.module,
				    .key = deploy.key,
				    .timeout_ms = deploy.options->timeout_ms,
				    .verbose = deploy.options->verbose};
	if (live && watch_until_live(cli, &watch, err) < 0)
		return -1;
	report(&deploy, live);
	fflush(stdout);
	/* Without a client SIGINT ends the process by its default action, as it should during the next build. */
	client_close(cli->client);
	cli->client = NULL;
	return 0;
}

static int run(struct cli *cli) {
	size_t count;
	char *const *folders = cli_folders(cli, &count);
	struct error err;
	for (size_t i = 0; i < count; i++)
		if (deploy_folder(cli, folders[i], &err) < 0)
			return cli_fail(cli, &err);
	return EXIT_DONE;
}

const struct command command_deploy = {
	.name = "deploy",
	.summary = "build modules, upload what is missing, and wait until they are live",
	.operands = "[DIR…]",
	.operands_max = ARGS_OPERANDS_ANY,
	.examples = "ftl deploy\n"
		    "ftl deploy examples/time examples/echo\n"
		    "ftl deploy --replicas 3 --timeout 2m greeter",
	.notes =
		"Deploys the module of DIR/ftl.toml (default \".\"), several in the order given. Calls go to the\n"
		"deployment that runs now until the new one is live; if the new one does not come up, it goes on serving.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct deploy_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT,
	.run = run,
};
