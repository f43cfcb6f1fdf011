/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { LOG_LINE_MAX = 4096 /* bytes of a line; the rest is cut */ };

static enum log_level threshold = LOG_INFO;
static const char *process_name = "ftl";
static atomic_int log_fd = STDERR_FILENO;

static const char *const level_names[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warn",
	[LOG_ERROR] = "error",
};

void log_init(enum log_level level, const char *name) {
	threshold = level;
	process_name = name;
}

void log_set_fd(int fd) {
	log_fd = fd;
}

const char *log_level_name(enum log_level level) {
	return level_names[level];
}

_Bool log_level_parse(const char *text, enum log_level *ret_level) {
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return 1;
		}
	}
	return 0;
}

/* Replaces control characters, as a peer's text could forge a second line or send escape sequences. */
static void defuse(char *line, size_t len) {
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
			line[i] = ' ';
}

/* Returns the bytes added, of which one stays free for the line feed. */
static size_t add_error(char *at, size_t room, const struct error *err) {
	bool with_origin = threshold == LOG_DEBUG && err->origin != NULL;
	int len = snprintf(at, room, ": %s%s%s%s", err->msg, with_origin ? " [" : "", with_origin ? err->origin : "",
			   with_origin ? "]" : "");
	return MIN((size_t)MAX(len, 0), room - 1);
}

static void write_line(enum log_level level, const struct error *err, const char *format, va_list args) {
	char line[LOG_LINE_MAX];
	char time[TIME_TEXT_MAX];
	time_format(time, clock_wall_ms());
	int head = snprintf(line, sizeof line, "%s %-5s %s: ", time, level_names[level], process_name);
	int body = vsnprintf(line + head, sizeof line - (size_t)head - 1, format, args);
	size_t len = MIN((size_t)head + (size_t)MAX(body, 0), sizeof line - 2);
	if (err != NULL)
		len += add_error(line + len, sizeof line - len - 1, err);
	defuse(line, len);
	line[len] = '\n';
	/* A single write keeps lines of several threads and processes whole. */
	ssize_t written UNUSED = write(log_fd, line, len + 1);
}

void log_write(enum log_level level, const char *format, ...) {
	if (level < threshold)
		return;
	va_list args;
	va_start(args, format);
	write_line(level, NULL, format, args);
	va_end(args);
}

void log_failure(enum log_level level, const struct error *err, const char *format, ...) {
	if (level < threshold)
		return;
	va_list args;
	va_start(args, format);
	write_line(level, err, format, args);
	va_end(args);
}
