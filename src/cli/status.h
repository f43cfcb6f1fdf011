/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of the whole system, as `ftl ps` and `ftl status` show it.
 */
#pragma once

#include <jansson.h>

#include "cli/cli.h"
#include "ftl.pb-c.h"

/* The deployment with its Runners inside. */
json_t *status_deployment_to_json(const Ftl__StatusResponse *status, const Ftl__StatusResponse__Deployment *deployment);

/* NotFound: no deployment of the module is known; the error names the module that was probably meant. */
int status_check_module(struct cli *cli, const Ftl__StatusResponse *status, const char *module, struct error *err);

/* Warns of each module that is unknown and nearly has the name of a known one: for answers about modules that may be
 * gone, or are to come, so that an unknown one is no error. */
void status_warn_of_unknown(struct cli *cli, char *const *modules, size_t count);

/* Connects to the Backplane and asks for it; the answer is in the arena of cli. */
int status_get(struct cli *cli, const Ftl__StatusResponse **ret_status, struct error *err);
