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

/* Reads the answer of a person, which Ctrl-C ends as it ends a call. Returns -1 unless the answer is yes. */
static int hear(struct cli *cli, const char *module, struct error *err) {
	char line[64] = "";
	fflush(stderr);
	int result = client_wait_readable(cli->client, STDIN_FILENO, err);
	if (result < 0 || fgets(line, sizeof line, stdin) == NULL)
		putc('\n', stderr); /* the question is the last line otherwise */
	if (result < 0)
		return -1;
	bool agrees = line[0] == 'y' || line[0] == 'Y';
	return agrees ? 0 : error_set(err, CODE_CANCELLED, "%s goes on as before", module);
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
	return hear(cli, module, err);
}
