/* SPDX-License-Identifier: Apache-2.0 */
#include "net/listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmocka_test.h"

struct stage {
	struct loop loop;
	struct listener listener;
	char folder[64];
	unsigned accepted;
	struct timer over;
};

static void on_accept(struct listener *listener, int fd) {
	struct stage *stage = listener->owner;
	stage->accepted++;
	close(fd);
}

static void on_over(struct timer *timer) {
	loop_stop(&CONTAINER_OF(timer, struct stage, over)->loop);
}

static void pass(struct stage *stage, uint64_t ms) {
	stage->over.fire = on_over;
	timer_start(&stage->loop, &stage->over, ms);
	loop_run(&stage->loop);
}

/* Returns whether somebody listens there. */
static bool connects(struct stage *stage) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, stage->listener.endpoint.path, sizeof address.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
	close(fd);
	return connected;
}

static void open_stage(struct stage *stage) {
	struct error err;
	struct endpoint endpoint = {.kind = ENDPOINT_UNIX};
	snprintf(stage->folder, sizeof stage->folder, "/tmp/ftl-listener-XXXXXX");
	assert_non_null(mkdtemp(stage->folder));
	snprintf(endpoint.path, sizeof endpoint.path, "%s/run", stage->folder);
	assert_int_equal(mkdir(endpoint.path, 0700), 0);
	snprintf(endpoint.path, sizeof endpoint.path, "%s/run/socket", stage->folder);
	loop_init(&stage->loop);
	assert_int_equal(listener_open(&stage->listener, &stage->loop, &endpoint, on_accept, stage, &err), 0);
}

static void close_stage(struct stage *stage) {
	listener_close(&stage->listener);
	loop_run_out(&stage->loop);
	loop_deinit(&stage->loop);
	char run[80];
	snprintf(run, sizeof run, "%s/run", stage->folder);
	assert_int_equal(rmdir(run), 0); /* the socket file is gone */
	assert_int_equal(rmdir(stage->folder), 0);
}

static void a_socket_file_that_is_removed_is_made_again(void **state UNUSED) {
	struct stage stage = {0};
	open_stage(&stage);
	for (unsigned turn = 1; turn <= 2; turn++) {
		assert_true(connects(&stage)); /* not accepted yet */
		assert_int_equal(unlink(stage.listener.endpoint.path), 0);
		assert_false(connects(&stage));
		char run[80];
		snprintf(run, sizeof run, "%s/run", stage.folder);
		if (turn == 2) /* with its folder */
			assert_int_equal(rmdir(run), 0);
		pass(&stage, LISTENER_CHECK_MS + 200);
		assert_true(connects(&stage));
		pass(&stage, 50);
		/* Also who had connected to the old one was accepted. */
		assert_int_equal(stage.accepted, 2 * turn);
	}
	close_stage(&stage);
}

static void a_file_of_another_process_is_left_alone(void **state UNUSED) {
	struct stage stage = {0};
	open_stage(&stage);
	const char *path = stage.listener.endpoint.path;
	struct stat before, after;
	assert_int_equal(unlink(path), 0);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(lstat(path, &before), 0);
	pass(&stage, LISTENER_CHECK_MS + 200);
	assert_int_equal(lstat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_true(S_ISREG(after.st_mode));
	close_stage(&stage);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_file_that_is_removed_is_made_again),
		cmocka_unit_test(a_file_of_another_process_is_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
