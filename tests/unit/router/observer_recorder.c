/* SPDX-License-Identifier: Apache-2.0 */
/* The observer of the tests: it writes down what it is told. */
#include <stdio.h>
#include <string.h>

#include "observer_suite.h"
#include "recorder.h"

static struct recorder recorder;

static void reset(void) {
	recorder_init(&recorder);
}

static void read_records(const struct router_world *world UNUSED, const char *module, const char *verb,
			 struct verb_summary *ret_summary) {
	char name[64];
	struct verb_summary sum = {0};
	snprintf(name, sizeof name, "%s.%s", module, verb);
	pthread_mutex_lock(&recorder.lock);
	for (size_t i = 0; i < recorder.count; i++) {
		const struct record *record = &recorder.records[i];
		if (strcmp(record->verb, name) != 0)
			continue;
		sum.begun++;
		sum.finished += record->ended;
		sum.ended[record->outcome.status] += record->ended;
		sum.failed += record->outcome.verb_failed;
		sum.sum_us += record->outcome.took_us;
		sum.max_us = MAX(sum.max_us, record->outcome.took_us);
	}
	pthread_mutex_unlock(&recorder.lock);
	*ret_summary = sum;
}

int main(void) {
	return observer_suite_run(&(struct observer_kind){.name = "recorder",
							  .observer = &recorder.observer,
							  .reset = reset,
							  .read = read_records});
}
