/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: one set of codes for the whole program, and a text that lives in a struct of the caller.
 *
 * A function that can fail takes `struct error *err` last and returns 0, or -1 with err set; its outputs
 * are then unprocessed. The origin sets the text once: it names the thing, the limit and the value, and what
 * to do. A layer above may wrap it once. Whoever stops an error logs it; nobody else does.
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

enum { CODE_COUNT = 17, ERROR_TEXT_MAX = 1024 };

struct error {
	enum code code;
	char msg[ERROR_TEXT_MAX];
};

/* Sets err, which may be NULL, and returns -1, so that an origin reads `return error_set(…)`. A text that
 * does not fit is cut. */
int error_set(struct error *err, enum code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* As error_set with the text of errno appended, and the code that fits it (ENOSPC: ResourceExhausted, …). */
int error_set_errno(struct error *err, int number, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " before the text of err; keeps the code. Returns -1. */
int error_wrap(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* "InvalidArgument" and so on, as people read it; never NULL. */
const char *code_name(enum code code);

/* The code that a number on the wire stands for; an unknown one is CODE_UNKNOWN. */
enum code code_from_number(long number);
