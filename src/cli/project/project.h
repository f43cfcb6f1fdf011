/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module's folder and its ftl.toml.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct project {
	const char *folder; /* as given on the command line */
	const char *file; /* its ftl.toml, for messages */
	const char *module;
	const char *language; /* NULL: not set */
	const char *build; /* NULL: nothing is to be built */
	const char *generate; /* which code; NULL: none */
	const char *const *deploy; /* paths and patterns */
	size_t deploy_count; /* 0: not set */
	const char *entry; /* default "main" */
	const char *bind; /* default "" */
	const char *schema; /* default "MODULE.ftl"; relative to the folder */
	const char *const *uses; /* modules whose stubs are generated for Python */
	size_t use_count;
	const char *endpoint; /* NULL: not set */
};

/* Reads FOLDER/ftl.toml into arena; folder is borrowed. NotFound: the folder has none. */
int project_read(const char *folder, struct arena *arena, struct project *ret_project, struct error *err);
