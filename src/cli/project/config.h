/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings from several sources, in order of precedence: flags, the environment, the module's ftl.toml, the user's
 * config.toml.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"

#define CONFIG_ENDPOINT_DEFAULT "http://127.0.0.1:8892"

struct config_sources {
	const char *flag; /* --endpoint; NULL: not given */
	const char *environment; /* FTL_ENDPOINT; NULL or empty: not given */
	const char *project; /* the "endpoint" of ftl.toml; NULL: none */
	const char *file; /* the user's config.toml, which need not exist; NULL: not read */
};

/* Where the Backplane is, in arena or borrowed from sources. */
int config_endpoint(const struct config_sources *sources, struct arena *arena, const char **ret_endpoint,
		    struct error *err);

/* By the XDG base directory specification: $VARIABLE/ftl/NAME, or with VARIABLE not set or relative,
 * $HOME/FALLBACK/ftl/NAME. Without name, the folder. NULL: there is no home either. */
const char *config_path(const char *variable, const char *fallback, const char *name, struct arena *arena);
