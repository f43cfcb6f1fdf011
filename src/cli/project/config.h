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

/* What the user's config.toml says; each NULL: it is not set. Paths are as they are to be opened: relative ones begin
 * in the folder of the file, and "~/" is HOME. */
struct config_file {
	const char *endpoint, *ca, *cert, *key;
};

/* Reads the file into arena; path NULL, or a file that does not exist, sets nothing. */
int config_read(const char *path, struct arena *arena, struct config_file *ret_file, struct error *err);

/* An endpoint as a file says it: a relative path of unix: begins in the folder of the file too. NULL stays. */
const char *config_resolve_endpoint(const char *file, const char *endpoint, struct arena *arena);

/* Where the Backplane is, in arena or borrowed from sources. */
int config_endpoint(const struct config_sources *sources, struct arena *arena, const char **ret_endpoint,
		    struct error *err);

/* By the XDG base directory specification: $VARIABLE/ftl/NAME, or with VARIABLE not set or relative,
 * $HOME/FALLBACK/ftl/NAME. Without name, the folder. NULL: there is no home either. */
const char *config_path(const char *variable, const char *fallback, const char *name, struct arena *arena);
