/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/project/config.h"
#include "cli/project/project.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/project/settings.h"
#include "schema/schema.h"

/* Why the folder has no ftl.toml that can be read. */
static int refuse_folder(const char *folder, const char *file, struct error *err) {
	struct stat status;
	char here[PATH_MAX];
	const char *named = strcmp(folder, ".") == 0 && getcwd(here, sizeof here) != NULL ? here : folder;
	if (stat(folder, &status) < 0)
		return error_set_errno(err, errno, "could not find the folder %s", folder);
	if (!S_ISDIR(status.st_mode))
		return error_set(err, CODE_INVALID_ARGUMENT, "%s is a file; name the folder of the module", folder);
	return error_set(err, CODE_NOT_FOUND, "there is no %s, so %s is not a module's folder; see: ftl help ftl.toml",
			 file, named);
}

static int read_settings(const struct settings *settings, struct project *project, struct error *err) {
	const struct {
		const char *key;
		const char **text;
		bool may_be_empty;
	} texts[] = {
		{"module", &project->module, false},     {"language", &project->language, false},
		{"build", &project->build, false},       {"entry", &project->entry, false},
		{"bind", &project->bind, true},          {"schema", &project->schema, false},
		{"endpoint", &project->endpoint, false}, {"generate", &project->generate, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (settings_get_text(settings, texts[i].key, texts[i].may_be_empty, texts[i].text, err) < 0)
			return -1;
	if (settings_get_texts(settings, "uses", &project->uses, &project->use_count, err) < 0)
		return -1;
	return settings_get_texts(settings, "deploy", &project->deploy, &project->deploy_count, err);
}

static int check(const struct project *project, struct error *err) {
	if (project->module == NULL)
		return error_set(err, CODE_INVALID_ARGUMENT, "%s: the module has no name; add: module = \"NAME\"",
				 project->file);
	if (!schema_is_name(str_from(project->module)))
		return error_set(
			err, CODE_INVALID_ARGUMENT,
			"%s: module is \"%.80s\"; a name is a letter, then letters, digits and underscores, at most %d",
			project->file, project->module, SCHEMA_NAME_MAX);
	if (strcmp(project->bind, "") != 0 && strcmp(project->bind, "http") != 0 && strcmp(project->bind, "unix") != 0)
		return error_set(err, CODE_INVALID_ARGUMENT, "%s: bind is \"%.80s\"; it must be \"http\" or \"unix\"",
				 project->file, project->bind);
	if (project->generate != NULL && strcmp(project->generate, "c") != 0 &&
	    strcmp(project->generate, "python") != 0)
		return error_set(err, CODE_INVALID_ARGUMENT,
				 "%s: generate is \"%.80s\"; it must be \"c\" or \"python\"", project->file,
				 project->generate);
	return 0;
}

int project_read(const char *folder, struct arena *arena, struct project *ret_project, struct error *err) {
	static const char *const keys[] = {"module", "language", "build",    "deploy",   "entry",
					   "bind",   "schema",   "endpoint", "generate", "uses"};
	struct project project = {.folder = folder, .entry = "main", .bind = ""};
	bool here = strcmp(folder, ".") == 0;
	project.file = here ? "ftl.toml" : arena_printf(arena, "%s/ftl.toml", folder);
	struct settings settings;
	if (settings_open(&settings, project.file, keys, ARRAY_LEN(keys), arena, err) < 0) {
		struct stat status;
		return stat(project.file, &status) < 0 ? refuse_folder(folder, project.file, err) : -1;
	}
	int result = read_settings(&settings, &project, err);
	settings_close(&settings);
	if (result < 0 || check(&project, err) < 0)
		return -1;
	project.endpoint = config_resolve_endpoint(project.file, project.endpoint, arena);
	if (project.schema == NULL)
		project.schema = arena_printf(arena, "%s.ftl", project.module);
	*ret_project = project;
	return 0;
}
