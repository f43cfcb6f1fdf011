/* SPDX-License-Identifier: Apache-2.0 */
#include "store/queue.h"

void store_queue_init(struct store_queue *queue, struct loop *loop, struct store *store) {
	*queue = (struct store_queue){.loop = loop, .store = store};
	list_init(&queue->jobs);
}

bool store_queue_is_empty(const struct store_queue *queue) {
	return list_is_empty(&queue->jobs);
}

static struct store_job *first_job(struct store_queue *queue) {
	return LIST_ENTRY(queue->jobs.next, struct store_job, link);
}

static void on_work(uv_work_t *request) {
	struct store_queue *queue = request->data;
	struct store_job *job = first_job(queue);
	job->work(job, queue->store);
}

static void start_next(struct store_queue *queue);

static void on_done(uv_work_t *request, int status UNUSED) {
	struct store_queue *queue = request->data;
	struct store_job *job = first_job(queue);
	list_remove(&job->link);
	if (!list_is_empty(&queue->jobs))
		start_next(queue);
	job->done(job);
	if (list_is_empty(&queue->jobs) && queue->empty != NULL)
		queue->empty(queue->data);
}

static void start_next(struct store_queue *queue) {
	queue->request.data = queue;
	int failed = uv_queue_work(&queue->loop->uv, &queue->request, on_work, on_done);
	ASSERT(failed == 0);
}

void store_queue_add(struct store_queue *queue, struct store_job *job) {
	bool idle = list_is_empty(&queue->jobs);
	list_append(&queue->jobs, &job->link);
	if (idle)
		start_next(queue);
}
