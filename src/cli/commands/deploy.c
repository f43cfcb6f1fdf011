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
#include "base/reasons.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/project/builder.h"
#include "cli/project/order.h"
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
	 .help = "only show schema changes and what would be uploaded; exit with 3\n"
		 "if the deploy would be refused"},
	{.name = "allow-breaking",
	 .kind = ARGS_FLAG,
	 .offset = offsetof(struct deploy_options, allow_breaking),
	 .help = "deploy even if it breaks deployed modules or refers to missing ones"},
};

struct deploy {
	struct cli *cli;
	const char *folder;
	const struct deploy_options *options;
	struct project project;
	struct schema_module *schema;
	struct files files;
	uint64_t file_max; /* bytes; 0: unknown */
	const char *key;
	bool existed, was_active;
	bool refused; /* --dry-run: the deploy would be */
	struct map *planned; /* --dry-run: the schemas of those that could be deployed before it, by name */
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

/* Anything but a shared object is executed by the Runner. */
static int check_executable(const struct deploy *deploy, struct error *err) {
	const struct project *project = &deploy->project;
	const struct file *entry = files_find(&deploy->files, project->entry);
	if (entry->executable || str_ends_with(str_from(project->entry), STR(".so")))
		return 0;
	return error_set(err, CODE_INVALID_ARGUMENT, "%s: the entry %s is not executable; chmod +x %s/%s",
			 project->file, project->entry, project->folder, project->entry);
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
	if (check_entry(deploy, err) < 0 || files_check(project->folder, files, deploy->file_max, err) < 0 ||
	    check_executable(deploy, err) < 0)
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
		json_object_set_new(plan, "refused", json_boolean(deploy->refused));
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

/* --- one module --------------------------------------------------------------------------------------------------- */

static int read_folder(struct deploy *deploy, const char *folder, struct error *err) {
	struct cli *cli = deploy->cli;

	if (project_read(folder, &cli->arena, &deploy->project, err) < 0 || check_project(&deploy->project, err) < 0)
		return -1;
	return 0;
}

/* Nothing is built for a Backplane that does not answer, or read that it would refuse. */
static int build(struct deploy *deploy, struct error *err) {
	struct cli *cli = deploy->cli;
	if (cli_connect(cli, deploy->project.endpoint, err) < 0 || upload_limit(cli, &deploy->file_max, err) < 0)
		return -1;
	cli_disconnect(cli);
	return prepare(deploy, err);
}

static int show_plan(struct deploy *deploy, struct error *err) {
	struct schema_diff *diff;
	if (schema_diff_make(deploy->cli, deploy->project.endpoint, deploy->schema, deploy->planned, &diff, err) < 0)
		return -1;
	deploy->refused = schema_diff_is_refused(diff) && !deploy->options->allow_breaking;
	if (!deploy->refused)
		map_put(deploy->planned, str_from(deploy->schema->name), deploy->schema);
	progress_clear();
	print_plan(deploy, diff);
	schema_diff_free(diff);
	return 0;
}

static int deploy_built(struct deploy *deploy, struct error *err) {
	struct cli *cli = deploy->cli;
	if (cli_connect(cli, deploy->project.endpoint, err) < 0 || upload_find_missing(cli, &deploy->files, err) < 0)
		return -1;
	if (deploy->options->dry_run)
		return show_plan(deploy, err);
	if (upload_missing(cli, &deploy->project, &deploy->files, err) < 0 || create(deploy, err) < 0)
		return -1;
	bool live = !deploy->options->no_wait;
	const struct watch watch = {.module = deploy->project.module,
				    .key = deploy->key,
				    .timeout_ms = deploy->options->timeout_ms,
				    .verbose = deploy->options->verbose};
	if (live && watch_until_live(cli, &watch, err) < 0)
		return -1;
	report(deploy, live);
	fflush(stdout);
	cli_disconnect(cli);
	return 0;
}

/* --- several modules ---------------------------------------------------------------------------------------------- */

/* The modules of one run; both arrays have an entry for each folder. */
struct deploy_batch {
	struct cli *cli;
	size_t count;
	struct deploy *deploys;
	struct order_item *items;
	struct map planned;
};

/* What a module needs as far as it can be known before the build: what ftl.toml says, and the schema that is there, if
 * it can be read. */
static void guess_needs(struct deploy_batch *batch, size_t i) {
	const struct project *project = &batch->deploys[i].project;
	struct arena *arena = &batch->cli->arena;
	struct schema_module *module;
	struct order_item *item = &batch->items[i];
	item->module = project->module;
	if (schema_read_quietly(batch->cli, project, &module) == 0)
		order_needs(module, arena, item);
	const char **needs = arena_alloc(arena, (item->need_count + project->use_count + 1) * sizeof *needs);
	for (size_t j = 0; j < item->need_count; j++)
		needs[j] = item->needs[j];
	for (size_t j = 0; j < project->use_count; j++)
		needs[item->need_count++] = project->uses[j];
	item->needs = needs;
}

/* Says how a circle is cut, of which the item is one. */
static void hint_at_circle(struct deploy_batch *batch, const struct order_item *item, const struct error *err) {
	if (item->needed == NULL || strcmp(err->reason, REASON_SCHEMA_MISFIT) != 0)
		return;
	batch->cli->hint = arena_printf(
		&batch->cli->arena,
		"%s and %s need each other, so neither can be first; deploy %s once with --allow-breaking and then all of "
		"them, or move the types that both use into a module of their own",
		item->module, item->needed, item->module);
}

/* Returns the exit code of the failure. */
static int fail(struct deploy_batch *batch, struct order_item *item, const struct error *err) {
	hint_at_circle(batch, item, err);
	int code = cli_fail(batch->cli, err);
	batch->cli->hint = NULL;
	cli_disconnect(batch->cli);
	order_state_move(&item->state, ORDER_FAILED);
	return code;
}

/* Builds the module, and deploys it unless its schema says that another one of this run goes first. */
static int go_on_with(struct deploy_batch *batch, size_t i, struct error *err) {
	struct deploy *deploy = &batch->deploys[i];
	struct order_item *item = &batch->items[i];
	if (deploy->schema == NULL) {
		if (build(deploy, err) < 0)
			return -1;
		order_needs(deploy->schema, &batch->cli->arena, item);
		item->needed = NULL;
		return 0;
	}
	if (deploy_built(deploy, err) < 0)
		return -1;
	order_state_move(&item->state, deploy->refused ? ORDER_FAILED : ORDER_DONE);
	return 0;
}

static void list_modules(struct deploy_batch *batch, enum order_state state, const char *title) {
	const char *names = "";
	for (size_t i = 0; i < batch->count; i++)
		if (batch->items[i].state == state)
			names = arena_printf(&batch->cli->arena, "%s%s%s", names, names[0] != '\0' ? ", " : "",
					     batch->deploys[i].project.module != NULL ? batch->deploys[i].project.module
										      : batch->deploys[i].folder);
	if (names[0] != '\0')
		output_nothing("%s: %s", title, names);
}

/* An error for each module that was left undone and, where people read, all modules by how they ended. */
static void sum_up(struct deploy_batch *batch) {
	bool all_done = true;
	for (size_t i = 0; i < batch->count; i++) {
		const struct order_item *item = &batch->items[i];
		all_done &= item->state == ORDER_DONE;
		if (item->state == ORDER_LEFT)
			output_error("%s is left undone, as it needs %s", item->module, item->needed);
		else if (item->state == ORDER_WAITING)
			output_error("%s is left undone", batch->deploys[i].folder);
	}
	if (all_done || batch->count < 2 || batch->cli->common->output == FORMAT_JSON)
		return;
	bool is_dry = batch->deploys[0].options->dry_run;
	list_modules(batch, ORDER_DONE, is_dry ? "could be deployed" : "deployed");
	list_modules(batch, ORDER_FAILED, is_dry ? "could not be deployed" : "failed");
	list_modules(batch, ORDER_LEFT, "left undone");
	list_modules(batch, ORDER_WAITING, "left undone");
}

static int deploy_all(struct deploy_batch *batch) {
	struct error err;
	int code = EXIT_DONE, next;
	for (size_t i = 0; i < batch->count; i++) {
		if (read_folder(&batch->deploys[i], batch->deploys[i].folder, &err) == 0)
			guess_needs(batch, i);
		else
			code = fail(batch, &batch->items[i], &err);
	}
	while (code != EXIT_INTERRUPTED && (next = order_next(batch->items, batch->count)) >= 0)
		if (go_on_with(batch, (size_t)next, &err) < 0)
			code = fail(batch, &batch->items[next], &err);
	sum_up(batch);
	for (size_t i = 0; i < batch->count && code == EXIT_DONE; i++)
		code = batch->deploys[i].refused ? EXIT_BREAKING : code;
	return code;
}

static int run(struct cli *cli) {
	struct deploy_batch batch = {.cli = cli};
	char *const *folders = cli_folders(cli, &batch.count);
	batch.deploys = arena_alloc(&cli->arena, batch.count * sizeof *batch.deploys);
	batch.items = arena_alloc(&cli->arena, batch.count * sizeof *batch.items);
	memset(batch.items, 0, batch.count * sizeof *batch.items);
	for (size_t i = 0; i < batch.count; i++)
		batch.deploys[i] = (struct deploy){.cli = cli,
						   .options = cli->options,
						   .folder = folders[i],
						   .planned = &batch.planned};
	map_init(&batch.planned);
	int code = deploy_all(&batch);
	map_deinit(&batch.planned);
	return code;
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
		"Deploys the module of DIR/ftl.toml (default \".\"); of several each after those that its schema names. If\n"
		"one fails, those that need it are left undone, and the others are deployed. Calls go to the deployment\n"
		"that runs now until the new one is live; if the new one does not come up, it goes on serving.",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.options_size = sizeof(struct deploy_options),
	.common = COMMON_ENDPOINT | COMMON_OUTPUT,
	.run = run,
};
