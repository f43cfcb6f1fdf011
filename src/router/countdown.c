/* SPDX-License-Identifier: Apache-2.0 */
#include "router/countdown.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"

struct countdown {
	struct task task;
	struct loop *loop;
	atomic_size_t left;
	void (*done)(void *owner);
	void *owner;
};

static void run_done(struct task *task) {
	struct countdown *countdown = CONTAINER_OF(task, struct countdown, task);
	void (*done)(void *owner) = countdown->done;
	void *owner = countdown->owner;
	free(countdown);
	done(owner);
}

struct countdown *countdown_new(struct loop *loop, size_t count, void (*done)(void *owner), void *owner) {
	struct countdown *countdown = mem_zalloc(sizeof *countdown);
	*countdown = (struct countdown){.task.run = run_done, .loop = loop, .done = done, .owner = owner};
	atomic_init(&countdown->left, count);
	if (count == 0)
		loop_post(loop, &countdown->task);
	return countdown;
}

void countdown_report(struct countdown *countdown) {
	size_t before = atomic_fetch_sub(&countdown->left, 1);
	ASSERT(before > 0);
	if (before == 1)
		loop_post(countdown->loop, &countdown->task);
}
