/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/project/generator.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/path.h"
#include "cli/output.h"
#include "cli/schemas/schemas.h"
#include "ftl.pb-c.h"
#include "generate/generate.h"
#include "schema/print.h"
#include "schema/references.h"

/* The other modules that a schema refers to. */
struct others {
	struct cli *cli;
	const struct project *project;
	bool refresh;
	struct map modules;
};

/* Writes a file only if its content differs, so that its time tells a build tool what changed. ret_written may be NULL.
 */
static int write_changed(const char *path, struct str text, bool *ret_written, struct error *err) {
	struct error ignored;
	char *old;
	size_t len;
	bool same = false;
	if (file_read(path, GENERATE_TEXT_MAX, &old, &len, &ignored) == 0) {
		same = str_eq(str_new(old, len), text);
		free(old);
	}
	if (ret_written != NULL)
		*ret_written = !same;
	return same ? 0 : file_write_whole(path, text, 0644, err);
}

static int keep_schema(struct others *others, const char *path, const struct schema_module *module, struct error *err) {
	struct buf text = BUF_INIT(MIB(16));
	const char *folder = project_path(&others->cli->arena, others->project, "schemas");
	int result = schema_print(module, &text);
	if (result < 0)
		error_set(err, CODE_RESOURCE_EXHAUSTED, "the schema of %s has more than 16 MiB as text", module->name);
	else if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		result = error_set_errno(err, errno, "%s", folder);
	else
		result = write_changed(path, buf_view(&text), NULL, err);
	buf_deinit(&text);
	return result;
}

static int fetch(struct others *others, const char *name, const char *path, struct schema_module **ret_module,
		 struct error *err) {
	const Ftl__GetSchemaResponse *response;
	if (schema_fetch_messages(others->cli, others->project->endpoint, name, &response, err) < 0)
		return -1;
	if (response->n_modules != 1)
		return error_set(err, CODE_NOT_FOUND, "there is no module %s", name);
	if (schema_from_message(others->cli, response->modules[0], ret_module, err) < 0)
		return -1;
	/* The kept copy leaves out how the module runs, which changes without concern to callers. */
	(*ret_module)->language = (*ret_module)->entry = (*ret_module)->bind = "";
	(*ret_module)->has_create_time = false;
	return keep_schema(others, path, *ret_module, err);
}

static const struct schema_module *find(void *owner, const char *name, struct error *err) {
	struct others *others = owner;
	struct schema_module *module = map_get(&others->modules, str_from(name));
	if (module != NULL)
		return module;
	struct arena *arena = &others->cli->arena;
	const char *path = project_path(arena, others->project, arena_printf(arena, "schemas/%s.ftl", name));
	bool kept = access(path, R_OK) == 0;
	if (!kept || others->refresh) {
		if (fetch(others, name, path, &module, err) < 0 && !kept) {
			error_wrap(err, "%s names the module %s, and %s is not there: deploy %s first",
				   others->project->module, name, path, name);
			return NULL;
		}
		if (module == NULL)
			progress_note("%s: using %s: %s", others->project->module, path, err->msg);
	}
	if (module == NULL && schema_read_file(others->cli, path, &module, err) < 0)
		return NULL;
	if (strcmp(module->name, name) != 0) {
		error_set(err, CODE_INVALID_ARGUMENT, "%s is of the module \"%s\"", path, module->name);
		return NULL;
	}
	schema_export_by_default(module); /* as the Backplane sees it */
	map_put(&others->modules, str_from(name), module);
	return module;
}

struct foreign {
	struct others *others;
	struct error why;
	const struct schema_ref *missing; /* the first reference to a module whose schema is not available */
};

static void find_foreign(const struct schema_ref *ref, void *context) {
	struct foreign *foreign = context;
	if (foreign->missing == NULL && find(foreign->others, ref->module, &foreign->why) == NULL)
		foreign->missing = ref;
}

/* Reports every wrong reference with its place; the generator would stop at the first. */
static int check_references(struct others *others, const struct schema_module *module, struct error *err) {
	struct foreign foreign = {.others = others};
	const char *path = project_path(&others->cli->arena, others->project, others->project->schema);
	schema_walk_foreign(module, find_foreign, &foreign);
	int result = schema_check_file_references(module, &others->modules, path, err);
	if (foreign.missing == NULL)
		return result;
	*err = foreign.why;
	return error_wrap(err, "%s:%u:%u", foreign.missing->pos.file, foreign.missing->pos.line,
			  foreign.missing->pos.column);
}

static int write_c(struct others *others, const struct schema_module *module, struct error *err) {
	struct buf header = BUF_INIT(GENERATE_TEXT_MAX), source = BUF_INIT(GENERATE_TEXT_MAX);
	struct arena *arena = &others->cli->arena;
	const char *schema = others->project->schema, *slash = strrchr(schema, '/');
	const char *file = slash != NULL ? slash + 1 : schema;
	const struct generate_options options = {.module = module,
						 .file = file,
						 .header = arena_printf(arena, "%s.h", file),
						 .find = find,
						 .owner = others};
	const char *path = project_path(arena, others->project, schema);
	bool wrote_header = false, wrote_source = false;
	int result = generate_c(&options, &header, &source, err);
	if (result == 0)
		result = write_changed(arena_printf(arena, "%s.h", path), buf_view(&header), &wrote_header, err);
	if (result == 0)
		result = write_changed(arena_printf(arena, "%s.c", path), buf_view(&source), &wrote_source, err);
	if (result == 0)
		progress_note("%s: %s.h and %s.c are %s", module->name, path, path,
			      wrote_header || wrote_source ? "written" : "up to date");
	buf_deinit(&header);
	buf_deinit(&source);
	return result;
}

/* Writes into the package ftl_modules beside the program: `from ftl_modules import cart`. */
static int write_stubs(struct others *others, const char *name, struct error *err) {
	struct arena *arena = &others->cli->arena;
	const struct schema_module *module = find(others, name, err);
	if (module == NULL)
		return -1;
	struct buf stubs = BUF_INIT(GENERATE_TEXT_MAX);
	const struct generate_options options = {.module = module,
						 .file = arena_printf(arena, "schemas/%s.ftl", name),
						 .find = find,
						 .owner = others};
	const char *path = project_path(arena, others->project, arena_printf(arena, "ftl_modules/%s.py", name));
	int result = generate_python(&options, &stubs, err);
	if (result == 0)
		result = write_changed(path, buf_view(&stubs), NULL, err);
	buf_deinit(&stubs);
	return result;
}

static int write_python(struct others *others, struct error *err) {
	const struct project *project = others->project;
	struct arena *arena = &others->cli->arena;
	const char *folder = project_path(arena, project, "ftl_modules");
	if (project->use_count == 0)
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "%s: \"uses\" is missing; add, for example: uses = [\"cart\"]", project->file);
	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		return error_set_errno(err, errno, "%s", folder);
	if (write_changed(arena_printf(arena, "%s/__init__.py", folder), STR(""), NULL, err) < 0)
		return -1;
	for (size_t i = 0; i < project->use_count; i++) {
		if (!schema_is_name(str_from(project->uses[i])))
			return error_set(err, CODE_INVALID_ARGUMENT, "%s: uses has \"%.80s\", which names no module",
					 project->file, project->uses[i]);
		if (write_stubs(others, project->uses[i], err) < 0)
			return -1;
	}
	return 0;
}

static int write_code(struct others *others, const char *target, struct error *err) {
	struct schema_module *module;
	if (target != NULL && strcmp(target, "python") == 0)
		return write_python(others, err);
	if (target == NULL || strcmp(target, "c") != 0)
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "%s: there is no code to generate for %s; there is \"c\" and \"python\"",
				 others->project->file, target ? target : "no language");
	if (schema_read_own(others->cli, others->project, &module, err) < 0 ||
	    check_references(others, module, err) < 0)
		return -1;
	return write_c(others, module, err);
}

int generate_run(struct cli *cli, const struct project *project, const char *target, bool refresh, struct error *err) {
	struct others others = {.cli = cli, .project = project, .refresh = refresh};
	map_init(&others.modules);
	int result = write_code(&others, target, err);
	map_deinit(&others.modules);
	return result;
}
