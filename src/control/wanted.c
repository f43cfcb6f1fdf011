/* SPDX-License-Identifier: Apache-2.0 */
#include "control/wanted.h"

void wanted_deploy(struct module_record *module, const char *key, uint32_t replicas) {
	bool is_active = strcmp(module->active_key, key) == 0, is_next = strcmp(module->next_key, key) == 0;
	if (is_active || module->active_key[0] == '\0') {
		/* A module that is deployed gets at least 1 replica, also if it was scaled to 0 before. */
		module->replicas = replicas > 0 ? replicas : MAX(module->replicas, 1u);
		module->next_replicas = 0;
	} else if (replicas > 0 || !is_next) {
		module->next_replicas = replicas > 0 || module->replicas > 0 ? replicas : 1;
	}
	module->next_key = is_active ? "" : key;
}

enum deployment_state wanted_state(const struct module_record *module, const char *key, enum deployment_state stored) {
	if (strcmp(module->active_key, key) == 0)
		return DEPLOYMENT_LIVE;
	if (strcmp(module->next_key, key) == 0)
		return DEPLOYMENT_STARTING;
	return stored == DEPLOYMENT_FAILED ? DEPLOYMENT_FAILED : DEPLOYMENT_STOPPED;
}
