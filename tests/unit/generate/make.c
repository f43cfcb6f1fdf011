/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes code for tests: make SCHEMA HEADER SOURCE [OTHER-SCHEMA…]
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/path.h"
#include "generate/generate.h"
#include "schema/check.h"
#include "schema/parse.h"

static struct arena arena;
static struct map modules;

static struct schema_module *read_schema(const char *path) {
	struct schema_diagnostics *diagnostics = arena_alloc(&arena, sizeof *diagnostics);
	struct schema_module *module;
	struct error err;
	char *text;
	size_t len;
	schema_diagnostics_init(diagnostics);
	if (file_read(path, SCHEMA_TEXT_MAX, &text, &len, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	if (schema_parse(str_new(text, len), path, &arena, &module, diagnostics) < 0 ||
	    schema_check(module, diagnostics) < 0) {
		schema_diagnostics_to_error(diagnostics, &err);
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	schema_diagnostics_deinit(diagnostics);
	free(text);
	map_put(&modules, str_from(module->name), module);
	return module;
}

static const struct schema_module *find(void *owner UNUSED, const char *name, struct error *err) {
	const struct schema_module *module = map_get(&modules, str_from(name));
	if (module == NULL)
		error_set(err, CODE_NOT_FOUND, "there is no module %s", name);
	return module;
}

int main(int argc, char **argv) {
	struct buf header = BUF_INIT(GENERATE_TEXT_MAX), source = BUF_INIT(GENERATE_TEXT_MAX);
	struct error err;
	arena_init(&arena, (size_t)4 * SCHEMA_ARENA_MAX);
	map_init(&modules);
	ASSERT(argc >= 4);
	struct schema_module *module = read_schema(argv[1]);
	for (int i = 4; i < argc; i++)
		read_schema(argv[i]);
	const char *slash = strrchr(argv[2], '/');
	int failed = generate_c(
		&(struct generate_options){
			.module = module, .file = "m.ftl", .header = slash ? slash + 1 : argv[2], .find = find},
		&header, &source, &err);
	failed = failed || file_write_whole(argv[2], buf_view(&header), 0644, &err) < 0 ||
		 file_write_whole(argv[3], buf_view(&source), 0644, &err) < 0;
	if (failed)
		fprintf(stderr, "%s\n", err.msg);
	buf_deinit(&header);
	buf_deinit(&source);
	map_deinit(&modules);
	arena_deinit(&arena);
	return failed;
}
