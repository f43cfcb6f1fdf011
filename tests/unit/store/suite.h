/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every store must do, whatever database is behind it.
 */
#pragma once

#include "store/store.h"

struct suite_backend {
	const char *name;
	/* Opens the store of a place, which is an empty folder: empty the first time, with the rows of the last store
	 * there the next. */
	int (*open)(const char *place, struct store **ret_store, struct error *err);
	void (*forget)(const char *place); /* the place is not used again; optional */
	bool survives_process; /* rows are still there when the process was killed */
};

/* Runs the suite; returns the number of tests that failed. */
int store_suite_run(const struct suite_backend *backend);
