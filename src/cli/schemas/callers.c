/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/schemas/callers.h"

#include <stdio.h>
#include <unistd.h>

#include "base/map.h"
#include "cli/output.h"
#include "cli/schemas/schemas.h"
#include "ftl.pb-c.h"

static bool calls(const struct schema_decl *verb, const char *module) {
	for (size_t i = 0; i < verb->metadata.count; i++)
		for (size_t j = 0; j < verb->metadata.items[i].call_count; j++)
			if (strcmp(verb->metadata.items[i].calls[j].module, module) == 0)
				return true;
	return false;
}

static bool is_caller(const struct schema_module *other, const char *module) {
	for (const struct schema_decl *verb = NULL; (verb = schema_next_verb(other, verb)) != NULL;)
		if (calls(verb, module))
			return true;
	return false;
}

const char *callers_of(struct cli *cli, const char *module) {
	const Ftl__GetSchemaResponse *response;
	const char *names = "";
	struct error ignored;
	if (schema_fetch_messages(cli, NULL, NULL, &response, &ignored) < 0)
		return names;
	for (size_t i = 0; i < response->n_modules; i++) {
		struct schema_module *other;
		if (strcmp(response->modules[i]->name, module) != 0 &&
		    schema_from_message(cli, response->modules[i], &other, &ignored) == 0 && is_caller(other, module))
			names = arena_printf(&cli->arena, "%s%s%s", names, names[0] != '\0' ? ", " : "", other->name);
	}
	return names;
}

static bool person_agrees(void) {
	char line[64];
	fflush(stderr);
	if (fgets(line, sizeof line, stdin) == NULL)
		return false;
	return line[0] == 'y' || line[0] == 'Y';
}

int callers_confirm(struct cli *cli, const char *module, const char *what, bool yes, struct error *err) {
	if (yes || !isatty(STDIN_FILENO) || !output_is_terminal(stderr))
		return 0;
	const char *names = callers_of(cli, module);
	if (names[0] == '\0')
		return 0;
	bool is_one = strchr(names, ',') == NULL;
	fprintf(stderr, "%s call%s %s, and would fail; %s it all the same? [y/N] ", names, is_one ? "s" : "", module,
		what);
	return person_agrees() ? 0 : error_set(err, CODE_CANCELLED, "%s goes on as before", module);
}
