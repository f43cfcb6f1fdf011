/* SPDX-License-Identifier: Apache-2.0 */
/* The observer of the Backplane: the statistics of verbs. */
#include <string.h>

#include "observer_suite.h"
#include "router/stats_observer.h"
#include "router_world.h"

static void read_stats(const struct router_world *world, const char *name, const char *verb,
		       struct verb_summary *ret_summary) {
	const struct stats_module *module = stats_registry_module(&world->stats, str_from(name));
	*ret_summary = (struct verb_summary){0};
	for (size_t i = 0; module != NULL && i < module->verb_count; i++)
		if (strcmp(module->verbs[i].name, verb) == 0)
			verb_stats_read(module->verbs[i].stats, ret_summary);
}

int main(void) {
	return observer_suite_run(
		&(struct observer_kind){.name = "stats", .observer = &stats_observer, .read = read_stats});
}
