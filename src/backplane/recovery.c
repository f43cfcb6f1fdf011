/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/recovery.h"

#include "control/wanted.h"

struct recovery {
	struct store *store;
	uint64_t epoch;
	struct control *control;
};

/* A deployment that was ending when the Backplane crashed becomes STOPPED; one that is wanted starts again. */
static int correct_state(const struct recovery *recovery, const struct module_record *module,
			 struct deployment_record *row, struct error *err) {
	enum deployment_state state = wanted_state(module, row->key, row->state);
	if (state == row->state)
		return 0;
	row->state = state;
	row->detail = state == DEPLOYMENT_STOPPED ? row->detail : "";
	const struct store_change change = {.deployment_key = row->key, .state = state, .detail = row->detail};
	return recovery->store->ops->commit(recovery->store, recovery->epoch, &change, err);
}

/* Reads one deployment at a time, as schemas and lists of artefacts may be large. */
static int load_wanted(const struct recovery *recovery, const struct module_record *module, const char *key,
		       bool active, struct error *err) {
	struct arena arena = ARENA_INIT(MIB(256));
	struct deployment_record record;
	int result = 0;
	if (key[0] != '\0') {
		result = recovery->store->ops->get_deployment(recovery->store, key, &arena, &record, err);
		if (result == 0)
			result = recovery->store->ops->get_needs(recovery->store, &arena, &record, err);
		if (result == 0)
			control_load(recovery->control, &record, module, active);
	}
	arena_deinit(&arena);
	return result;
}

/* rows: the deployments of the module, oldest first. */
static int load_module(const struct recovery *recovery, const struct module_record *module,
		       struct deployment_record *rows, size_t count, struct error *err) {
	for (size_t i = 0; i < count; i++)
		if (correct_state(recovery, module, &rows[i], err) < 0)
			return -1;
	if (load_wanted(recovery, module, module->active_key, true, err) < 0 ||
	    load_wanted(recovery, module, module->next_key, false, err) < 0)
		return -1;
	const struct deployment_record *newest = count > 0 ? &rows[count - 1] : NULL;
	if (module->active_key[0] == '\0' && module->next_key[0] == '\0')
		control_load_module(recovery->control, module->name, module->replicas,
				    newest != NULL && newest->state == DEPLOYMENT_FAILED ? newest->detail : "");
	if (newest != NULL)
		control_load_ended(recovery->control, newest);
	return 0;
}

static int load_modules(const struct recovery *recovery, const struct store_rows *rows, struct error *err) {
	size_t at = 0;
	for (size_t i = 0; i < rows->module_count; i++) {
		const struct module_record *module = &rows->modules[i];
		size_t first = at;
		while (at < rows->deployment_count && strcmp(rows->deployments[at].module, module->name) == 0)
			at++;
		if (load_module(recovery, module, &rows->deployments[first], at - first, err) < 0)
			return -1;
	}
	return 0;
}

int recovery_load(struct store *store, uint64_t epoch, struct control *control, struct error *err) {
	const struct recovery recovery = {.store = store, .epoch = epoch, .control = control};
	struct arena arena = ARENA_INIT(MIB(256));
	struct store_rows rows;
	bool failed = store->ops->load(store, &arena, &rows, err) < 0 || load_modules(&recovery, &rows, err) < 0;
	arena_deinit(&arena);
	return failed ? -1 : 0;
}
