/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wanted of a module: the rules, on rows of the store. The control side, recovery and the simulator share them.
 */
#pragma once

#include "store/store.h"

/* A client deploys: changes what is wanted of the module. replicas: as the client asked; 0: the client left it open.
 * The active deployment keeps its number of replicas until the new one replaces it, so nothing has changed if the new
 * one does not come up. */
void wanted_deploy(struct module_record *module, const char *key, uint32_t replicas);

/* The state that a deployment of the module goes on from after a crash: the active one is LIVE, the next one STARTING,
 * and any other that has not ended is STOPPED. stored: its state in the store. */
enum deployment_state wanted_state(const struct module_record *module, const char *key, enum deployment_state stored);
