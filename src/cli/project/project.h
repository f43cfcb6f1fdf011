/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module's folder and its ftl.toml.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct project {
	const char *folder; /* as it was given */
	const char *file; /* its ftl.toml, for messages */
	const char *module;
	const char *language; /* NULL: not said */
	const char *build; /* NULL: nothing is to be built */
	const char *generate; /* which code; NULL: none */
	const char *const *deploy; /* paths and patterns */
	size_t deploy_count; /* 0: not said */
	const char *entry; /* "main" unless said */
	const char *bind; /* "" unless said */
	const char *schema; /* "MODULE.ftl" unless said; relative to the folder */
	const char *const *uses; /* modules whose stubs are generated for Python */
	size_t use_count;
	const char *endpoint; /* NULL: not said */
};

/* Reads FOLDER/ftl.toml into arena; folder is borrowed. NotFound: the folder has none. */
int project_read(const char *folder, struct arena *arena, struct project *ret_project, struct error *err);
