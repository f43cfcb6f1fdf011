/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/project/config.h"

#include <stdlib.h>

#include "cli/project/settings.h"

static bool is_given(const char *text) {
	return text != NULL && text[0] != '\0';
}

static const char *resolve(const char *file, const char *path, struct arena *arena) {
	const char *home = getenv("HOME"), *slash = strrchr(file, '/');
	if (strncmp(path, "~/", 2) == 0 && is_given(home))
		return arena_printf(arena, "%s/%s", home, path + 2);
	if (path[0] == '/' || slash == NULL)
		return path;
	return arena_printf(arena, "%.*s/%s", (int)(slash - file), file, path);
}

const char *config_resolve_endpoint(const char *file, const char *endpoint, struct arena *arena) {
	static const struct str scheme = STR_INIT("unix:");
	if (endpoint == NULL || !str_starts_with_nocase(str_from(endpoint), scheme))
		return endpoint;
	return arena_printf(arena, "unix:%s", resolve(file, endpoint + scheme.len, arena));
}

int config_read(const char *path, struct arena *arena, struct config_file *ret_file, struct error *err) {
	static const char *const keys[] = {"endpoint", "ca", "cert", "key"};
	struct config_file file = {0};
	const char **const texts[] = {&file.endpoint, &file.ca, &file.cert, &file.key};
	struct settings settings;
	int result = 0;
	if (path == NULL || settings_open(&settings, path, keys, ARRAY_LEN(keys), arena, err) < 0) {
		if (path != NULL && err->code != CODE_NOT_FOUND)
			return -1;
		*ret_file = file;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(keys) && result == 0; i++)
		result = settings_get_text(&settings, keys[i], false, texts[i], err);
	settings_close(&settings);
	if (result < 0)
		return -1;
	for (size_t i = 1; i < ARRAY_LEN(keys); i++) /* all but the endpoint are paths */
		if (*texts[i] != NULL)
			*texts[i] = resolve(path, *texts[i], arena);
	file.endpoint = config_resolve_endpoint(path, file.endpoint, arena);
	*ret_file = file;
	return 0;
}

static int read_endpoint(const char *path, struct arena *arena, const char **ret_endpoint, struct error *err) {
	struct config_file file;
	if (config_read(path, arena, &file, err) < 0)
		return -1;
	*ret_endpoint = file.endpoint != NULL ? file.endpoint : *ret_endpoint;
	return 0;
}

int config_endpoint(const struct config_sources *sources, struct arena *arena, const char **ret_endpoint,
		    struct error *err) {
	const char *endpoint = CONFIG_ENDPOINT_DEFAULT;
	if (is_given(sources->flag))
		endpoint = sources->flag;
	else if (is_given(sources->environment))
		endpoint = sources->environment;
	else if (is_given(sources->project))
		endpoint = sources->project;
	else if (read_endpoint(sources->file, arena, &endpoint, err) < 0)
		return -1;
	*ret_endpoint = endpoint;
	return 0;
}

const char *config_path(const char *variable, const char *fallback, const char *name, struct arena *arena) {
	const char *folder = getenv(variable), *home = getenv("HOME");
	const char *slash = name ? "/" : "", *last = name ? name : "";
	if (is_given(folder) && folder[0] == '/')
		return arena_printf(arena, "%s/ftl%s%s", folder, slash, last);
	return is_given(home) ? arena_printf(arena, "%s/%s/ftl%s%s", home, fallback, slash, last) : NULL;
}
