/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of this process: one line for each event on standard error, written where an error is handled. Thread-safe.
 */
#pragma once

#include "base/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines below level are dropped. name appears in every line ("backplane", a Runner's key); borrowed. */
void log_init(enum log_level level, const char *name);
/* Writes later lines to fd instead of standard error. */
void log_set_fd(int fd);

void log_write(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

/* Writes "FORMAT: the error's text", and the error's origin if debug lines are enabled. */
void log_failure(enum log_level level, const struct error *err, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

const char *log_level_name(enum log_level level);
_Bool log_level_parse(const char *text, enum log_level *ret_level);
