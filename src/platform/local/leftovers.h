/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cleans up after Runners that were killed: ends the processes that their deployments started, and removes their work
 * folders.
 *
 * The kernel kills the program of a Runner that is killed (PR_SET_PDEATHSIG), but not the processes that the program
 * started. Those have its environment, in which FTL_WORKING_DIR is below the Runner's work folder, so one search
 * through all processes finds them for several Runners. The search runs on libuv's pool.
 */
#pragma once

#include "base/map.h"
#include "net/loop.h"

struct leftovers {
	struct loop *loop;
	const char *folder; /* the run folder; borrowed */
	struct map keys; /* of Runners for the next search */
	struct timer delay;
	struct map searched; /* keys of the search in progress; used by the pool's thread */
	uv_work_t work;
	bool at_work;
	bool hurries; /* searches start without DELAY_MS */
	void (*idle)(struct leftovers *leftovers); /* called when no search is left */
};

void leftovers_init(struct leftovers *leftovers, struct loop *loop, const char *folder,
		    void (*idle)(struct leftovers *leftovers));

/* Queues the key of a Runner that ended and left something for the next search, which starts after DELAY_MS. */
void leftovers_add(struct leftovers *leftovers, const char *key);

/* Starts searches without DELAY_MS from now on. */
void leftovers_hurry(struct leftovers *leftovers);

bool leftovers_is_idle(const struct leftovers *leftovers);

/* Searches on the calling thread: ends the processes, removes the folders, and empties the map, whose values are the
 * keys, allocated on the heap. */
void leftovers_end(const char *folder, struct map *keys);
