/* SPDX-License-Identifier: Apache-2.0 */
#include "net/file_check.h"

#include <stdlib.h>

#include "base/memory.h"

struct file_look {
	uv_fs_t request;
	struct file_check *check; /* NULL: it was stopped */
};

static void on_looked(uv_fs_t *request) {
	struct file_look *look = CONTAINER_OF(request, struct file_look, request);
	struct file_check *check = look->check;
	bool is_gone = request->result == UV_ENOENT;
	uv_fs_req_cleanup(request);
	free(look);
	if (check == NULL)
		return;
	check->look = NULL;
	timer_start(check->loop, &check->timer, check->every_ms);
	if (is_gone)
		check->gone(check);
}

static void on_due(struct timer *timer) {
	struct file_check *check = CONTAINER_OF(timer, struct file_check, timer);
	check->look = mem_zalloc(sizeof *check->look);
	check->look->check = check;
	int failed = uv_fs_lstat(&check->loop->uv, &check->look->request, check->path, on_looked);
	ASSERT(failed == 0); /* it only queues the request */
}

void file_check_start(struct file_check *check, struct loop *loop, const char *path, uint64_t every_ms,
		      void (*gone)(struct file_check *check)) {
	*check = (struct file_check){.loop = loop,
				     .path = path,
				     .every_ms = every_ms,
				     .gone = gone,
				     .timer.fire = on_due};
	timer_start(loop, &check->timer, every_ms);
}

void file_check_stop(struct file_check *check) {
	if (check->loop == NULL)
		return;
	timer_stop(check->loop, &check->timer);
	if (check->look != NULL)
		check->look->check = NULL;
	check->look = NULL;
}
