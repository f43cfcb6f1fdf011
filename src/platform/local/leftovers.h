/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Runners leave that could not end in order: processes that their deployments started, and their work folders.
 *
 * The kernel ends the program of a Runner that is killed (PR_SET_PDEATHSIG); what that program started has no parent
 * that knows of it, but has its environment: FTL_WORKING_DIR is below the Runner's work folder. So one search through
 * all processes finds what several Runners left. It runs on libuv's pool.
 */
#pragma once

#include "base/map.h"
#include "net/loop.h"

struct leftovers {
	struct loop *loop;
	const char *folder; /* the run folder; borrowed */
	struct map keys; /* of Runners for the next search */
	struct timer delay;
	struct map searched; /* keys of the search in progress: the pool's */
	uv_work_t work;
	bool at_work;
	bool hurries; /* searches do not wait for more Runners */
	void (*idle)(struct leftovers *leftovers); /* nothing is left to search for */
};

void leftovers_init(struct leftovers *leftovers, struct loop *loop, const char *folder,
		    void (*idle)(struct leftovers *leftovers));

/* The Runner with that key ended and left something. Searched for soon, together with what others leave meanwhile. */
void leftovers_add(struct leftovers *leftovers, const char *key);

/* From now on without a delay. */
void leftovers_hurry(struct leftovers *leftovers);

bool leftovers_is_idle(const struct leftovers *leftovers);

/* The search itself, for the calling thread: ends the processes, removes the folders, and empties the map, whose values
 * are the keys and on the heap. */
void leftovers_end(const char *folder, struct map *keys);
