/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: one set of codes for the whole program, and a text that lives in a struct of the caller.
 *
 * A function that can fail takes `struct error *err` last and returns 0, or -1 with err set; its outputs are untouched
 * then. Callers test for failure in one way: `if (f(…, err) < 0)`. A function that returns an object returns NULL
 * instead, and is tested by `== NULL`. The origin sets the text once: it names the thing, the limit and the value, and
 * what to do. A layer above may wrap it once. Whoever stops an error logs it; nobody else does.
 *
 * What a caller is expected to branch on (not found, would block) is not an error: it is a NULL or an enum.
 */
#pragma once

#include "base/macros.h"

/* gRPC's canonical status codes: the edge needs no translation. */
enum code {
	CODE_OK = 0,
	CODE_CANCELLED = 1,
	CODE_UNKNOWN = 2,
	CODE_INVALID_ARGUMENT = 3,
	CODE_DEADLINE_EXCEEDED = 4,
	CODE_NOT_FOUND = 5,
	CODE_ALREADY_EXISTS = 6,
	CODE_PERMISSION_DENIED = 7,
	CODE_RESOURCE_EXHAUSTED = 8,
	CODE_FAILED_PRECONDITION = 9,
	CODE_ABORTED = 10,
	CODE_OUT_OF_RANGE = 11,
	CODE_UNIMPLEMENTED = 12,
	CODE_INTERNAL = 13,
	CODE_UNAVAILABLE = 14,
	CODE_DATA_LOSS = 15,
	CODE_UNAUTHENTICATED = 16,
};

enum { CODE_COUNT = 17, ERROR_TEXT_MAX = 1024, ERROR_REASON_MAX = 48 };

struct error {
	enum code code;
	/* What programs branch on where the code is too coarse, such as "SCALED_TO_ZERO"; empty: the code says all. It
	 * goes over the wire as the reason of a google.rpc.ErrorInfo. People's next step is not in msg: whoever shows
	 * the error to them derives it from the reason in the words of its own interface. */
	char reason[ERROR_REASON_MAX];
	const char *origin; /* "src/store/sqlite/sqlite.c:120", the place that set the error; for debug logs */
	size_t path_len; /* length of the path at the start of msg, such as "request.items[3]"; 0: none */
	char msg[ERROR_TEXT_MAX];
};

#define ERROR_LINE_TEXT(line) #line
#define ERROR_LINE(line) ERROR_LINE_TEXT(line)
#define ERROR_HERE __FILE__ ":" ERROR_LINE(__LINE__)

/* error_set(err, code, format, …) sets err, which may be NULL, and is -1, so that an origin reads
 * `return error_set(…)`. A text that does not fit is cut at a character, and ends in "…". */
#define error_set(err, ...) error_set_at(err, ERROR_HERE, __VA_ARGS__)
int error_set_at(struct error *err, const char *origin, enum code code, const char *format, ...) PRINTF_LIKE(4, 5);

/* error_set_errno(err, errno, format, …): the text of errno is appended, and the code is the one that fits it
 * (ENOSPC: ResourceExhausted, …). */
#define error_set_errno(err, ...) error_set_errno_at(err, ERROR_HERE, __VA_ARGS__)
int error_set_errno_at(struct error *err, const char *origin, int number, const char *format, ...) PRINTF_LIKE(4, 5);

/* Adds the reason, a constant in capitals, to an error that was just set. Returns -1. */
int error_set_reason(struct error *err, const char *reason);

/* Marks the first len bytes of msg as the path to the wrong input. Returns -1. */
int error_set_path(struct error *err, size_t len);

/* Puts "context: " before the text of err; keeps the code, the reason and the origin, and
 * forgets where the path was. Returns -1. */
int error_wrap(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* "InvalidArgument" and so on, as people read it; never NULL. */
const char *code_name(enum code code);

/* The code that a number on the wire stands for; an unknown one is CODE_UNKNOWN. */
enum code code_from_number(long number);
