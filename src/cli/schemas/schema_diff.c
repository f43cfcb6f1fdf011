/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/schemas/schema_diff.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cli/output.h"
#include "cli/schemas/schemas.h"
#include "schema/callers.h"
#include "schema/references.h"

static const struct schema_module *find_other(void *owner, const char *name) {
	return map_get(owner, str_from(name));
}

static void compare(struct cli *cli, struct schema_diff *diff) {
	const struct schema_module *before = map_get(&diff->modules, str_from(diff->module->name));
	/* The result is in the diagnostics. */
	(void)!schema_check_references(diff->module, &diff->modules, &diff->missing);
	diff->existed = before != NULL;
	if (!diff->existed)
		return;
	const struct schema_others others = {.find = find_other, .owner = &diff->modules};
	schema_compare(before, diff->module, &others, &cli->arena, &diff->comparison);
	(void)!schema_check_callers(&diff->comparison, &diff->modules, &diff->broken);
}

static void add_planned(struct schema_diff *diff, const struct map *planned) {
	size_t cursor = 0;
	for (struct schema_module *module; planned != NULL && (module = map_next(planned, &cursor)) != NULL;) {
		map_remove(&diff->modules, str_from(module->name));
		map_put(&diff->modules, str_from(module->name), module);
	}
}

static void export_by_default(struct schema_diff *diff) {
	size_t cursor = 0;
	for (struct schema_module *module; (module = map_next(&diff->modules, &cursor)) != NULL;)
		schema_export_by_default(module);
}

int schema_diff_make(struct cli *cli, const char *endpoint, struct schema_module *module, const struct map *planned,
		     struct schema_diff **ret_diff, struct error *err) {
	struct schema_diff *diff = mem_zalloc(sizeof *diff);
	diff->module = module;
	map_init(&diff->modules);
	schema_diagnostics_init(&diff->missing);
	schema_diagnostics_init(&diff->broken);
	if (schema_fetch_all(cli, endpoint, &diff->modules, err) < 0) {
		schema_diff_free(diff);
		return -1;
	}
	add_planned(diff, planned);
	/* As the Backplane sees them. */
	export_by_default(diff);
	schema_export_by_default(module);
	compare(cli, diff);
	*ret_diff = diff;
	return 0;
}

void schema_diff_free(struct schema_diff *diff) {
	if (diff == NULL)
		return;
	schema_diagnostics_deinit(&diff->missing);
	schema_diagnostics_deinit(&diff->broken);
	map_deinit(&diff->modules);
	free(diff);
}

bool schema_diff_is_refused(const struct schema_diff *diff) {
	return diff->missing.count > 0 || diff->broken.count > 0;
}

bool schema_diff_is_breaking(const struct schema_diff *diff) {
	return schema_diff_is_refused(diff) || diff->comparison.breaks_callers || diff->comparison.breaks_data;
}

static void print_all(const char *prefix, const struct schema_diagnostics *diagnostics) {
	for (size_t i = 0; i < diagnostics->count; i++)
		output_lines(stdout, prefix, str_from(diagnostics->items[i].message));
	if (diagnostics->left_out > 0)
		printf("%s… and %zu more\n", prefix, diagnostics->left_out);
}

void schema_diff_print(const struct schema_diff *diff) {
	struct buf text = BUF_INIT(MIB(16));
	if (!diff->existed)
		printf("%s: the schema is new\n", diff->module->name);
	else if (diff->comparison.count == 0)
		printf("%s: the schema is the same\n", diff->module->name);
	else if (schema_comparison_print(&diff->comparison, &text) == 0)
		output_lines(stdout, "", buf_view(&text));
	print_all("missing: ", &diff->missing);
	print_all("breaks: ", &diff->broken);
	buf_deinit(&text);
}

static json_t *list_messages(const struct schema_diagnostics *diagnostics) {
	json_t *list = json_array();
	for (size_t i = 0; i < diagnostics->count; i++)
		json_array_append_new(list, json_string(diagnostics->items[i].message));
	return list;
}

json_t *schema_diff_to_json(const struct schema_diff *diff) {
	json_t *changes = json_array();
	for (size_t i = 0; i < diff->comparison.count; i++) {
		const struct schema_change *change = &diff->comparison.changes[i];
		json_array_append_new(changes, json_pack("{s:s, s:s, s:s}", "path", change->path, "change",
							 change->text, "effect", schema_change_effect(change)));
	}
	return json_pack("{s:s, s:b, s:b, s:o, s:o, s:o}", "module", diff->module->name, "new", !diff->existed,
			 "breaking", schema_diff_is_breaking(diff), "changes", changes, "missing",
			 list_messages(&diff->missing), "breaks", list_messages(&diff->broken));
}
