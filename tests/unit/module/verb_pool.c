/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>

#include "cmocka_test.h"

#include "module/verb_pool.h"

struct work {
	struct verb_job job;
	struct hall *hall;
};

/* Jobs wait here until the test lets them go. */
struct hall {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int inside, most_inside, left;
	bool open;
	bool has_blocked; /* a signal, which programs that a verb starts would inherit */
};

static void run(struct verb_job *job) {
	struct hall *hall = CONTAINER_OF(job, struct work, job)->hall;
	sigset_t blocked;
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	pthread_mutex_lock(&hall->lock);
	hall->has_blocked |= !sigisemptyset(&blocked);
	hall->inside++;
	hall->most_inside = MAX(hall->most_inside, hall->inside);
	pthread_cond_broadcast(&hall->changed);
	while (!hall->open)
		pthread_cond_wait(&hall->changed, &hall->lock);
	hall->inside--;
	hall->left++;
	pthread_cond_broadcast(&hall->changed);
	pthread_mutex_unlock(&hall->lock);
}

static void wait_until(struct hall *hall, const int *number, int wanted) {
	pthread_mutex_lock(&hall->lock);
	while (*number < wanted)
		pthread_cond_wait(&hall->changed, &hall->lock);
	pthread_mutex_unlock(&hall->lock);
}

static void open_hall(struct hall *hall) {
	pthread_mutex_lock(&hall->lock);
	hall->open = true;
	pthread_cond_broadcast(&hall->changed);
	pthread_mutex_unlock(&hall->lock);
}

static void runs_up_to_its_limits(void **state UNUSED) {
	struct hall hall = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	struct work works[7];
	struct verb_pool *pool = verb_pool_new(3, 2);
	for (size_t i = 0; i < ARRAY_LEN(works); i++)
		works[i] = (struct work){.job.run = run, .hall = &hall};
	for (int i = 0; i < 3; i++) {
		assert_true(verb_pool_submit(pool, &works[i].job));
		wait_until(&hall, &hall.inside, i + 1);
	}
	assert_true(verb_pool_submit(pool, &works[3].job));
	assert_true(verb_pool_submit(pool, &works[4].job));
	assert_false(verb_pool_submit(pool, &works[5].job));
	open_hall(&hall);
	wait_until(&hall, &hall.left, 5);
	assert_true(verb_pool_submit(pool, &works[6].job));
	wait_until(&hall, &hall.left, 6);
	verb_pool_free(pool);
	assert_int_equal(hall.most_inside, 3);
	assert_false(hall.has_blocked);
}

static void ends_without_work(void **state UNUSED) {
	verb_pool_free(verb_pool_new(4, 4));
	verb_pool_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_up_to_its_limits),
		cmocka_unit_test(ends_without_work),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
