/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few macros that every file may use. None of them returns or assigns out of sight.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/param.h> /* MIN, MAX */

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* The struct of type that holds pointer as its member. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define PRINTF_LIKE(template, first) __attribute__((format(printf, template, first)))
#define MUST_USE __attribute__((warn_unused_result))
#define UNUSED __attribute__((unused))

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)

/* Checks our own invariants, always on. Wrong input from a peer is an error, never an assert. */
#define ASSERT(condition) ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))

_Noreturn void assert_failed(const char *condition, const char *file, int line);
