/* SPDX-License-Identifier: Apache-2.0 */
#include "net/work_queue.h"

void work_queue_init(struct work_queue *queue, size_t max_running) {
	ASSERT(max_running > 0);
	*queue = (struct work_queue){.max_running = max_running};
	pthread_mutex_init(&queue->shared.lock, NULL);
	list_init(&queue->shared.waiting);
}

void work_queue_deinit(struct work_queue *queue) {
	ASSERT(queue->shared.running == 0);
	pthread_mutex_destroy(&queue->shared.lock);
}

static void on_run(uv_work_t *request) {
	struct work *work = request->data;
	work->run(work);
}

/* The oldest that waits takes the place of one that ended. NULL: none waits, and the place is free. */
static struct work *next_of(struct work_queue *queue) {
	struct work *next = NULL;
	pthread_mutex_lock(&queue->shared.lock);
	if (list_is_empty(&queue->shared.waiting)) {
		queue->shared.running--;
	} else {
		next = LIST_ENTRY(queue->shared.waiting.next, struct work, link);
		list_remove(&next->link);
	}
	pthread_mutex_unlock(&queue->shared.lock);
	return next;
}

static void start(struct work *work);

static void on_done(uv_work_t *request, int status UNUSED) {
	struct work *work = request->data;
	struct work *next = next_of(work->queue);
	/* Only its own thread may use a loop. */
	if (next != NULL && next->loop == work->loop)
		start(next);
	else if (next != NULL)
		loop_post(next->loop, &next->start);
	work->loop->expected--;
	work->done(work);
}

static void start(struct work *work) {
	work->request.data = work;
	int failed = uv_queue_work(&work->loop->uv, &work->request, on_run, on_done);
	ASSERT(failed == 0);
}

static void run_start(struct task *task) {
	start(CONTAINER_OF(task, struct work, start));
}

void work_queue_add(struct work_queue *queue, struct loop *loop, struct work *work) {
	work->queue = queue;
	work->loop = loop;
	work->start.run = run_start;
	loop->expected++;
	pthread_mutex_lock(&queue->shared.lock);
	bool starts = queue->shared.running < queue->max_running;
	if (starts)
		queue->shared.running++;
	else
		list_append(&queue->shared.waiting, &work->link);
	pthread_mutex_unlock(&queue->shared.lock);
	if (starts)
		start(work);
}
