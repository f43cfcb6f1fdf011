/* SPDX-License-Identifier: Apache-2.0 */
#include "backplane/workers.h"

size_t workers_wanted(unsigned threads) {
	return MIN(threads > 0 ? threads : uv_available_parallelism(), (unsigned)WORKERS_MAX);
}

int workers_start(struct workers *workers, size_t count, struct worker_options options, struct error *err) {
	for (; workers->count < count; workers->count++) {
		options.index = workers->count;
		struct worker *worker = worker_start(&options, err);
		if (worker == NULL)
			return -1;
		workers->items[workers->count] = worker;
	}
	return 0;
}

void workers_stop(struct workers *workers) {
	for (size_t i = 0; i < workers->count; i++)
		worker_stop(workers->items[i]);
	workers->count = 0;
}

void workers_accept(struct workers *workers, int fd, bool trusted) {
	worker_accept(workers->items[workers->next++ % workers->count], fd, trusted);
}
