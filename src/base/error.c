/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const code_names[CODE_COUNT] = {
	[CODE_OK] = "OK",
	[CODE_CANCELLED] = "Cancelled",
	[CODE_UNKNOWN] = "Unknown",
	[CODE_INVALID_ARGUMENT] = "InvalidArgument",
	[CODE_DEADLINE_EXCEEDED] = "DeadlineExceeded",
	[CODE_NOT_FOUND] = "NotFound",
	[CODE_ALREADY_EXISTS] = "AlreadyExists",
	[CODE_PERMISSION_DENIED] = "PermissionDenied",
	[CODE_RESOURCE_EXHAUSTED] = "ResourceExhausted",
	[CODE_FAILED_PRECONDITION] = "FailedPrecondition",
	[CODE_ABORTED] = "Aborted",
	[CODE_OUT_OF_RANGE] = "OutOfRange",
	[CODE_UNIMPLEMENTED] = "Unimplemented",
	[CODE_INTERNAL] = "Internal",
	[CODE_UNAVAILABLE] = "Unavailable",
	[CODE_DATA_LOSS] = "DataLoss",
	[CODE_UNAUTHENTICATED] = "Unauthenticated",
};

/* A text of len bytes was cut to fit: it ends at a character, with a mark. */
static void mark_cut(struct error *err, size_t len) {
	static const char mark[] = "\xE2\x80\xA6"; /* "…" */
	size_t at = sizeof err->msg - sizeof mark;
	if (len < sizeof err->msg)
		return;
	while (at > 0 && ((unsigned char)err->msg[at] & 0xC0) == 0x80)
		at--;
	memcpy(err->msg + at, mark, sizeof mark);
}

static void set_text(struct error *err, const char *format, va_list args) {
	int len = vsnprintf(err->msg, sizeof err->msg, format, args);
	mark_cut(err, len < 0 ? 0 : (size_t)len);
}

/* Adds ": " and a text. */
static void add_text(struct error *err, const char *text) {
	size_t used = strlen(err->msg);
	int len = snprintf(err->msg + used, sizeof err->msg - used, ": %s", text);
	mark_cut(err, len < 0 ? 0 : used + (size_t)len);
}

static enum code code_from_errno(int number) {
	switch (number) {
	case ENOENT:
	case ENOTDIR:
		return CODE_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return CODE_PERMISSION_DENIED;
	case EEXIST:
	case EADDRINUSE:
		return CODE_ALREADY_EXISTS;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return CODE_RESOURCE_EXHAUSTED;
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
		return CODE_UNAVAILABLE;
	case ETIMEDOUT:
		return CODE_DEADLINE_EXCEEDED;
	case EINVAL:
	case ENAMETOOLONG:
		return CODE_INVALID_ARGUMENT;
	default:
		return CODE_INTERNAL;
	}
}

static void start(struct error *err, const char *origin, enum code code) {
	err->code = code;
	err->reason[0] = '\0';
	err->origin = origin;
	err->path_len = 0;
}

int error_set_at(struct error *err, const char *origin, enum code code, const char *format, ...) {
	ASSERT(code != CODE_OK);
	if (err == NULL)
		return -1;
	start(err, origin, code);
	va_list args;
	va_start(args, format);
	set_text(err, format, args);
	va_end(args);
	return -1;
}

int error_set_errno_at(struct error *err, const char *origin, int number, const char *format, ...) {
	if (err == NULL)
		return -1;
	start(err, origin, code_from_errno(number));
	va_list args;
	va_start(args, format);
	set_text(err, format, args);
	va_end(args);
	add_text(err, strerror(number));
	return -1;
}

int error_set_reason(struct error *err, const char *reason) {
	ASSERT(strlen(reason) < ERROR_REASON_MAX);
	if (err != NULL)
		snprintf(err->reason, sizeof err->reason, "%s", reason);
	return -1;
}

int error_set_path(struct error *err, size_t len) {
	if (err != NULL)
		err->path_len = MIN(len, strlen(err->msg));
	return -1;
}

int error_wrap(struct error *err, const char *format, ...) {
	if (err == NULL)
		return -1;
	struct error inner = *err;
	va_list args;
	va_start(args, format);
	set_text(err, format, args);
	va_end(args);
	err->path_len = 0;
	add_text(err, inner.msg);
	return -1;
}

const char *code_name(enum code code) {
	return (unsigned)code < CODE_COUNT ? code_names[code] : code_names[CODE_UNKNOWN];
}

enum code code_from_number(long number) {
	return number >= 0 && number < CODE_COUNT ? (enum code)number : CODE_UNKNOWN;
}

_Noreturn void assert_failed(const char *condition, const char *file, int line) {
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
	abort();
}
