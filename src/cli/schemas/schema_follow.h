/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ftl schema get --follow: prints the schemas of the active deployments, then each change.
 */
#pragma once

#include "cli/cli.h"

/* Prints until the Backplane ends the stream or SIGINT comes. module NULL: all. */
int schema_follow(struct cli *cli, const char *module, bool as_json, struct error *err);
