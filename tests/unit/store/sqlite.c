/* SPDX-License-Identifier: Apache-2.0 */
/* What is only true of the store in SQLite; the rest is in suite.c. */
#include "store/sqlite/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/memory.h"
#include "place.h"

static int set_up(void **state) {
	struct place *place = mem_zalloc(sizeof *place);
	place_make(place);
	*state = place;
	return 0;
}

static int tear_down(void **state) {
	place_remove(*state);
	free(*state);
	return 0;
}

/* Of the store that was opened last. */
static uint64_t epoch;

static struct store *open_store(const struct place *place) {
	struct store *store;
	struct error err;
	if (store_sqlite_open(place->path, &store, &err) < 0 || store->ops->acquire(store, &epoch, &err) < 0)
		fail_msg("%s", err.msg);
	return store;
}

static void assert_refused(const struct place *place, enum code code, const char *text) {
	struct store *store;
	struct error err;
	assert_int_equal(store_sqlite_open(place->path, &store, &err), -1);
	assert_int_equal(err.code, code);
	if (strstr(err.msg, text) == NULL || strstr(err.msg, place->path) == NULL)
		fail_msg("\"%s\" does not name \"%s\" and %s", err.msg, text, place->path);
}

static int add(struct store *store, const char *key, struct str schema, struct error *err) {
	struct deployment_record record = {.key = key,
					   .module = "echo",
					   .language = "c",
					   .schema = schema,
					   .state = DEPLOYMENT_STARTING,
					   .detail = ""};
	digest_of(str_from(key), &record.identity);
	char ret_key[KEY_MAX];
	bool existed;
	return store->ops->add_deployment(store, epoch, &record, ret_key, &existed, err);
}

static void execute(const struct place *place, const char *text) {
	char *path = mem_printf("%s/ftl.db", place->path);
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	sqlite3_close(db);
	free(path);
}

static void belongs_to_one_process(void **state) {
	struct place *place = *state;
	struct store *store = open_store(place);
	char *mine = mem_printf("process %ld:", (long)getpid());
	assert_refused(place, CODE_FAILED_PRECONDITION, mine);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct store *second;
		struct error err;
		int result = store_sqlite_open(place->path, &second, &err);
		_exit(result == -1 && err.code == CODE_FAILED_PRECONDITION && strstr(err.msg, mine) != NULL ? 7 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	store->ops->close(store);
	store = open_store(place);
	store->ops->close(store);
	free(mine);
}

/* A child that a process starts and that outlives it must not keep the folder. */
static void is_free_although_a_child_runs_on(void **state) {
	struct place *place = *state;
	struct store *store = open_store(place);
	int hold[2];
	assert_int_equal(pipe(hold), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char byte;
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(hold[0]);
	store->ops->close(store);
	store = open_store(place);
	store->ops->close(store);
	close(hold[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void makes_a_folder_for_its_owner_alone(void **state) {
	struct place *place = *state;
	char *folder = mem_printf("%s/not/yet/there", place->path);
	struct store *store;
	struct error err;
	assert_int_equal(store_sqlite_open(folder, &store, &err), 0);
	assert_int_equal(store->ops->acquire(store, &epoch, &err), 0);
	assert_int_equal(add(store, "dpl-echo-1", STR("schema"), &err), 0);
	static const char *const names[] = {"", "/ftl.db", "/ftl.db-wal", "/lock"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = mem_printf("%s%s", folder, names[i]);
		struct stat status;
		assert_int_equal(stat(path, &status), 0); /* the -wal file: the log is in use */
		assert_int_equal(status.st_mode & 077, 0);
		free(path);
	}
	store->ops->close(store);
	free(folder);
}

static void refuses_a_newer_version(void **state) {
	struct place *place = *state;
	struct store *store = open_store(place);
	struct error err;
	assert_int_equal(add(store, "dpl-echo-1", STR("schema"), &err), 0);
	store->ops->close(store);
	execute(place, "PRAGMA user_version = 99");
	assert_refused(place, CODE_FAILED_PRECONDITION, "has version 99, made by a newer FTL");
	assert_refused(place, CODE_FAILED_PRECONDITION, "(" FTL_VERSION ") knows it up to version 5:");
	execute(place, "PRAGMA user_version = 5");
	store = open_store(place);
	struct arena arena = ARENA_INIT(KIB(64));
	struct deployment_record record;
	assert_int_equal(store->ops->get_deployment(store, "dpl-echo-1", &arena, &record, &err), 0);
	arena_deinit(&arena);
	store->ops->close(store);
}

static char *read_fixture(const char *name) {
	char *path = mem_printf("%s/%s", getenv("TEST_FOLDER"), name), *text = NULL;
	size_t size = 0;
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_true(getdelim(&text, &size, '\0', file) > 0);
	fclose(file);
	free(path);
	return text;
}

static void assert_rows_of_version_3(struct store *store, struct arena *arena) {
	struct store_rows rows;
	struct error err;
	assert_int_equal(store->ops->load(store, arena, &rows, &err), 0);
	assert_int_equal(rows.module_count, 2);
	assert_string_equal(rows.modules[0].next_key, "dpl-echo-5ej75t8t3xr80");
	assert_int_equal(rows.modules[0].replicas, 2);
	assert_string_equal(rows.modules[1].name, "time");
	assert_int_equal(rows.deployment_count, 2);
	assert_string_equal(rows.deployments[1].key, "dpl-time-4fdsb6xcbn7g4");
	assert_int_equal(rows.deployments[1].state, DEPLOYMENT_FAILED);

	struct deployment_record record;
	assert_int_equal(store->ops->get_deployment(store, "dpl-echo-5ej75t8t3xr80", arena, &record, &err), 0);
	assert_int_equal(record.artefact_count, 1);
	assert_true(str_eq_c(record.artefacts[0].path, "main"));
	assert_true(record.schema.len > 50);
}

static void assert_events(struct store *store, struct arena *arena, size_t expected) {
	const struct event_query query = {.module = "", .newest = SIZE_MAX, .limit = SIZE_MAX};
	struct event_record *events;
	size_t count;
	struct error err;
	assert_int_equal(store->ops->list_events(store, &query, arena, &events, &count, &err), 0);
	assert_int_equal(count, expected);
}

/* A change is stored and seen by followers, so what later versions added is there. */
static void assert_up_to_date(struct store *store, struct arena *arena, const char *key) {
	const struct event_record event = {.sequence = 39,
					   .kind = EVENT_BACKPLANE_STARTED,
					   .module = "",
					   .deployment_key = "",
					   .runner_key = "",
					   .text = "started",
					   .lines = ""};
	const struct store_change change = {.deployment_key = key,
					    .state = DEPLOYMENT_LIVE,
					    .detail = "",
					    .events = &event,
					    .event_count = 1};
	struct store_rows rows;
	struct error err;
	assert_int_equal(epoch, 1);
	assert_int_equal(store->ops->watch(store, 0, arena, &rows, &err), 0);
	assert_int_equal(rows.deployment_count, 0);
	assert_int_equal(store->ops->commit(store, epoch, &change, &err), 0);
	assert_int_equal(store->ops->watch(store, 0, arena, &rows, &err), 0);
	assert_int_equal(rows.deployment_count, 1);
	assert_string_equal(rows.deployments[0].key, key);
}

/* The version before this one: a new FTL takes over what an old one left. */
static void brings_version_3_up_to_date(void **state) {
	struct place *place = *state;
	struct arena arena = ARENA_INIT(KIB(64));
	char *old = read_fixture("version_3.sql");
	execute(place, old);
	struct store *store = open_store(place);
	assert_rows_of_version_3(store, &arena);
	assert_events(store, &arena, 2);
	assert_up_to_date(store, &arena, "dpl-echo-5ej75t8t3xr80");
	assert_events(store, &arena, 3);
	store->ops->close(store);
	store = open_store(place);
	assert_int_equal(epoch, 2);
	store->ops->close(store);
	arena_deinit(&arena);
	free(old);
}

/* Version 1 had no events, and modules had no replicas of the next deployment. */
static void brings_version_1_up_to_date(void **state) {
	struct place *place = *state;
	struct arena arena = ARENA_INIT(KIB(64));
	char *old = read_fixture("version_3.sql");
	execute(place, old);
	execute(place, "DROP TABLE events; ALTER TABLE modules DROP COLUMN next_replicas; PRAGMA user_version = 1");
	struct store *store = open_store(place);
	assert_rows_of_version_3(store, &arena);
	assert_events(store, &arena, 0);
	assert_up_to_date(store, &arena, "dpl-time-4fdsb6xcbn7g4");
	store->ops->close(store);
	arena_deinit(&arena);
	free(old);
}

/* Version 5 has lives. After a rollback from the newest, an older one is active. */
static void gives_lives_to_what_may_have_been_active(void **state) {
	static const struct {
		const char *key;
		bool was_active;
	} expected[] = {{"dpl-time-4fdsb6xcbn7g4", true}, {"dpl-time-newer", true}, {"dpl-time-d96b0hpy8ppfp", false}};
	struct place *place = *state;
	struct arena arena = ARENA_INIT(KIB(64));
	char *old = read_fixture("version_3.sql");
	execute(place, old);
	execute(place,
		"INSERT INTO deployments SELECT 4, 'dpl-time-newer', module, language, randomblob(32), created_ms + 1,"
		" 4, 'replaced by dpl-time-4fdsb6xcbn7g4', schema FROM deployments WHERE id = 3;"
		"UPDATE deployments SET state = 2, detail = '' WHERE id = 3;"
		"UPDATE modules SET active_key = 'dpl-time-4fdsb6xcbn7g4' WHERE name = 'time'");
	struct store *store = open_store(place);
	struct history_entry *entries;
	size_t count, total;
	struct error err;
	assert_int_equal(store->ops->list_history(store, "time", 10, &arena, &entries, &count, &total, &err), 0);
	assert_int_equal(count, ARRAY_LEN(expected));
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(entries[i].deployment.key, expected[i].key);
		assert_int_equal(entries[i].life != 0, expected[i].was_active);
		assert_int_equal(entries[i].begin_ms, entries[i].deployment.created_ms);
	}
	assert_int_equal(store->ops->list_history(store, "echo", 10, &arena, &entries, &count, &total, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(entries[0].life, 0);
	store->ops->close(store);
	arena_deinit(&arena);
	free(old);
}

static void overwrite(const struct place *place, off_t from, off_t size) {
	char *path = mem_printf("%s/ftl.db", place->path);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (off_t at = from; at < from + size; at += 16)
		assert_int_equal(pwrite(fd, "this is no table", 16, at), 16);
	close(fd);
	free(path);
}

static void says_when_the_database_is_damaged(void **state) {
	struct place *place = *state;
	overwrite(place, 0, 4096);
	assert_refused(place, CODE_DATA_LOSS, "is damaged");
}

static void says_when_a_table_is_damaged(void **state) {
	struct place *place = *state;
	struct store *store = open_store(place);
	struct error err;
	for (int i = 0; i < 100; i++) {
		char key[KEY_MAX];
		snprintf(key, sizeof key, "dpl-echo-%d", i);
		assert_int_equal(add(store, key, STR("schema"), &err), 0);
	}
	store->ops->close(store);
	overwrite(place, 4096, 64 << 10); /* all but the list of tables */
	assert_int_equal(store_sqlite_open(place->path, &store, &err), 0);
	struct arena arena = ARENA_INIT(KIB(64));
	struct store_rows rows;
	struct history_entry *entries;
	struct deployment_record record;
	size_t count, total;
	assert_int_equal(store->ops->acquire(store, &epoch, &err), -1);
	assert_int_equal(err.code, CODE_DATA_LOSS);
	assert_int_equal(store->ops->load(store, &arena, &rows, &err), -1);
	assert_int_equal(err.code, CODE_DATA_LOSS);
	assert_int_equal(store->ops->list_history(store, "echo", 10, &arena, &entries, &count, &total, &err), -1);
	assert_int_equal(err.code, CODE_DATA_LOSS);
	assert_int_equal(store->ops->get_deployment(store, "dpl-echo-1", &arena, &record, &err), -1);
	assert_int_equal(err.code, CODE_DATA_LOSS);
	assert_int_equal(add(store, "dpl-echo-100", STR("schema"), &err), -1);
	assert_int_equal(err.code, CODE_DATA_LOSS);
	assert_non_null(strstr(err.msg, "move it away"));
	arena_deinit(&arena);
	store->ops->close(store);
}

static void says_when_a_table_is_missing(void **state) {
	struct place *place = *state;
	struct store *store = open_store(place);
	store->ops->close(store);
	execute(place, "DROP TABLE deployment_artefacts");
	assert_refused(place, CODE_DATA_LOSS, "no such table: deployment_artefacts");
}

static void says_when_another_program_locks_it(void **state) {
	struct place *place = *state;
	struct store *store = open_store(place);
	char *path = mem_printf("%s/ftl.db", place->path);
	struct error err;
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(add(store, "dpl-echo-1", STR("schema"), &err), -1);
	assert_int_equal(err.code, CODE_UNAVAILABLE);
	assert_non_null(strstr(err.msg, path));
	sqlite3_close(db);
	assert_int_equal(add(store, "dpl-echo-1", STR("schema"), &err), 0);
	store->ops->close(store);
	free(path);
}

/* On a disk with less room than `over` bytes: what does not fit is refused as a whole, what fits goes on. */
static void assert_full_disk(struct store *store, const char *path, size_t over) {
	struct error err;
	char *schema = mem_zalloc(over);
	assert_int_equal(add(store, "dpl-echo-2", str_new(schema, over), &err), -1);
	assert_int_equal(err.code, CODE_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(err.msg, path));
	struct arena arena = ARENA_INIT(KIB(64));
	struct deployment_record record;
	assert_int_equal(store->ops->get_deployment(store, "dpl-echo-2", &arena, &record, &err), -1);
	assert_int_equal(err.code, CODE_NOT_FOUND);
	assert_int_equal(add(store, "dpl-echo-3", STR("small"), &err), 0);
	arena_deinit(&arena);
	free(schema);
}

static void assert_only_the_third(const struct place *place) {
	struct store *store = open_store(place);
	struct arena arena = ARENA_INIT(KIB(64));
	struct error err;
	struct history_entry *entries;
	size_t count, total;
	assert_int_equal(store->ops->list_history(store, "echo", 10, &arena, &entries, &count, &total, &err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(entries[0].deployment.key, "dpl-echo-3");
	arena_deinit(&arena);
	store->ops->close(store);
}

static void says_when_a_file_cannot_grow(void **state) {
	struct place *place = *state;
	struct store *store = open_store(place);
	limit_files(512 << 10);
	assert_full_disk(store, place->path, 1 << 20);
	limit_files(RLIM_INFINITY);
	store->ops->close(store);
	assert_only_the_third(place);
}

static void says_when_the_disk_is_full(void **state) {
	struct place *place = *state;
	if (!mount_small(place->path, "size=1m"))
		skip();
	struct store *store = open_store(place);
	assert_full_disk(store, place->path, 2 << 20);
	store->ops->close(store);
	assert_only_the_third(place);
	assert_int_equal(umount(place->path), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(belongs_to_one_process),
		TEST(is_free_although_a_child_runs_on),
		TEST(makes_a_folder_for_its_owner_alone),
		TEST(refuses_a_newer_version),
		TEST(brings_version_3_up_to_date),
		TEST(brings_version_1_up_to_date),
		TEST(gives_lives_to_what_may_have_been_active),
		TEST(says_when_the_database_is_damaged),
		TEST(says_when_a_table_is_damaged),
		TEST(says_when_a_table_is_missing),
		TEST(says_when_another_program_locks_it),
		TEST(says_when_a_file_cannot_grow),
		TEST(says_when_the_disk_is_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
