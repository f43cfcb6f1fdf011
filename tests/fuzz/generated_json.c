/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as the request of a generated verb that echoes it; the first byte chooses the verb. The check by the schema
 * must give the same verdict. The reply must be valid for the type, and echo to the same text.
 */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/path.h"
#include "echo_all.h"
#include "fuzz.h"
#include "schema/check.h"
#include "schema/json_check.h"
#include "schema/parse.h"

static struct map modules;
static struct schema_module *module;

static struct schema_module *read_schema(const char *path) {
	static struct arena arena; /* never freed, like the modules */
	static struct schema_diagnostics diagnostics;
	struct schema_module *parsed;
	char *text;
	size_t len;
	arena.max = (size_t)4 * SCHEMA_ARENA_MAX;
	if (diagnostics.arena.max == 0)
		schema_diagnostics_init(&diagnostics);
	ASSERT(file_read(path, SCHEMA_TEXT_MAX, &text, &len, NULL) == 0);
	ASSERT(schema_parse(str_new(text, len), path, &arena, &parsed, &diagnostics) == 0);
	ASSERT(schema_check(parsed, &diagnostics) == 0);
	map_put(&modules, str_from(parsed->name), parsed);
	free(text);
	return parsed;
}

static int check(const char *verb, const char *text, struct error *err) {
	const struct schema_json json = {.module = module, .modules = &modules, .root = "request"};
	return schema_check_json(&json, &schema_find_verb(module, verb)->verb.request, str_from(text), err);
}

static void echo_again(struct echo *echo, const struct ftl_verb *verb) {
	struct error err;
	char *first = strdup(echo->reply);
	ASSERT(check(verb->name, first, &err) == 0);
	ASSERT(echo_run(echo, verb, first) == 0);
	ASSERT(strcmp(echo->reply, first) == 0);
	free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct echo echo;
	struct error err = {.msg = ""};
	if (module == NULL) {
		read_schema(GENERATED_FROM "/other.ftl");
		module = read_schema(GENERATED_FROM "/m.ftl");
		echo_init(&echo);
	}
	/* The host refuses text with a NUL. */
	if (size == 0 || memchr(data + 1, 0, size - 1) != NULL)
		return 0;
	const struct ftl_verb *verb = &ftl_module.verbs[data[0] % ftl_module.verb_count];
	if (strncmp(verb->name, "v_", 2) != 0)
		return 0;
	char *text = malloc(size);
	ASSERT(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	int expected = check(verb->name, text, &err), got = echo_run(&echo, verb, text);
	/* The reply may be too large for the memory of the call. */
	if (got < 0 && echo.code == FTL_RESOURCE_EXHAUSTED)
		got = expected;
	ASSERT(got == expected);
	ASSERT(got == 0 || echo.code == FTL_INVALID_ARGUMENT || echo.code == FTL_RESOURCE_EXHAUSTED);
	ASSERT(got == 0 || str_is_text(str_from(echo.failure)));
	if (got < 0 && echo.code == FTL_INVALID_ARGUMENT)
		ASSERT(strcmp(echo.context.reason, err.reason) == 0 && strncmp(echo.failure, err.msg, err.path_len) == 0);
	if (got == 0 && echo.reply != NULL && echo.code == 0)
		echo_again(&echo, verb);
	free(text);
	return 0;
}
