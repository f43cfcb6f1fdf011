/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ftl schema get --follow: the schemas of what is active, then each change.
 */
#pragma once

#include "cli/cli.h"

/* Prints until the Backplane ends it or SIGINT comes. module NULL: all. */
int schema_follow(struct cli *cli, const char *module, bool as_json, struct error *err);
