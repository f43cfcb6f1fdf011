/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/local/leftovers.h"

#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/process.h"
#include "platform/local/run_folder.h"

enum {
	ENVIRON_MAX = 1 << 20,
	DELAY_MS = 100, /* so that one search serves many Runners that die together */
};

/* --- the search, on any thread ------------------------------------------------------------------------------------ */

struct leftover_search {
	const char *folder;
	const struct map *keys;
};

static bool is_of_dead_runner(const struct leftover_search *search, struct str variable) {
	const struct str name = STR("FTL_WORKING_DIR=");
	char key[KEY_MAX];
	return str_starts_with(variable, name) &&
	       run_folder_owner(search->folder, str_from_offset(variable, name.len), key) &&
	       map_get(search->keys, str_from(key)) != NULL;
}

static void end_if_left(void *data, pid_t pid) {
	char *environment;
	size_t len;
	if (process_read(pid, "environ", ENVIRON_MAX, &environment, &len) < 0)
		return;
	for (struct str variable, rest = str_new(environment, len); rest.ptr != NULL;) {
		variable = str_cut(rest, '\0', &rest);
		if (is_of_dead_runner(data, variable))
			kill(pid, SIGKILL);
	}
	free(environment);
}

static void remove_folder(const char *folder, const char *key) {
	struct error err;
	char *path = run_folder_path(folder, key, RUN_WORK_FOLDER);
	if (path_remove_tree(path, &err) < 0)
		log_warn("%s", err.msg);
	free(path);
}

/* Removes the folder last: if this Backplane dies before that, the folder shows the next one that processes may be
 * left. */
void leftovers_end(const char *folder, struct map *keys) {
	if (keys->len > 0)
		process_for_each(end_if_left, &(struct leftover_search){folder, keys});
	for (size_t cursor = 0;;) {
		char *key = map_next(keys, &cursor);
		if (key == NULL)
			break;
		remove_folder(folder, key);
		free(key);
	}
	map_deinit(keys);
	map_init(keys);
}

/* --- on the loop -------------------------------------------------------------------------------------------------- */

static void schedule(struct leftovers *leftovers);

static void search_work(uv_work_t *work) {
	struct leftovers *leftovers = work->data;
	leftovers_end(leftovers->folder, &leftovers->searched);
}

static void search_done(uv_work_t *work, int status UNUSED) {
	struct leftovers *leftovers = work->data;
	leftovers->at_work = false;
	if (leftovers->keys.len > 0)
		schedule(leftovers);
	else
		leftovers->idle(leftovers);
}

static void search(struct leftovers *leftovers) {
	leftovers->searched = leftovers->keys;
	map_init(&leftovers->keys);
	leftovers->at_work = true;
	leftovers->work.data = leftovers;
	int failed = uv_queue_work(&leftovers->loop->uv, &leftovers->work, search_work, search_done);
	ASSERT(failed == 0);
}

static void on_delay_over(struct timer *timer) {
	search(CONTAINER_OF(timer, struct leftovers, delay));
}

static void schedule(struct leftovers *leftovers) {
	if (leftovers->at_work)
		return;
	if (leftovers->hurries) {
		timer_stop(leftovers->loop, &leftovers->delay);
		search(leftovers);
	} else if (!timer_is_running(&leftovers->delay)) {
		timer_start(leftovers->loop, &leftovers->delay, DELAY_MS);
	}
}

void leftovers_init(struct leftovers *leftovers, struct loop *loop, const char *folder,
		    void (*idle)(struct leftovers *leftovers)) {
	*leftovers = (struct leftovers){.loop = loop, .folder = folder, .delay.fire = on_delay_over, .idle = idle};
	map_init(&leftovers->keys);
	map_init(&leftovers->searched);
}

void leftovers_add(struct leftovers *leftovers, const char *key) {
	free(map_put(&leftovers->keys, str_from(key), mem_strdup(key)));
	schedule(leftovers);
}

void leftovers_hurry(struct leftovers *leftovers) {
	leftovers->hurries = true;
	if (leftovers->keys.len > 0)
		schedule(leftovers);
}

bool leftovers_is_idle(const struct leftovers *leftovers) {
	return !leftovers->at_work && leftovers->keys.len == 0;
}
