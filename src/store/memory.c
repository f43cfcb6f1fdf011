/* SPDX-License-Identifier: Apache-2.0 */
#include "store/memory.h"

#include <stdlib.h>

#include "base/memory.h"

/* Texts in records are copies that the database owns. */

struct memory_deployment {
	struct deployment_record record;
	uint64_t created, changed; /* sequences of the changes that added the row, and that wrote it last */
};

struct memory_module {
	struct module_record record;
	uint64_t changed;
};

struct memory_life {
	struct history_entry entry; /* without the deployment */
	const char *module;
	struct memory_deployment *deployment;
};

struct memory_database {
	struct memory_deployment **deployments; /* oldest first */
	size_t deployment_count;
	struct memory_module **modules; /* by name */
	size_t module_count;
	struct memory_life *lives; /* oldest first */
	size_t life_count;
	struct event_record *events; /* by sequence */
	size_t event_count;
	uint64_t epoch, sequence;
};

struct memory_store {
	struct store base;
	struct memory_database *database;
	bool owns_database;
};

static struct memory_database *database_of(struct store *store) {
	return CONTAINER_OF(store, struct memory_store, base)->database;
}

/* --- epochs ------------------------------------------------------------------------------------------------------- */

static int acquire(struct store *store, uint64_t *ret_epoch, struct error *err UNUSED) {
	*ret_epoch = ++database_of(store)->epoch;
	return 0;
}

static int renew(struct store *store, uint64_t epoch, struct error *err) {
	uint64_t newest = database_of(store)->epoch;
	return newest == epoch ? 0 : store_set_stale(epoch, newest, err);
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

static struct memory_deployment *find_deployment(const struct memory_database *database, const char *key) {
	for (size_t i = 0; i < database->deployment_count; i++)
		if (strcmp(database->deployments[i]->record.key, key) == 0)
			return database->deployments[i];
	return NULL;
}

static struct memory_deployment *find_identity(const struct memory_database *database, const struct digest *identity) {
	for (size_t i = 0; i < database->deployment_count; i++)
		if (digest_eq(&database->deployments[i]->record.identity, identity))
			return database->deployments[i];
	return NULL;
}

static struct memory_module *find_module(const struct memory_database *database, const char *name) {
	for (size_t i = 0; i < database->module_count; i++)
		if (strcmp(database->modules[i]->record.name, name) == 0)
			return database->modules[i];
	return NULL;
}

/* --- adding ------------------------------------------------------------------------------------------------------- */

static void add_module(struct memory_database *database, const char *name) {
	struct memory_module *module = mem_zalloc(sizeof *module);
	module->record = (struct module_record){.name = mem_strdup(name),
						.active_key = mem_strdup(""),
						.next_key = mem_strdup(""),
						.replicas = 1};
	module->changed = database->sequence;
	size_t at = database->module_count++;
	database->modules = mem_realloc(database->modules, database->module_count * sizeof(struct memory_module *));
	for (; at > 0 && strcmp(database->modules[at - 1]->record.name, name) > 0; at--)
		database->modules[at] = database->modules[at - 1];
	database->modules[at] = module;
}

static int compare_paths(const void *a, const void *b) {
	return str_compare(((const struct artefact_record *)a)->path, ((const struct artefact_record *)b)->path);
}

static struct str copy_bytes(struct str bytes) {
	return str_new(mem_strndup(bytes.ptr != NULL ? bytes.ptr : "", bytes.len), bytes.len);
}

/* By path, as the record lends them in any order. */
static struct artefact_record *copy_artefacts(const struct deployment_record *record) {
	struct artefact_record *copies = mem_alloc((record->artefact_count + 1) * sizeof *copies);
	for (size_t i = 0; i < record->artefact_count; i++) {
		copies[i] = record->artefacts[i];
		copies[i].path = copy_bytes(record->artefacts[i].path);
	}
	qsort(copies, record->artefact_count, sizeof *copies, compare_paths);
	return copies;
}

static int compare_needs(const void *a, const void *b) {
	return strcmp(((const struct need_record *)a)->module, ((const struct need_record *)b)->module);
}

static struct need_record *copy_needs(const struct deployment_record *record) {
	struct need_record *copies = mem_alloc((record->need_count + 1) * sizeof *copies);
	for (size_t i = 0; i < record->need_count; i++)
		copies[i] = (struct need_record){.module = mem_strdup(record->needs[i].module),
						 .key = mem_strdup(record->needs[i].key)};
	qsort(copies, record->need_count, sizeof *copies, compare_needs);
	return copies;
}

static void free_deployment(struct memory_deployment *deployment) {
	struct deployment_record *record = &deployment->record;
	for (size_t i = 0; i < record->artefact_count; i++)
		free((char *)record->artefacts[i].path.ptr);
	free((void *)record->artefacts);
	for (size_t i = 0; i < record->need_count; i++) {
		free((char *)record->needs[i].module);
		free((char *)record->needs[i].key);
	}
	free((void *)record->needs);
	free((char *)record->schema.ptr);
	free((char *)record->key);
	free((char *)record->module);
	free((char *)record->language);
	free((char *)record->detail);
	free(deployment);
}

static struct memory_deployment *copy_deployment(const struct deployment_record *record) {
	struct memory_deployment *deployment = mem_zalloc(sizeof *deployment);
	deployment->record = *record;
	deployment->record.key = mem_strdup(record->key);
	deployment->record.module = mem_strdup(record->module);
	deployment->record.language = mem_strdup(record->language);
	deployment->record.detail = mem_strdup(record->detail != NULL ? record->detail : "");
	deployment->record.schema = copy_bytes(record->schema);
	deployment->record.artefacts = copy_artefacts(record);
	deployment->record.needs = copy_needs(record);
	return deployment;
}

static int check_paths(const struct deployment_record *record, struct error *err) {
	for (size_t i = 1; i < record->artefact_count; i++)
		if (str_eq(record->artefacts[i - 1].path, record->artefacts[i].path))
			return store_set_path_twice(record->artefacts[i].path, err);
	return 0;
}

static int add(struct memory_database *database, const struct deployment_record *record, struct error *err) {
	if (find_deployment(database, record->key) != NULL)
		return error_set(err, CODE_FAILED_PRECONDITION, "there is a deployment %s already", record->key);
	struct memory_deployment *deployment = copy_deployment(record);
	if (check_paths(&deployment->record, err) < 0) {
		free_deployment(deployment);
		return -1;
	}
	deployment->changed = deployment->created = ++database->sequence;
	if (find_module(database, record->module) == NULL)
		add_module(database, record->module);
	database->deployments = mem_realloc(database->deployments,
					    (database->deployment_count + 1) * sizeof(struct memory_deployment *));
	database->deployments[database->deployment_count++] = deployment;
	return 0;
}

static int add_deployment(struct store *store, uint64_t epoch, const struct deployment_record *record,
			  char ret_key[KEY_MAX], bool *ret_existed, struct error *err) {
	struct memory_database *database = database_of(store);
	ASSERT(strlen(record->key) < KEY_MAX);
	if (renew(store, epoch, err) < 0)
		return -1;
	const struct memory_deployment *found = find_identity(database, &record->identity);
	if (found == NULL && add(database, record, err) < 0)
		return -1;
	const char *key = found != NULL ? found->record.key : record->key;
	memcpy(ret_key, key, strlen(key) + 1);
	*ret_existed = found != NULL;
	return 0;
}

/* --- changing ----------------------------------------------------------------------------------------------------- */

static int check_module(const struct memory_database *database, const struct module_record *module, struct error *err) {
	const char *const keys[] = {module->active_key, module->next_key};
	if (find_module(database, module->name) == NULL)
		return store_set_no_module(module->name, err);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i][0] != '\0' && find_deployment(database, keys[i]) == NULL)
			return error_set(err, CODE_FAILED_PRECONDITION,
					 "the module %s names the deployment %s, which is not there", module->name,
					 keys[i]);
	return 0;
}

static int check_events(const struct memory_database *database, const struct store_change *change, struct error *err) {
	uint64_t last = database->event_count > 0 ? database->events[database->event_count - 1].sequence : 0;
	for (size_t i = 0; i < change->event_count; i++) {
		if (change->events[i].sequence <= last)
			return error_set(err, CODE_FAILED_PRECONDITION, "there is an event %llu already",
					 (unsigned long long)change->events[i].sequence);
		last = change->events[i].sequence;
	}
	return 0;
}

static void replace_text(const char **text, const char *with) {
	char *copy = mem_strdup(with);
	free((char *)*text);
	*text = copy;
}

static void set_deployment(struct memory_database *database, const struct store_change *change) {
	struct memory_deployment *deployment = find_deployment(database, change->deployment_key);
	replace_text(&deployment->record.detail, change->detail != NULL ? change->detail : "");
	deployment->record.state = change->state;
	deployment->changed = database->sequence;
}

static void drop_old_lives(struct memory_database *database, const char *module) {
	size_t kept = 0, at = database->life_count;
	while (at > 0 && (strcmp(database->lives[at - 1].module, module) != 0 || ++kept <= HISTORY_MAX))
		at--;
	if (at == 0)
		return;
	memmove(&database->lives[at - 1], &database->lives[at], (database->life_count - at) * sizeof *database->lives);
	database->life_count--;
}

static void begin_life(struct memory_database *database, const struct memory_module *module,
		       const struct module_record *record) {
	const struct module_record *before = &module->record;
	bool same = strcmp(before->active_key, record->active_key) == 0 && before->active_ms == record->active_ms;
	if (record->active_key[0] == '\0' || same)
		return;
	uint64_t life = database->sequence;
	database->lives = mem_realloc(database->lives, (database->life_count + 1) * sizeof *database->lives);
	database->lives[database->life_count++] = (struct memory_life){
		.entry = {.life = life,
			  .origin = record->active_origin != 0 ? record->active_origin : life,
			  .begin_ms = record->active_ms},
		.module = before->name,
		.deployment = find_deployment(database, record->active_key),
	};
	drop_old_lives(database, before->name);
}

static void set_module(struct memory_database *database, const struct module_record *record) {
	struct memory_module *module = find_module(database, record->name);
	begin_life(database, module, record);
	const char *name = module->record.name, *active = mem_strdup(record->active_key),
		   *next = mem_strdup(record->next_key);
	free((char *)module->record.active_key);
	free((char *)module->record.next_key);
	module->record = *record;
	module->record.name = name;
	module->record.active_key = active;
	module->record.next_key = next;
	module->changed = database->sequence;
}

static void free_event(struct event_record *event) {
	free((char *)event->module);
	free((char *)event->deployment_key);
	free((char *)event->runner_key);
	free((char *)event->text);
	free((char *)event->lines);
}

static void add_event(struct memory_database *database, const struct event_record *event) {
	struct event_record *copy = &database->events[database->event_count++];
	*copy = *event;
	copy->module = mem_strdup(event->module);
	copy->deployment_key = mem_strdup(event->deployment_key);
	copy->runner_key = mem_strdup(event->runner_key);
	copy->text = mem_strdup(event->text);
	copy->lines = mem_strdup(event->lines);
}

static void drop_old_events(struct memory_database *database) {
	size_t old = 0;
	uint64_t last = database->events[database->event_count - 1].sequence;
	while (old < database->event_count && database->events[old].sequence + EVENTS_MAX <= last)
		free_event(&database->events[old++]);
	database->event_count -= old;
	memmove(database->events, &database->events[old], database->event_count * sizeof *database->events);
}

static void add_events(struct memory_database *database, const struct store_change *change) {
	if (change->event_count == 0)
		return;
	size_t count = database->event_count + change->event_count;
	database->events = mem_realloc(database->events, count * sizeof *database->events);
	for (size_t i = 0; i < change->event_count; i++)
		add_event(database, &change->events[i]);
	drop_old_events(database);
}

static int commit(struct store *store, uint64_t epoch, const struct store_change *change, struct error *err) {
	struct memory_database *database = database_of(store);
	if (renew(store, epoch, err) < 0)
		return -1;
	if (change->deployment_key != NULL && find_deployment(database, change->deployment_key) == NULL)
		return store_set_no_deployment(change->deployment_key, err);
	if ((change->module != NULL && check_module(database, change->module, err) < 0) ||
	    check_events(database, change, err) < 0)
		return -1;
	database->sequence += change->deployment_key != NULL || change->module != NULL;
	if (change->deployment_key != NULL)
		set_deployment(database, change);
	if (change->module != NULL)
		set_module(database, change->module);
	add_events(database, change);
	return 0;
}

/* --- reading: copies into an arena -------------------------------------------------------------------------------- */

/* Copies into an arena. A copy that does not fit sets a flag, which is checked at the end. */
struct copier {
	struct arena *arena;
	bool full;
};

static void *copier_alloc(struct copier *copier, size_t size) {
	void *memory = arena_try_alloc(copier->arena, size);
	copier->full |= memory == NULL;
	return memory;
}

static struct str copier_bytes(struct copier *copier, struct str bytes) {
	char *copy = copier_alloc(copier, bytes.len + 1);
	if (copy == NULL)
		return STR("");
	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	copy[bytes.len] = '\0';
	return str_new(copy, bytes.len);
}

static const char *copier_text(struct copier *copier, const char *text) {
	return copier_bytes(copier, str_from(text)).ptr;
}

static int copier_check(const struct copier *copier, struct error *err) {
	return copier->full ? error_set(err, CODE_RESOURCE_EXHAUSTED,
					"the rows of this in memory need more than the limit of %zu bytes",
					copier->arena->max)
			    : 0;
}

static struct deployment_record read_deployment(struct copier *copier, const struct deployment_record *record) {
	return (struct deployment_record){
		.key = copier_text(copier, record->key),
		.module = copier_text(copier, record->module),
		.language = copier_text(copier, record->language),
		.identity = record->identity,
		.created_ms = record->created_ms,
		.state = record->state,
		.detail = copier_text(copier, record->detail),
	};
}

static int get_deployment(struct store *store, const char *key, struct arena *arena,
			  struct deployment_record *ret_record, struct error *err) {
	const struct memory_deployment *found = find_deployment(database_of(store), key);
	if (found == NULL)
		return store_set_no_deployment(key, err);
	struct copier copier = {.arena = arena};
	struct deployment_record record = read_deployment(&copier, &found->record);
	size_t count = found->record.artefact_count;
	struct artefact_record *artefacts = copier_alloc(&copier, (count + 1) * sizeof *artefacts);
	for (size_t i = 0; artefacts != NULL && i < count; i++) {
		artefacts[i] = found->record.artefacts[i];
		artefacts[i].path = copier_bytes(&copier, artefacts[i].path);
	}
	record.artefacts = artefacts;
	record.artefact_count = count;
	record.schema = copier_bytes(&copier, found->record.schema);
	if (copier_check(&copier, err) < 0)
		return -1;
	*ret_record = record;
	return 0;
}

static int get_needs(struct store *store, struct arena *arena, struct deployment_record *record, struct error *err) {
	const struct memory_deployment *found = find_deployment(database_of(store), record->key);
	struct copier copier = {.arena = arena};
	size_t max = found != NULL ? found->record.need_count : 0, count = 0;
	struct need_record *needs = copier_alloc(&copier, (max + 1) * sizeof *needs);
	for (size_t i = 0; needs != NULL && i < max; i++) {
		const struct need_record *need = &found->record.needs[i];
		const struct memory_deployment *needed = find_deployment(database_of(store), need->key);
		if (needed != NULL)
			needs[count++] = (struct need_record){copier_text(&copier, need->module),
							      copier_text(&copier, need->key),
							      copier_bytes(&copier, needed->record.schema)};
	}
	if (copier_check(&copier, err) < 0)
		return -1;
	record->needs = needs;
	record->need_count = count;
	return 0;
}

static bool was_active(const struct memory_database *database, const struct memory_deployment *deployment) {
	for (size_t i = 0; i < database->life_count; i++)
		if (database->lives[i].deployment == deployment)
			return true;
	return false;
}

/* Newest first: merges the lives with the deployments that never were active. */
static size_t collect_history(const struct memory_database *database, const char *module, struct copier *copier,
			      struct history_entry *entries) {
	size_t count = 0, lives = database->life_count, deployments = database->deployment_count;
	while (lives > 0 || deployments > 0) {
		const struct memory_life *life = lives > 0 ? &database->lives[lives - 1] : NULL;
		const struct memory_deployment *deployment =
			deployments > 0 ? database->deployments[deployments - 1] : NULL;
		bool is_life = life != NULL && (deployment == NULL || life->entry.life > deployment->created);
		const struct deployment_record *record = is_life ? &life->deployment->record : &deployment->record;
		lives -= is_life;
		deployments -= !is_life;
		if (strcmp(record->module, module) != 0 || (!is_life && was_active(database, deployment)))
			continue;
		entries[count] = is_life ? life->entry : (struct history_entry){.begin_ms = record->created_ms};
		entries[count++].deployment = read_deployment(copier, record);
	}
	return count;
}

static int list_history(struct store *store, const char *module, size_t limit, struct arena *arena,
			struct history_entry **ret_entries, size_t *ret_count, size_t *ret_total, struct error *err) {
	const struct memory_database *database = database_of(store);
	struct copier copier = {.arena = arena};
	size_t max = database->life_count + database->deployment_count;
	struct history_entry *entries = copier_alloc(&copier, (max + 1) * sizeof *entries);
	size_t total = entries != NULL ? collect_history(database, module, &copier, entries) : 0;
	if (copier_check(&copier, err) < 0)
		return -1;
	*ret_entries = entries;
	*ret_count = MIN(total, limit);
	*ret_total = total;
	return 0;
}

/* Whether a row is returned. */
typedef bool row_filter(const struct memory_database *database, const struct memory_module *module,
			const struct memory_deployment *deployment, uint64_t after);

static bool is_newest(const struct memory_database *database, const struct memory_deployment *deployment) {
	for (size_t i = database->deployment_count; i > 0; i--) {
		const struct memory_deployment *other = database->deployments[i - 1];
		if (strcmp(other->record.module, deployment->record.module) == 0)
			return other == deployment;
	}
	return false;
}

static bool starts_with_row(const struct memory_database *database, const struct memory_module *module,
			    const struct memory_deployment *deployment, uint64_t after UNUSED) {
	if (deployment == NULL)
		return true;
	enum deployment_state state = deployment->record.state;
	return (state != DEPLOYMENT_STOPPED && state != DEPLOYMENT_FAILED) ||
	       strcmp(module->record.active_key, deployment->record.key) == 0 ||
	       strcmp(module->record.next_key, deployment->record.key) == 0 || is_newest(database, deployment);
}

static bool changed_after(const struct memory_database *database UNUSED, const struct memory_module *module,
			  const struct memory_deployment *deployment, uint64_t after) {
	return (deployment != NULL ? deployment->changed : module->changed) > after;
}

static void read_module(struct copier *copier, const struct module_record *record, struct store_rows *rows) {
	struct module_record *copy = &rows->modules[rows->module_count++];
	*copy = *record;
	copy->name = copier_text(copier, record->name);
	copy->active_key = copier_text(copier, record->active_key);
	copy->next_key = copier_text(copier, record->next_key);
}

static int read_rows(const struct memory_database *database, row_filter *filter, uint64_t after, struct arena *arena,
		     struct store_rows *ret_rows, struct error *err) {
	struct copier copier = {.arena = arena};
	struct store_rows rows = {.sequence = database->sequence};
	rows.modules = copier_alloc(&copier, (database->module_count + 1) * sizeof *rows.modules);
	rows.deployments = copier_alloc(&copier, (database->deployment_count + 1) * sizeof *rows.deployments);
	for (size_t i = 0; !copier.full && i < database->module_count; i++) {
		const struct memory_module *module = database->modules[i];
		if (filter(database, module, NULL, after))
			read_module(&copier, &module->record, &rows);
		for (size_t j = 0; j < database->deployment_count; j++) {
			const struct memory_deployment *deployment = database->deployments[j];
			if (strcmp(deployment->record.module, module->record.name) == 0 &&
			    filter(database, module, deployment, after))
				rows.deployments[rows.deployment_count++] =
					read_deployment(&copier, &deployment->record);
		}
	}
	if (copier_check(&copier, err) < 0)
		return -1;
	*ret_rows = rows;
	return 0;
}

static int load(struct store *store, struct arena *arena, struct store_rows *ret_rows, struct error *err) {
	return read_rows(database_of(store), starts_with_row, 0, arena, ret_rows, err);
}

static int watch(struct store *store, uint64_t after, struct arena *arena, struct store_rows *ret_rows,
		 struct error *err) {
	return read_rows(database_of(store), changed_after, after, arena, ret_rows, err);
}

static bool matches(const struct event_query *query, const struct event_record *event) {
	return event->sequence > query->after && event->time_ms >= query->since_ms &&
	       (query->module[0] == '\0' || strcmp(event->module, query->module) == 0);
}

static int list_events(struct store *store, const struct event_query *query, struct arena *arena,
		       struct event_record **ret_events, size_t *ret_count, struct error *err) {
	const struct memory_database *database = database_of(store);
	struct copier copier = {.arena = arena};
	size_t found = 0, first = database->event_count, count = 0;
	for (; first > 0 && found < query->newest; first--)
		found += matches(query, &database->events[first - 1]);
	size_t max = MIN(found, query->limit);
	struct event_record *events = copier_alloc(&copier, (max + 1) * sizeof *events);
	for (size_t i = first; !copier.full && count < max; i++) {
		const struct event_record *event = &database->events[i];
		if (!matches(query, event))
			continue;
		events[count] = *event;
		events[count].module = copier_text(&copier, event->module);
		events[count].deployment_key = copier_text(&copier, event->deployment_key);
		events[count].runner_key = copier_text(&copier, event->runner_key);
		events[count].text = copier_text(&copier, event->text);
		events[count++].lines = copier_text(&copier, event->lines);
	}
	if (copier_check(&copier, err) < 0)
		return -1;
	*ret_events = events;
	*ret_count = count;
	return 0;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct memory_database *memory_database_new(void) {
	return mem_zalloc(sizeof(struct memory_database));
}

static void free_module(struct memory_module *module) {
	free((char *)module->record.name);
	free((char *)module->record.active_key);
	free((char *)module->record.next_key);
	free(module);
}

void memory_database_free(struct memory_database *database) {
	for (size_t i = 0; i < database->deployment_count; i++)
		free_deployment(database->deployments[i]);
	for (size_t i = 0; i < database->module_count; i++)
		free_module(database->modules[i]);
	for (size_t i = 0; i < database->event_count; i++)
		free_event(&database->events[i]);
	free(database->deployments);
	free(database->modules);
	free(database->lives);
	free(database->events);
	free(database);
}

static void close_store(struct store *store) {
	struct memory_store *self = CONTAINER_OF(store, struct memory_store, base);
	if (self->owns_database)
		memory_database_free(self->database);
	free(self);
}

static const struct store_ops ops = {
	.acquire = acquire,
	.renew = renew,
	.load = load,
	.add_deployment = add_deployment,
	.commit = commit,
	.get_deployment = get_deployment,
	.get_needs = get_needs,
	.list_history = list_history,
	.list_events = list_events,
	.watch = watch,
	.close = close_store,
};

struct store *memory_database_open(struct memory_database *database) {
	struct memory_store *self = mem_zalloc(sizeof *self);
	self->base.ops = &ops;
	self->database = database;
	return &self->base;
}

int store_memory_open(const char *rest, struct store **ret_store, struct error *err) {
	if (rest[0] != '\0')
		return error_set(err, CODE_INVALID_ARGUMENT, "\"memory:%s\": nothing may follow \"memory:\"", rest);
	struct store *store = memory_database_open(memory_database_new());
	CONTAINER_OF(store, struct memory_store, base)->owns_database = true;
	*ret_store = store;
	return 0;
}
