/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of the whole system, as `ftl ps` and `ftl status` show it.
 */
#pragma once

#include "cli/cli.h"
#include "ftl.pb-c.h"

/* Connects to the Backplane and asks for it; the answer is in the arena of cli. */
int status_get(struct cli *cli, const Ftl__StatusResponse **ret_status, struct error *err);
