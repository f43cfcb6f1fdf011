/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmocka_test.h"

#include "net/work_queue.h"

enum { PIECES = 40 };

struct piece {
	struct work work;
	unsigned number;
};

static atomic_uint running, most_running;
static unsigned done_count, done_order[PIECES];
static pthread_t loop_thread;

static void run(struct work *work UNUSED) {
	unsigned now = atomic_fetch_add(&running, 1) + 1, most = atomic_load(&most_running);
	while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now))
		;
	usleep(1000);
	atomic_fetch_sub(&running, 1);
}

static void on_done(struct work *work) {
	assert_true(pthread_equal(pthread_self(), loop_thread));
	done_order[done_count++] = CONTAINER_OF(work, struct piece, work)->number;
}

static int set_up(void **state UNUSED) {
	atomic_store(&most_running, 0);
	done_count = 0;
	loop_thread = pthread_self();
	return 0;
}

static void run_pieces(size_t max_running) {
	struct loop loop;
	struct work_queue queue;
	struct piece pieces[PIECES];
	loop_init(&loop);
	work_queue_init(&queue, max_running);
	for (unsigned i = 0; i < PIECES; i++) {
		pieces[i] = (struct piece){.work = {.run = run, .done = on_done}, .number = i};
		work_queue_add(&queue, &loop, &pieces[i].work);
	}
	assert_int_equal(done_count, 0);
	loop_run_out(&loop);
	assert_int_equal(done_count, PIECES);
	work_queue_deinit(&queue);
	loop_deinit(&loop);
}

static void runs_one_after_the_other_in_order(void **state UNUSED) {
	run_pieces(1);
	assert_int_equal(atomic_load(&most_running), 1);
	for (unsigned i = 0; i < PIECES; i++)
		assert_int_equal(done_order[i], i);
}

static void runs_no_more_than_its_maximum_at_once(void **state UNUSED) {
	run_pieces(3);
	assert_in_range(atomic_load(&most_running), 2, 3);
}

/* --- one queue, several loops ------------------------------------------------------------------------------------- */

enum { LOOPS = 3 };

struct user {
	pthread_t thread;
	struct work_queue *queue;
	struct loop loop;
	struct piece pieces[PIECES];
	unsigned done;
	bool elsewhere;
};

static void on_user_done(struct work *work) {
	struct user *user = CONTAINER_OF(work->loop, struct user, loop);
	user->elsewhere |= !pthread_equal(pthread_self(), user->thread);
	user->done++;
}

static void *use(void *argument) {
	struct user *user = argument;
	user->thread = pthread_self();
	loop_init(&user->loop);
	for (unsigned i = 0; i < PIECES; i++) {
		user->pieces[i].work = (struct work){.run = run, .done = on_user_done};
		work_queue_add(user->queue, &user->loop, &user->pieces[i].work);
	}
	loop_run_out(&user->loop);
	loop_deinit(&user->loop);
	return NULL;
}

static void reports_to_the_loop_that_asked(void **state UNUSED) {
	struct work_queue queue;
	struct user *users = calloc(LOOPS, sizeof *users);
	pthread_t threads[LOOPS];
	work_queue_init(&queue, 2);
	for (size_t i = 0; i < LOOPS; i++) {
		users[i].queue = &queue;
		assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
	}
	for (size_t i = 0; i < LOOPS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(users[i].done, PIECES);
		assert_false(users[i].elsewhere);
	}
	assert_in_range(atomic_load(&most_running), 1, 2);
	work_queue_deinit(&queue);
	free(users);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(runs_one_after_the_other_in_order, set_up),
		cmocka_unit_test_setup(runs_no_more_than_its_maximum_at_once, set_up),
		cmocka_unit_test_setup(reports_to_the_loop_that_asked, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
