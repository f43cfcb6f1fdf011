/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every store must do, whatever database is behind it.
 */
#pragma once

#include "store/store.h"

/* Opens the store at a place: an empty folder the first time, what the last store there left the next. */
typedef int store_open_fn(const char *place, struct store **ret_store, struct error *err);

/* Runs the suite; returns the number of tests that failed. */
int store_suite_run(const char *name, store_open_fn *open);
