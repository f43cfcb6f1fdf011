/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/project/config.h"

#include <stdlib.h>

#include "cli/project/settings.h"

static bool is_given(const char *text) {
	return text != NULL && text[0] != '\0';
}

static int read_config_file(const char *path, struct arena *arena, const char **ret_endpoint, struct error *err) {
	static const char *const keys[] = {"endpoint"};
	struct settings settings;
	if (settings_open(&settings, path, keys, ARRAY_LEN(keys), arena, err) < 0)
		return err->code == CODE_NOT_FOUND ? 0 : -1;
	int result = settings_get_text(&settings, "endpoint", false, ret_endpoint, err);
	settings_close(&settings);
	return result;
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
	else if (sources->file != NULL && read_config_file(sources->file, arena, &endpoint, err) < 0)
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
