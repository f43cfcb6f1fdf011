/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/project/toolchain.h"

#include <limits.h>
#include <unistd.h>

const char *toolchain_program(struct arena *arena) {
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof path);
	return len <= 0 || (size_t)len == sizeof path ? NULL : arena_strdup(arena, str_new(path, (size_t)len));
}

/* The first of places below folder in which name exists; NULL: none. */
static const char *find(struct arena *arena, struct str folder, const char *const *places, const char *name) {
	for (size_t i = 0; places[i] != NULL; i++) {
		const char *place = arena_printf(arena, "%.*s/%s", STR_ARG(folder), places[i]);
		if (access(arena_printf(arena, "%s/%s", place, name), R_OK) == 0)
			return place;
	}
	return NULL;
}

/* Whether a shell would make several words of the path, or expand it. */
static bool is_split(const char *path) {
	return strpbrk(path, " \t\n*?[") != NULL;
}

void toolchain_find(struct arena *arena, struct toolchain *ret_toolchain) {
	static const char *const include_places[] = {"../include", "include", NULL};
	static const char *const library_places[] = {"../" FTL_LIBDIR, "../lib", "sdk/c", NULL};
	*ret_toolchain = (struct toolchain){.cflags = "", .libs = ""};
	const char *program = toolchain_program(arena);
	if (program == NULL)
		return;
	struct str folder = str_new(program, (size_t)(strrchr(program, '/') - program));
	const char *include = find(arena, folder, include_places, "ftl/module.h");
	const char *library = find(arena, folder, library_places, "libftl-module.a");
	if (include != NULL && is_split(include))
		ret_toolchain->include_path = include;
	else if (include != NULL)
		ret_toolchain->cflags = arena_printf(arena, "-I%s", include);
	if (library != NULL && is_split(library)) {
		ret_toolchain->library_path = library;
		ret_toolchain->libs = arena_printf(arena, "-l:libftl-module.a %s", FTL_MODULE_LIBS);
	} else if (library != NULL) {
		ret_toolchain->libs = arena_printf(arena, "%s/libftl-module.a %s", library, FTL_MODULE_LIBS);
	}
}
