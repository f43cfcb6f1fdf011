/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which log entries a reader wants. Pure.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "schema/schema.h"

struct log_entry;

enum { LOG_FILTER_MODULES_MAX = 64, LOG_FILTER_REQUEST_MAX = 128 };

struct log_filter {
	char modules[LOG_FILTER_MODULES_MAX][SCHEMA_NAME_MAX + 1];
	size_t module_count; /* 0: all modules */
	int64_t since_ms; /* older entries are left out */
	enum log_level level; /* lower levels are left out */
	char request[LOG_FILTER_REQUEST_MAX + 1]; /* the attribute "request_id"; "": any, or none */
};

/* Zeroed, a filter takes everything. InvalidArgument: too many modules, or a name that none can have. */
int log_filter_add_module(struct log_filter *filter, const char *name, struct error *err);
/* level: the lowest, "" for all. */
int log_filter_set(struct log_filter *filter, int64_t since_ms, const char *level, const char *request,
		   struct error *err);

/* Whether entries of the module can be taken. */
bool log_filter_takes_module(const struct log_filter *filter, struct str module);
bool log_filter_takes(const struct log_filter *filter, const struct log_entry *entry);
