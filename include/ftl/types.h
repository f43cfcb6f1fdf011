/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The types of a schema in C. `ftl generate` writes a header for each module, which includes this one.
 *
 *     Int Float Bool String    int64_t, double, bool, const char * (UTF-8, ends with a NUL; NULL: not set)
 *     Bytes Time Any Unit      the structs below
 *     [T]                      struct with items and count
 *     {K: V}                   struct with items and count; an item has key and value
 *     T?                       Int?, Float?, Bool?, Time?, enums: struct with present and value
 *                              String?, Bytes?, Any?: as T, and NULL when it is absent
 *                              all others: a pointer, NULL when it is absent
 *     enum                     an enum that begins with 1, so that 0 means: not set
 *     enum of types            struct with kind, and a union of the variants
 *
 * The request lives until the verb returns. The answer must live as long: use memory of ftl_alloc, of ftl_format or of
 * the request, or a constant. A zeroed value is empty, absent or not set.
 */
#ifndef FTL_TYPES_H
#define FTL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ftl_bytes {
	const uint8_t *data;
	size_t size;
};

/* A moment, between the years 1 and 9999. */
struct ftl_time {
	int64_t seconds;      /* since 1970-01-01T00:00:00Z */
	int32_t nanos;        /* 0 … 999,999,999 */
	int32_t zone_minutes; /* east of UTC; changes how the time is written, not the moment */
};

/* Any JSON value, as text. NULL is null. */
struct ftl_any {
	const char *json;
};

struct ftl_unit {
	char nothing;
};

struct ftl_optional_int {
	bool present;
	int64_t value;
};

struct ftl_optional_float {
	bool present;
	double value;
};

struct ftl_optional_bool {
	bool present;
	bool value;
};

struct ftl_optional_time {
	bool present;
	struct ftl_time value;
};

static inline struct ftl_optional_int ftl_some_int(int64_t value) {
	struct ftl_optional_int some = {true, value};
	return some;
}

static inline struct ftl_optional_float ftl_some_float(double value) {
	struct ftl_optional_float some = {true, value};
	return some;
}

static inline struct ftl_optional_bool ftl_some_bool(bool value) {
	struct ftl_optional_bool some = {true, value};
	return some;
}

static inline struct ftl_optional_time ftl_some_time(struct ftl_time value) {
	struct ftl_optional_time some = {true, value};
	return some;
}

#endif
